"""Replacing a file as a whole: a reader sees the old content or the new, also when the writer is killed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_causal.errors import StoreError

_STRAY = re.compile(r"\.tmp-[0-9a-f]{16}")


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` under ``path``: new file, fsync, rename, fsync of the directory.

    Raises :class:`StoreError` where the file system refuses; the old content then stands.
    """
    temporary = path.with_name(f".{path.name}.tmp-{os.urandom(8).hex()}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(f"cannot write {path}: {error.strerror}", "nothing was changed") from error


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable, where the system can (Windows cannot open one)."""
    if sys.platform == "win32":
        return
    handle = os.open(directory, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the lock beside ``path``, waiting for it; a process that dies lets go of it.

    Whoever holds it removes what killed writers left behind. Raises :class:`StoreError` where the directory
    cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise StoreError(f"cannot lock {path}: {error.strerror}", "check the permissions") from error
    try:
        _lock(handle)
        remove_strays(path)
        yield
    finally:
        os.close(handle)


def remove_strays(path: Path) -> None:
    """Remove what writers of ``path`` that were killed left behind; only for whoever alone may write it."""
    for stray in path.parent.glob(f".{path.name}.tmp-*"):
        if _STRAY.fullmatch(stray.name.removeprefix(f".{path.name}")):
            stray.unlink(missing_ok=True)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)
