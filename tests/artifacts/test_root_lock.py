from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.root_lock import LOCK_NAME, hold_root
from pytest_causal.errors import ArtifactError, ExitCode, RootBusyError

HOLDER = """
import os, sys, time
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.root_lock import hold_root
with Root.open(sys.argv[1]) as root, hold_root(root, run_id="first"):
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "root").mkdir()
    with Root.open(tmp_path / "root") as opened:
        yield opened


@pytest.fixture
def holder(root: Root) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the root."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, root.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{process.pid}\n"
        yield process
        process.kill()


def test_r8_a_root_that_is_held_is_busy_and_says_by_whom(root: Root, holder: subprocess.Popen[str]) -> None:
    for _ in range(3):
        with pytest.raises(RootBusyError, match=rf"run first \(process {holder.pid}\) is at work") as caught:
            hold_root(root, run_id="second").__enter__()
        assert caught.value.exit_code == ExitCode.BUSY
    assert holder.poll() is None


def test_r8_a_live_lock_is_not_stolen_however_old_its_file_is(
    root: Root, holder: subprocess.Popen[str]
) -> None:
    os.utime(root.path / LOCK_NAME, (0, 0))
    (root.path / LOCK_NAME).write_bytes(b"garbage")
    with pytest.raises(RootBusyError, match="another run is at work"):
        hold_root(root, run_id="second").__enter__()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_r8_the_lock_of_a_dead_process_is_taken_over(
    root: Root, holder: subprocess.Popen[str], end: signal.Signals | None
) -> None:
    with pytest.raises(RootBusyError):
        hold_root(root, run_id="second").__enter__()
    if end is None:
        holder.communicate()
    else:
        holder.send_signal(end)
    assert holder.wait() == (0 if end is None else -end)
    assert b"first" in (root.path / LOCK_NAME).read_bytes()
    with hold_root(root, run_id="second"):
        assert b"first" not in (root.path / LOCK_NAME).read_bytes()
        assert b"second" in (root.path / LOCK_NAME).read_bytes()


def test_a_child_of_the_holder_does_not_keep_the_lock(root: Root) -> None:
    with hold_root(root, run_id="first"):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, close_fds=False
        )
    with hold_root(root, run_id="second"):
        assert child.poll() is None
    child.communicate()


def test_of_many_threads_one_at_a_time_holds_the_root(root: Root) -> None:
    inside, most, held = 0, 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most, held
        for _ in range(50):
            try:
                with Root.open(root.path) as own, hold_root(own, run_id="x"):
                    with guard:
                        inside += 1
                        most, held = max(most, inside), held + 1
                    with guard:
                        inside -= 1
            except RootBusyError:
                continue

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == 1
    assert held >= 8  # a thread that finds it held goes on at once


def test_the_lock_is_let_go_when_the_work_fails(root: Root) -> None:
    with pytest.raises(ZeroDivisionError), hold_root(root, run_id="first"):
        1 / 0  # noqa: B018 - the fault of the work
    with hold_root(root, run_id="second"):
        pass


def test_only_the_owner_may_open_the_lock(root: Root) -> None:
    with hold_root(root, run_id="first"):
        status = (root.path / LOCK_NAME).stat()
    assert stat.S_IMODE(status.st_mode) == 0o600


def test_a_link_or_pipe_in_place_of_the_lock_is_refused(root: Root, tmp_path: Path) -> None:
    (tmp_path / "canary").write_bytes(b"outside")
    (root.path / "rotation").mkdir()
    lock = root.path / LOCK_NAME
    lock.symlink_to(tmp_path / "canary")
    with pytest.raises(ArtifactError):
        hold_root(root, run_id="first").__enter__()
    assert (tmp_path / "canary").read_bytes() == b"outside"
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(ArtifactError, match="no regular file"):
        hold_root(root, run_id="first").__enter__()


def test_a_file_system_without_locks_is_refused(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ArtifactError, match="cannot be locked: No locks available") as caught:
        hold_root(root, run_id="first").__enter__()
    assert not isinstance(caught.value, RootBusyError)
