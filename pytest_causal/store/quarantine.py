"""Quarantine: what cannot be used is moved aside under a name that says when, and never deleted.

A folder is locked (flock(2) on the folder itself, so no lock file is left) while files in it are examined and moved.
Of eight processes that find one damaged file, the first moves it; the others look again and find what it began.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from pytest_causal import clock
from pytest_causal.errors import StoreBusyError, StoreError
from pytest_causal.store.location import COMPANIONS, FileIdentity, companion, examine

_PAUSE_SECONDS = 0.01
_NO_LOCKS_HERE = frozenset({errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL})


@contextmanager
def holding(folder: Path, *, busy_seconds: float) -> Iterator[None]:
    """Hold a folder against others who would move or make a store in it.

    On a file system without locks the block runs unheld. Raises StoreBusyError after ``busy_seconds``.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(
            f"the folder {folder} cannot be opened ({error.strerror})", "check its permissions"
        ) from error
    try:
        _lock(descriptor, folder, clock.monotonic_seconds() + busy_seconds)
        yield
    finally:
        os.close(descriptor)


def set_aside(path: Path, examined: FileIdentity | None, now_us: int) -> Path | None:
    """Move a database, and what SQLite keeps beside it, to ``NAME.corrupt-TIME``; return where it is now.

    ``None`` if the path no longer leads to the file that was examined: somebody else has moved it. To be called while
    :func:`holding` the folder. A process that still has the file open goes on writing into the moved one.
    """
    if examined is None or not examined.is_same_file(examine(path)):
        return None
    target = _free_name(path, now_us)
    _move(path, target)
    _move_companions(path, target)
    return target


def set_aside_stray_log(path: Path, now_us: int) -> Path | None:
    """Move aside a write-ahead log beside a database that is absent or empty; SQLite would delete it.

    Returns the name that the database it belongs to would have, or ``None`` if there was no such log. (A rollback
    journal alone holds nothing new: it is what making a store leaves when it is killed.)
    """
    has_log = _is_filled(companion(path, "-wal"))
    # A store that is being made this moment grows before its log does, so it is looked at after the log.
    database = examine(path)
    if not has_log or (database is not None and database.size_bytes):
        return None
    target = _free_name(path, now_us)
    _move_companions(path, target)
    return target


def quarantined(path: Path) -> list[Path]:
    """Return what was set aside from this path, oldest first."""
    prefix = f"{path.name}.corrupt-"
    return sorted(each for each in path.parent.iterdir() if each.name.startswith(prefix))


def _free_name(path: Path, now_us: int) -> Path:
    now = clock.at(now_us)
    stem = f"{path.name}.corrupt-{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}Z"
    target, number = path.with_name(stem), 1
    while any(os.path.lexists(companion(target, suffix)) for suffix in ("", *COMPANIONS)):
        number += 1
        target = path.with_name(f"{stem}.{number}")
    return target


def _move_companions(path: Path, target: Path) -> None:
    for suffix in COMPANIONS:
        source = companion(path, suffix)
        if os.path.lexists(source):
            _move(source, companion(target, suffix))


def _move(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        raise StoreError(
            f"the damaged file {source} cannot be set aside ({error.strerror})", "move it away by hand"
        ) from error


def _is_filled(path: Path) -> bool:
    try:
        return os.lstat(path).st_size > 0
    except OSError:
        return False


def _lock(descriptor: int, folder: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic_seconds() >= deadline:
                raise StoreBusyError(
                    f"another process is making or mending the history store in {folder}",
                    "wait for it to finish",
                ) from None
            sleep(_PAUSE_SECONDS)
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise StoreError(
                    f"the folder {folder} cannot be locked ({error.strerror})", "check the disk"
                ) from error
            return
        else:
            return
