from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_causal.artifacts.writers import is_open_for_writing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")


@pytest.fixture
def descriptor(tmp_path: Path):
    (tmp_path / "a").write_text("x")
    opened = os.open(tmp_path / "a", os.O_RDONLY)
    yield opened
    os.close(opened)


def test_a_file_that_nobody_has_open_is_free(descriptor: int) -> None:
    assert not is_open_for_writing(descriptor)


def test_a_reader_is_no_writer(descriptor: int, tmp_path: Path) -> None:
    with (tmp_path / "a").open():
        assert not is_open_for_writing(descriptor)


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_a_writer_is_seen_as_long_as_it_has_the_file_open(descriptor: int, tmp_path: Path, mode: str) -> None:
    with (tmp_path / "a").open(mode):
        assert is_open_for_writing(descriptor)
    assert not is_open_for_writing(descriptor)


def test_a_writer_in_another_process_is_seen(descriptor: int, tmp_path: Path) -> None:
    script = "import sys; f = open(sys.argv[1], 'ab'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert is_open_for_writing(descriptor)
        process.communicate()
    assert not is_open_for_writing(descriptor)


def test_asking_leaves_no_lease_that_would_hold_up_a_writer(descriptor: int, tmp_path: Path) -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGURG, lambda number, frame: caught.append(number))
    try:
        is_open_for_writing(descriptor)
        with (tmp_path / "a").open("ab") as file:
            file.write(b"y")
    finally:
        signal.signal(signal.SIGURG, before)
    assert caught == []
