"""The one family of errors that a person is meant to read.

A :class:`CausalError` is printed as one line: what happened, with the value and the place, then what to do.
Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every command: verdicts are small numbers, faults are the numbers of sysexits(3)."""

    OK = 0
    FAIL = 1
    ACTED = 2
    INCONCLUSIVE = 3
    LOCKED = 4
    USAGE = 64
    BAD_DATA = 65
    NO_INPUT = 66
    INTERNAL = 70
    IO_ERROR = 74
    BUSY = 75
    BAD_CONFIG = 78


class CausalError(Exception):
    """Base of every expected error.

    ``what`` says what happened, with the value and the place; ``remedy`` says what to do about it.
    ``str()`` joins the two into the one line that is shown.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the line that a person reads."""
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


class UsageError(CausalError):
    """A flag or an argument is wrong."""

    exit_code = ExitCode.USAGE


class ConfigError(CausalError):
    """A setting, a profile or a policy value is wrong."""

    exit_code = ExitCode.BAD_CONFIG


class DataError(CausalError):
    """Input data cannot be used: corrupt, of another program, of a newer version."""

    exit_code = ExitCode.BAD_DATA


class MissingInputError(CausalError):
    """A file, a store or a record that was asked for is not there."""

    exit_code = ExitCode.NO_INPUT


class StoreError(CausalError):
    """The history store cannot be read or written: disk full, read-only, I/O error."""

    exit_code = ExitCode.IO_ERROR


class StoreBusyError(StoreError):
    """Another process holds the store and did not let go in time."""

    exit_code = ExitCode.BUSY


class StoreCorruptError(StoreError):
    """The store's file is damaged."""

    exit_code = ExitCode.BAD_DATA


class StoreRefusedError(DataError):
    """The file is not ours to write: another program's, a newer version's, or not a regular file."""


class ArtifactError(CausalError):
    """An artifact cannot be read, written or removed."""

    exit_code = ExitCode.IO_ERROR


class ChangedError(ArtifactError):
    """An artifact is no longer what its listing says: written to, replaced or gone. It is left alone."""


class NameTakenError(ArtifactError):
    """A file of the name that was to be written is there already. It is never replaced."""


class RootBusyError(ArtifactError):
    """Another process works on the artifacts of this root."""

    exit_code = ExitCode.BUSY
