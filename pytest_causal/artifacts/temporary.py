"""A file that is being made: it has a name that nobody asks for until it is whole."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from types import TracebackType
from typing import Self

from pytest_causal.artifacts.refusals import refused

TEMPORARY_SUFFIX = ".tmp"
"""What the names of half-written files of ours end with."""

_TEMPORARY = re.compile(r"\.causal-[0-9a-f]{16}\.tmp")


def temporary_name() -> str:
    """Return a new name for a half-written file."""
    return f".causal-{os.urandom(8).hex()}{TEMPORARY_SUFFIX}"


def is_temporary(name: str) -> bool:
    """Say whether a file of this name is what a killed run of ours left half-written.

    Whoever holds the root's lock may remove it: what it was to replace is still there.
    """
    return name.endswith(TEMPORARY_SUFFIX) and bool(_TEMPORARY.fullmatch(name.rpartition("/")[2]))


class Temporary:
    """A file that has no name of its own yet. Leaving the ``with`` block removes it unless it was committed."""

    def __init__(self, folder: str, name: str, folder_descriptor: int, descriptor: int) -> None:
        self.folder = folder
        self.name = name
        self.folder_descriptor = folder_descriptor
        self.descriptor = descriptor
        self.is_named = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of the data. Raises :class:`ArtifactError`, as where the disk is full."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        except OSError as error:
            raise refused("write in", self.folder or ".", error) from error

    def start_writeback(self) -> None:
        """Ask the system to begin with writing to the disk, so that the later sync finds most of it done."""
        if sys.platform == "linux":
            # Linux starts to write out what is dirty; only what is on the disk already may leave the cache.
            with contextlib.suppress(OSError):
                os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def write_zeros(self, size_bytes: int) -> None:
        """Append zeros that take no place on the disk, where the file system knows holes."""
        try:
            os.ftruncate(self.descriptor, os.lseek(self.descriptor, size_bytes, os.SEEK_CUR))
        except OSError as error:
            raise refused("write in", self.folder or ".", error) from error

    def __enter__(self) -> Self:
        """Return this file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the descriptors, and remove the file unless it has its name."""
        try:
            if not self.is_named:
                with contextlib.suppress(OSError):  # a stray is removed by the next run
                    os.unlink(self.name, dir_fd=self.folder_descriptor)
        finally:
            os.close(self.descriptor)
            os.close(self.folder_descriptor)
