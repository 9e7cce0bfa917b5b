"""What a soak takes from the world: a clock that can be woken, files that are whole, its own footprint."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.errors import StoreError
from tools.soak.surroundings import RealClock, RealFiles, SampledFootprint, own_footprint


def test_a_clock_that_is_woken_sleeps_no_more() -> None:
    clock = RealClock()
    threading.Timer(0.05, clock.wake).start()
    clock.sleep(600)
    clock.sleep(600)


def test_the_monotonic_clock_never_goes_back() -> None:
    clock = RealClock()
    seen = [clock.monotonic_us() for _ in range(100)]
    assert seen == sorted(seen)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    RealFiles().replace(path, [b"old"])

    def breaking() -> Iterator[bytes]:
        yield b"ne"
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left on device"):
        RealFiles().replace(path, breaking())
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"], "no part is left"
    RealFiles().replace(path, [b"n", b"ew"])
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_the_footprint_sees_what_is_taken(tmp_path: Path) -> None:
    before = own_footprint(tmp_path)
    block = bytearray(os.urandom(1 << 20)) * 64
    with contextlib.ExitStack() as files:
        for _ in range(20):
            files.enter_context(open(os.devnull, "rb"))
        after = own_footprint(tmp_path)
    assert before.resident_bytes is not None
    assert after.resident_bytes is not None
    assert after.resident_bytes - before.resident_bytes > len(block) // 2
    assert (after.descriptors or 0) - (before.descriptors or 0) == 20
    assert after.cpu_seconds >= before.cpu_seconds


def test_the_footprint_is_looked_at_ten_times_a_second_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 5_000_000_000
    monkeypatch.setattr("time.monotonic_ns", lambda: now_ns)
    footprint = SampledFootprint()
    first = footprint(tmp_path)
    with open(os.devnull, "rb"):
        now_ns += 99_000_000
        assert footprint(tmp_path) is first
        now_ns += 1_000_000
        assert (footprint(tmp_path).descriptors or 0) == (first.descriptors or 0) + 1


def test_where_the_folder_is_gone_the_disk_is_not_known(tmp_path: Path) -> None:
    assert own_footprint(tmp_path / "gone").disk_bytes is None
