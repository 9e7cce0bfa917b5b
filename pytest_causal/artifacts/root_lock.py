"""One rotation at a time: a lock on a root that dies with its holder.

The lock is flock(2) on a file below the root. The kernel lets go of it when the holder ends, however it ends, so a live
lock cannot be taken and a dead one need not be recognised. (A POSIX lock would be lost when the holder closes any
other descriptor of the file.) Only the file's owner may open it, or anybody could hold up the owner's rotations.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator

from pytest_causal.artifacts.directory import Root
from pytest_causal.errors import ArtifactError, RootBusyError
from pytest_causal.model.artifact import ROTATION_DIRECTORY

LOCK_NAME = f"{ROTATION_DIRECTORY}/.lock"
_MAX_HOLDER_BYTES = 4096


@contextlib.contextmanager
def hold_root(root: Root, *, run_id: str) -> Iterator[None]:
    """Hold a root against other runs that would change what is in it; does not wait.

    ``run_id`` is what another run is told of this one. Raises :class:`RootBusyError` while another process (or thread)
    holds the root, and :class:`ArtifactError` where the file system cannot lock.
    """
    root.make_folder(ROTATION_DIRECTORY)
    descriptor = root.open_own(LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, root)
        try:
            _write_holder(descriptor, run_id)
            yield
        finally:
            # Closing alone would leave the lock with a child that was forked meanwhile.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, root: Root) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise RootBusyError(
                f"{_holder(descriptor)} is at work in {root.path}", "try again when it has ended"
            ) from None
        raise ArtifactError(
            f"{root.path} cannot be locked: {error.strerror}", "rotate on a file system that has locks"
        ) from error


def _holder(descriptor: int) -> str:
    """Return who holds the lock, as far as the file says: it may be just being written."""
    try:
        holder = json.loads(os.pread(descriptor, _MAX_HOLDER_BYTES, 0))
        return f"run {holder['run']} (process {holder['pid']})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another run"


def _write_holder(descriptor: int, run_id: str) -> None:
    with contextlib.suppress(OSError):  # on a full disk the lock holds all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "run": run_id}, sort_keys=True).encode(), 0)
