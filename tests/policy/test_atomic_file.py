from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import StoreError
from pytest_causal.policy.atomic_file import only_writer, replace_file


def test_content_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_content(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    fired = []

    def refuse(*args: Any) -> None:
        fired.append(call)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StoreError, match="No space left on device; nothing was changed"):
        replace_file(path, b"new")
    assert fired
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_only_one_thread_is_the_writer_at_a_time(tmp_path: Path) -> None:
    inside: list[int] = []
    most = []

    def write(number: int) -> None:
        for _ in range(20):
            with only_writer(tmp_path / "file"):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert max(most) == 1


def test_a_writer_that_dies_lets_go_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = f"""
import os
from pathlib import Path
from pytest_causal.policy.atomic_file import only_writer
path = Path({str(path)!r})
with only_writer(path):
    path.with_name(f".file.tmp-{{'0' * 16}}").write_text("half")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    stray = tmp_path / f".file.tmp-{'0' * 16}"
    foreign = tmp_path / ".file.tmp-mine"
    foreign.write_text("not ours")
    assert stray.exists()
    with only_writer(path):
        assert not stray.exists()
    assert foreign.exists()


def test_a_directory_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot lock"), only_writer(tmp_path / "file" / "inner"):
        pass
