"""The lease on a run or on a file of parameters: one process at a time, for as long as it lives.

The lock belongs to the open file, so the system lets go of it when the process dies in whatever way; nothing is ever
judged stale by its age. What stands in the file only tells a person who holds it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_causal.errors import CausalError, ExitCode, StoreError

_BEHIND_THE_TEXT = 4096
_LOOK_SECONDS = 0.05


class LeaseHeldError(CausalError):
    """Another process holds what was asked for."""

    exit_code = ExitCode.BUSY


class Holder(NamedTuple):
    """The process that holds a lease: its number, its host, and the boot of that host (empty where unknown)."""

    pid: int
    host: str
    boot: str

    def __str__(self) -> str:
        """Return the holder as a person would look for it."""
        return f"process {self.pid} on {self.host}"


def this_process() -> Holder:
    """Return this process as a holder."""
    return Holder(pid=os.getpid(), host=platform.node(), boot=_boot())


@contextlib.contextmanager
def lease(path: Path, what: str) -> Iterator[None]:
    """Hold the lease that the file ``path`` stands for. Raises LeaseHeldError at once, StoreError.

    The file stays: removing it would let two processes each lock a file of that name.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}", "check the permissions") from error
    try:
        if not _try_lock(handle) and not _try_again(handle):
            raise LeaseHeldError(f"{what} is in use by {_holder(handle)}", "wait for it, or end that run")
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, (json.dumps(this_process()._asdict(), sort_keys=True) + "\n").encode())
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Return whether some process holds the lease at this moment."""
    try:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        return not _try_lock(handle)
    finally:
        os.close(handle)


def _try_again(handle: int) -> bool:
    """Whether the lock was only taken by somebody who looked whether it is held."""
    time.sleep(_LOOK_SECONDS)
    return _try_lock(handle)


def _holder(handle: int) -> str:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        return str(Holder(**json.loads(os.read(handle, _BEHIND_THE_TEXT))))
    except (ValueError, TypeError):
        return "another process"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            os.lseek(handle, _BEHIND_THE_TEXT, os.SEEK_SET)  # what is locked cannot be read there
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
