"""Where a SQLite store lives: which paths can hold one, and how its folder and file are made."""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from pytest_causal.errors import ConfigError, StoreError, StoreRefusedError

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite appends to the name of a database for the files beside it."""

FOLDER_NAME = ".causal"
"""The folder that holds our files in a project; it is kept out of version control when we make it."""

_PATH_BYTES = 503
"""SQLite takes paths of at most 511 bytes, companions included."""
_NAME_BYTES = 220
"""File systems take names of at most 255 bytes; the longest we make is that of a log set aside."""


class FileIdentity(NamedTuple):
    """Which file a path led to when it was looked at."""

    device: int
    inode: int
    size_bytes: int

    def is_same_file(self, other: "FileIdentity | None") -> bool:
        """Whether both are one file, whatever its size has become."""
        return other is not None and (self.device, self.inode) == (other.device, other.inode)


def resolve(location: str) -> Path:
    """Return the path that a store's location names, links followed.

    Raises ConfigError for a URL and for a path that SQLite cannot use, StoreRefusedError for a link to nothing.
    """
    scheme, separator, _ = location.partition("://")
    if separator and scheme.isalnum():
        if scheme in {"postgres", "postgresql"}:
            what = "a history store in PostgreSQL is not supported yet"
        else:
            what = f"no kind of history store is called {scheme!r}"
        raise ConfigError(
            f"{what} (store = {scheme}://...)", "give the path of a SQLite file, such as .causal/history.db"
        )
    if not location or "\0" in location:
        raise ConfigError(
            f"{location!r} is not the path of a history store", "give a path such as .causal/history.db"
        )
    if os.path.islink(location) and not os.path.exists(location):
        raise StoreRefusedError(
            f"the history store {location} is a link to nothing", "remove the link or choose another path"
        )
    try:
        path = Path(os.path.realpath(location))
    except OSError as error:
        raise StoreError(
            f"the history store {location} cannot be reached ({error})", "give another path"
        ) from error
    if len(os.fsencode(path.name)) > _NAME_BYTES or len(os.fsencode(path)) > _PATH_BYTES:
        raise ConfigError(
            f"the path of the history store is too long ({len(os.fsencode(path.name))} bytes of name,"
            f" {len(os.fsencode(path))} in all): {path}",
            f"give one of at most {_NAME_BYTES} and {_PATH_BYTES} bytes",
        )
    return path


def examine(path: Path) -> FileIdentity | None:
    """Look at a path without opening it; ``None`` where there is nothing.

    Raises StoreRefusedError for anything but a regular file, StoreError where looking is not allowed.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"the history store {path} cannot be reached ({error.strerror})", "check the path"
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreRefusedError(
            f"the history store {path} is {_kind(found.st_mode)}, not a file", "choose another path"
        )
    return FileIdentity(device=found.st_dev, inode=found.st_ino, size_bytes=found.st_size)


def companion(path: Path, suffix: str) -> Path:
    """Return the path of a file that SQLite keeps beside a database."""
    return path.with_name(path.name + suffix)


def make_folder(folder: Path) -> None:
    """Make the folder of a store, readable by its owner only; a ``.causal`` folder ignores itself in git."""
    try:
        if folder.is_dir():
            return
        missing = [folder, *(parent for parent in folder.parents if not parent.exists())]
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
        if folder.name == FOLDER_NAME:
            _write_new(folder / ".gitignore", b"*\n")
    except OSError as error:
        raise StoreError(
            f"the folder {folder} for the history store cannot be made ({error.strerror})",
            "choose another path",
        ) from error


def make_empty_file(path: Path) -> None:
    """Make an empty file that its owner alone can read; one that is there already is left as it is.

    SQLite gives the files beside a database the permissions of the database.
    """
    try:
        _write_new(path, b"")
    except OSError as error:
        raise StoreError(
            f"the history store {path} cannot be made ({error.strerror})",
            "check that you may write to its folder, or choose another path",
        ) from error


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        return
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return name
    return "a device"
