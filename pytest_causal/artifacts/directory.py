"""A root and what lies below it, reached through descriptors of directories and never through a link.

Every name is walked from the root's descriptor one part at a time with ``O_NOFOLLOW``, so a folder that is swapped for
a link between two calls makes the second fail and leads nowhere else. All that changes names goes through this module:
the temporary file, its commit under a final name, and the removal of a file whose identity was looked at just before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from pytest_causal.artifacts.entry import artifact_of, check_open, compare, is_as_listed
from pytest_causal.artifacts.refusals import changed, gone_or_refused, refused
from pytest_causal.artifacts.temporary import Temporary, temporary_name
from pytest_causal.errors import ArtifactError, MissingInputError, NameTakenError, UsageError
from pytest_causal.model.artifact import Artifact, FileKind

_DIRECTORY = FileKind.DIRECTORY
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_PERMISSIONS = 0o777
"""What is carried over to a replacement. A set-user-id bit is not: it would stand on content that is new."""

_NO_NAMES = frozenset({"", ".", ".."})
"""Parts of a path that name nothing below the folder before them."""

_REMOVERS = 8
"""Removing a file is mostly waiting for the file system, which eight threads do two to three times as quickly."""
_BATCH = 256
"""So many files of a folder are removed by one thread before the folder is opened anew."""

Listing = list[Artifact]
Failures = list[tuple[Artifact, ArtifactError]]
Check = Callable[[Artifact, int], object]
"""Is given a file and its open descriptor, and raises :class:`ArtifactError` where the file is to be left."""
OnError = Callable[[str, OSError], object]
"""Is told of a folder (by its name) that could not be listed, and why."""


def is_inside(name: str) -> bool:
    """Say whether a name can only lead to something below the folder that it starts from."""
    return "\0" not in name and _NO_NAMES.isdisjoint(name.split("/"))


class Root:
    """An open root directory, to be used in a ``with`` block. Names are relative to it, as in :class:`Artifact`.

    Every method raises :class:`ArtifactError` where the file system refuses, and :class:`UsageError` for a name that
    would leave the root.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a directory as a root.

        Raises :class:`MissingInputError` where there is no directory, and :class:`UsageError` where the path's last
        part is a link: what lies behind it may be swapped at any time.
        """
        place = Path(path)
        try:
            return cls(place, os.open(place, _FOLDER_FLAGS))
        except OSError as error:
            if place.is_symlink():
                raise UsageError(f"the root {place} is a link", "give the directory it leads to") from None
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                raise MissingInputError(f"there is no directory {place}", "check the path") from None
            raise ArtifactError(f"cannot open {place}: {error.strerror}", "check its permissions") from error

    def __enter__(self) -> Self:
        """Return this root."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the root's descriptor."""
        os.close(self._descriptor)

    # Reading

    def list(self, on_error: OnError | None = None, *, unentered: str = "") -> Listing:
        """Return everything below the root in no particular order; links and other devices are not entered.

        Nor is the folder that is named ``unentered``; it stands in the listing itself.

        A folder that cannot be read is told to ``on_error``, or raises where there is nobody to tell.
        """
        found: Listing = []
        device = os.fstat(self._descriptor).st_dev
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with self._folder(folder) as descriptor:
                    entries = _entries(descriptor, f"{folder}/" if folder else "")
            except OSError as error:
                if on_error is None:
                    raise refused("list", folder or ".", error) from error
                on_error(folder, error)
                continue
            found += entries
            waiting += [
                each.name
                for each in entries
                if each[9] is _DIRECTORY and each.device == device and each.name != unentered
            ]
        return found

    def look_up(self, name: str) -> Artifact | None:
        """Return what a name leads to now, or ``None`` where there is nothing."""
        try:
            with self._parent(name) as (folder, last):
                return artifact_of(name, os.stat(last, dir_fd=folder, follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise refused("look up", name, error) from error

    def check(self, artifact: Artifact) -> None:
        """Raise :class:`ChangedError` unless the name still leads to the very file of the listing."""
        compare(artifact, self.look_up(artifact.name))

    def open_read(self, artifact: Artifact) -> int:
        """Open a regular file and return the descriptor, which is the caller's to close.

        Raises :class:`ChangedError` where it is not the file of the listing, or has been written to since.
        """
        try:
            with self._parent(artifact.name) as (folder, last):
                return _open_read(folder, last, artifact)
        except OSError as error:
            raise gone_or_refused("read", artifact.name, error) from error

    def check_open(self, artifact: Artifact, descriptor: int) -> None:
        """Raise :class:`ChangedError` unless an open file is the one of the listing, not written to since."""
        check_open(artifact, descriptor)

    def read_all(self, artifacts: Iterable[Artifact]) -> Iterator[tuple[Artifact, bytes | ArtifactError]]:
        """Yield many small files, each with its content or with why it is not to be had, as of :meth:`open_read`.

        Files that follow one another in a folder are reached through one descriptor of it.
        """
        for folder, group in groupby(artifacts, key=_folder_of):
            files = iter(group)
            try:
                with self._folder(folder) as held:
                    for artifact in files:
                        yield artifact, _content(held, artifact)
            except OSError as error:
                yield from ((each, gone_or_refused("read", each.name, error)) for each in files)

    def check_all(self, artifacts: Iterable[Artifact], check: Check) -> Failures:
        """Put many files to a check, as of :meth:`open_read`; return those that are to be left, and why."""
        failures: Failures = []
        for folder, group in groupby(artifacts, key=_folder_of):
            files = list(group)
            failures += self._in_folder(folder, files, partial(_put_to, check))
        return failures

    def free_bytes(self) -> int:
        """Return how much more the root's file system takes."""
        status = os.fstatvfs(self._descriptor)
        return status.f_bavail * status.f_frsize

    # Changing

    def create_temporary(self, folder: str = "") -> Temporary:
        """Return a new, empty, private file in a folder that exists, to be used in a ``with`` block."""
        name = temporary_name()
        try:
            with self._folder(folder) as held, contextlib.ExitStack() as undo:
                kept = os.dup(held)
                undo.callback(os.close, kept)
                descriptor = os.open(name, _CREATE_FLAGS, 0o600, dir_fd=kept)
                undo.pop_all()
                return Temporary(folder, name, kept, descriptor)
        except OSError as error:
            raise refused("write in", folder or ".", error) from error

    def commit(
        self, temporary: Temporary, final_name: str, *, mode: int, mtime_ns: int, durable: bool = True
    ) -> None:
        """Give a temporary file its final name (a name in its own folder), permissions and time.

        The content is synced before the name appears, and the folder after. A name that is taken is never replaced:
        :class:`NameTakenError`. ``durable=False`` leaves both syncs to a later :meth:`sync_all`.
        """
        folder, last = _split(final_name)
        if folder != temporary.folder:
            raise ValueError(f"{final_name} does not lie in {temporary.folder}")
        held, descriptor = temporary.folder_descriptor, temporary.descriptor
        try:
            os.fchmod(descriptor, mode & _PERMISSIONS)
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))
            if durable:
                os.fsync(descriptor)
            # A link, because rename(2) would silently replace what has the name.
            os.link(temporary.name, last, src_dir_fd=held, dst_dir_fd=held, follow_symlinks=False)
            os.unlink(temporary.name, dir_fd=held)
            temporary.is_named = True
            if durable:
                os.fsync(held)
        except FileExistsError:
            raise NameTakenError(
                f"{final_name} is there already", "look at both files, and move one"
            ) from None
        except OSError as error:
            raise refused("write", final_name, error) from error

    def unlink(self, artifact: Artifact) -> None:
        """Remove a file, after a last look at whether it is still the one of the listing.

        Raises :class:`ChangedError` where it is not. The folder is synced by :meth:`sync_folder`.
        """
        try:
            with self._parent(artifact.name) as (folder, last):
                _unlink(folder, last, artifact)
        except OSError as error:
            raise gone_or_refused("remove", artifact.name, error) from error

    def set_aside(self, artifact: Artifact, new_name: str) -> None:
        """Give a file another name in its own folder, after a last look at whether it is still the one listed.

        Raises :class:`ChangedError` where it is not, and :class:`NameTakenError` where the new name is taken.
        """
        _, new_last = _split(new_name)
        self.check(artifact)
        try:
            with self._parent(artifact.name) as (folder, last):
                os.link(last, new_last, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                os.unlink(last, dir_fd=folder)
                os.fsync(folder)
        except FileExistsError:
            raise NameTakenError(f"{new_name} is there already", "look at both files, and move one") from None
        except OSError as error:
            raise refused("rename", artifact.name, error) from error

    def unlink_all(self, artifacts: Iterable[Artifact], check: Check | None = None) -> Failures:
        """Remove many files as :meth:`unlink` does, several at once; return those that are still there, and why.

        Each is put to ``check`` just before it goes.
        """
        from concurrent.futures import ThreadPoolExecutor  # a tenth of what starting a dry run takes

        folders: defaultdict[str, Listing] = defaultdict(list)
        for artifact in artifacts:
            folders[_folder_of(artifact)].append(artifact)
        batches = [
            (folder, files[start : start + _BATCH])
            for folder, files in folders.items()
            for start in range(0, len(files), _BATCH)
        ]

        def remove(folder: int, last: str, artifact: Artifact) -> None:
            if check:
                _put_to(check, folder, last, artifact)
            _unlink(folder, last, artifact)

        with ThreadPoolExecutor(_REMOVERS) as pool:
            failed = pool.map(lambda batch: self._in_folder(batch[0], batch[1], remove), batches)
            return [failure for failures in failed for failure in failures]

    def _in_folder(
        self, folder: str, artifacts: Listing, step: Callable[[int, str, Artifact], object]
    ) -> Failures:
        """Do something with files of a folder, which is walked to once; return those with which it failed."""
        failures: Failures = []
        try:
            with self._folder(folder) as held:
                for artifact in artifacts:
                    try:
                        step(held, artifact.name.rpartition("/")[2], artifact)
                    except ArtifactError as error:
                        failures.append((artifact, error))
        except OSError as error:
            return [(each, gone_or_refused("reach", each.name, error)) for each in artifacts]
        return failures

    def make_folder(self, name: str) -> None:
        """Make a folder, and those above it, where they are missing."""
        parts = _parts(name)
        for depth in range(1, len(parts) + 1):
            try:
                with self._parent("/".join(parts[:depth])) as (folder, last):
                    os.mkdir(last, dir_fd=folder)
            except FileExistsError:
                continue
            except OSError as error:
                raise refused("make the folder", name, error) from error

    def open_own(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file that is kept by us (a lock, a log) with flags of :func:`os.open`.

        What is no regular file is refused, without waiting for the other end of a pipe.
        """
        try:
            with self._parent(name) as (folder, last):
                descriptor = os.open(
                    last, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=folder
                )
        except OSError as error:
            raise refused("open", name, error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ArtifactError(f"{name} is no regular file", "move it away")
        return descriptor

    def sync_folder(self, name: str = "") -> None:
        """Make the names in a folder durable."""
        try:
            with self._folder(name) as descriptor:
                os.fsync(descriptor)
        except OSError as error:
            raise refused("sync", name or ".", error) from error

    def sync_all(self) -> None:
        """Make everything durable that was written before; one call for thousands of files."""
        os.sync()

    # Walking

    @contextlib.contextmanager
    def _folder(self, name: str) -> Iterator[int]:
        """Open a folder below the root, part by part, and close it at the end; an empty name is the root."""
        held = os.dup(self._descriptor)
        try:
            for part in _parts(name) if name else ():
                below = os.open(part, _FOLDER_FLAGS, dir_fd=held)
                os.close(held)
                held = below
            yield held
        finally:
            os.close(held)

    @contextlib.contextmanager
    def _parent(self, name: str) -> Iterator[tuple[int, str]]:
        """Open the folder that a name lies in, and yield it with the name's last part."""
        folder, last = _split(name)
        with self._folder(folder) as held:
            yield held, last


def _parts(name: str) -> list[str]:
    if not is_inside(name):
        raise UsageError(f"{name!r} is not a name below the root", "give a relative name without '..'")
    return name.split("/")


def _split(name: str) -> tuple[str, str]:
    *folders, last = _parts(name)
    return "/".join(folders), last


def _folder_of(artifact: Artifact) -> str:
    """Return the folder of a name, which is checked when it is walked to; a last part that leads out is refused."""
    folder, _, last = artifact.name.rpartition("/")
    if not is_inside(last):
        raise UsageError(
            f"{artifact.name!r} is not a name below the root", "give a relative name without '..'"
        )
    return folder


def _entries(descriptor: int, prefix: str) -> Listing:
    found: Listing = []
    add = found.append
    with os.scandir(descriptor) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # what vanishes between two calls was not there
            add(artifact_of(prefix + entry.name, status))
    return found


def _open_read(folder: int, last: str, artifact: Artifact) -> int:
    descriptor = os.open(last, _READ_FLAGS, dir_fd=folder)
    try:
        check_open(artifact, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _put_to(check: Check, folder: int, last: str, artifact: Artifact) -> None:
    try:
        descriptor = _open_read(folder, last, artifact)
    except OSError as error:
        raise gone_or_refused("read", artifact.name, error) from error
    try:
        check(artifact, descriptor)
    finally:
        os.close(descriptor)


def _content(folder: int, artifact: Artifact) -> bytes | ArtifactError:
    """Return the content of a small file, or why it is not to be had: it must stay what its listing says."""
    try:
        descriptor = _open_read(folder, artifact.name.rpartition("/")[2], artifact)
        try:
            data = os.read(descriptor, artifact.size_bytes)
            check_open(artifact, descriptor)
        finally:
            os.close(descriptor)
    except ArtifactError as error:
        return error
    except OSError as error:
        return gone_or_refused("read", artifact.name, error)
    return data if len(data) == artifact.size_bytes else changed(artifact.name, "became shorter")


def _unlink(folder: int, last: str, artifact: Artifact) -> None:
    try:
        status = os.stat(last, dir_fd=folder, follow_symlinks=False)
        if not is_as_listed(artifact, status):
            compare(artifact, artifact_of(artifact.name, status))
        os.unlink(last, dir_fd=folder)
    except OSError as error:
        raise gone_or_refused("remove", artifact.name, error) from error
