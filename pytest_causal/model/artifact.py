"""Artifacts: the files of a directory, what is to be done with each and why, and what a rotation did.

Names are paths relative to the root, with ``/`` between parts, decoded by ``os.fsdecode``: bytes that are no UTF-8
stand in them as surrogates and come back by ``os.fsencode``. Files and decisions are named tuples because there may
be a hundred thousand of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from pytest_causal.errors import ExitCode

FRAME_SUFFIX = ".zst"
"""What a file compressed alone ends with: its name and this."""
ARCHIVE_SUFFIX = ".tar.zst"
"""What an archive of many files ends with."""
CONFLICT_SUFFIX = ".conflict"
"""What an archive is renamed to where it is not what stands beside it."""
KEEP_MARKER = ".keep"
"""A file of this name keeps its directory and all below; ``NAME.keep`` keeps ``NAME``."""
ROTATION_DIRECTORY = "rotation"
"""The directory below the root that holds the log and the lock; nothing in it is an artifact."""
LOG_NAME = f"{ROTATION_DIRECTORY}/ROTATION_LOG.jsonl"
LOCK_NAME = f"{ROTATION_DIRECTORY}/.lock"
OLD_LOG_NAME = f"{ROTATION_DIRECTORY}/ROTATION_LOG.1.jsonl"


class FileKind(StrEnum):
    """What a directory entry is. ``archive`` and ``frame`` are regular files, told by the end of their names."""

    REGULAR = "regular"
    ARCHIVE = "archive"
    FRAME = "frame"
    SYMLINK = "symlink"
    FIFO = "fifo"
    DIRECTORY = "directory"
    OTHER = "other"


class Artifact(NamedTuple):
    """One directory entry as it was listed; links are not followed.

    ``allocated_bytes`` is ``st_blocks * 512``, 0 where the file system does not say. ``mode`` holds the bits of
    permission.
    """

    name: str
    size_bytes: int
    allocated_bytes: int
    mtime_ns: int
    mode: int
    inode: int
    device: int
    links: int
    uid: int
    kind: FileKind


class Action(StrEnum):
    """What is to be done with a file. ``leave`` means that it is none of ours or not safe to touch."""

    KEEP = "keep"
    COMPRESS = "compress"
    ARCHIVE = "archive"
    DELETE = "delete"
    LEAVE = "leave"


class Fate(NamedTuple):
    """What is to be done with a file, and every reason for or against, as slugs such as ``latest``."""

    action: Action
    reasons: tuple[str, ...]


class PlannedAction(NamedTuple):
    """One file, what is to be done with it, and every reason for or against, as slugs such as ``latest``."""

    artifact: Artifact
    action: Action
    reasons: tuple[str, ...]


class PlannedArchive(NamedTuple):
    """An archive that is to be written, and the files that go into it, in the order of their names.

    ``iterations`` are those of the members, -1 where their class has none.
    """

    name: str
    class_name: str
    members: tuple[Artifact, ...]
    iterations: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRules:
    """What becomes of the files of a class.

    The ``keep_*`` rules protect from deletion: the ``keep_latest`` latest files, those younger than
    ``keep_within_days``, and the newest file of each of the last ``keep_daily`` days, ``keep_weekly`` ISO weeks and
    ``keep_monthly`` months (UTC) that have files. A file older than ``compress_after_days`` is compressed, one older
    than ``delete_after_days`` that no rule protects is deleted; ``None`` means never.
    """

    keep_latest: int = 100
    keep_within_days: float = 0.0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    compress_after_days: float | None = 7.0
    delete_after_days: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactClass:
    """Files that belong together. The first class with a matching pattern takes a file.

    A pattern without ``/`` is matched against the last part of a name, one with ``/`` against the whole name; ``*``
    does not cross a ``/``, ``**`` does. ``iteration`` is a regular expression whose first group is the number of the
    iteration in the last part of the name; without it the files of the class are ordered by time.
    """

    name: str
    patterns: tuple[str, ...]
    iteration: str = ""
    rules: KeepRules = KeepRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """What one rotation is to reach and may do.

    ``max_size_bytes`` caps the sum of the sizes of all files below the root. ``max_removed_ratio`` is the share of
    the files that one run may delete. A file changed less than ``min_age_seconds`` ago is left. Files smaller than
    ``small_file_bytes`` are compressed together, where a directory has ``min_archive_files`` of them for one day.
    ``level`` is that of zstd, ``jobs`` the number of files that are compressed at once.
    """

    classes: tuple[ArtifactClass, ...]
    max_size_bytes: int | None = 900_000_000
    max_removed_ratio: float = 0.5
    min_age_seconds: float = 60.0
    small_file_bytes: int = 65_536
    min_archive_files: int = 8
    level: int = 3
    jobs: int = 2


class Conditions(NamedTuple):
    """What a plan depends on beside the listing and the policy.

    ``uid`` and ``device`` are those of the files that may be touched. ``strays`` are half-written files of ours that
    a killed run left. ``archived`` maps the name of a file that is still there to the archive that holds it already.
    ``incompressible`` maps the name of a file that does not shrink to its (size, mtime_ns).
    """

    now_us: int
    uid: int
    device: int
    strays: Set[str] = frozenset()
    archived: Mapping[str, str] = MappingProxyType({})
    incompressible: Mapping[str, tuple[int, int]] = MappingProxyType({})


class Plan(NamedTuple):
    """What a rotation will do: every file once, in the order of its name, and at the same place its fate.

    ``archives`` says where the files to be archived go; ``archived`` maps those that are in an archive already to it.
    ``total_bytes`` and ``allocated_bytes`` are the sizes now, each inode counted once. ``evictions``
    are the files that are deleted for the size limit after all else is done, oldest first and only while it is
    exceeded. ``held_back`` is the number of deletions that the cap on removals put off.
    """

    files: Sequence[Artifact]
    fates: Sequence[Fate]
    archives: tuple[PlannedArchive, ...]
    archived: Mapping[str, str]
    evictions: tuple[Artifact, ...]
    total_bytes: int
    allocated_bytes: int
    held_back: int

    @property
    def actions(self) -> Iterator[PlannedAction]:
        """Every file with its fate; each is made when it is asked for, as there may be a hundred thousand."""
        for artifact, (action, reasons) in zip(self.files, self.fates, strict=True):
            yield PlannedAction(artifact, action, reasons)


class Problem(StrEnum):
    """Why a file was left against the plan."""

    CHANGED = "changed"
    BEING_WRITTEN = "being-written"
    DOES_NOT_SHRINK = "does-not-shrink"
    OUT_OF_TIME = "out-of-time"
    CONFLICT = "conflict"
    DISK_FULL = "disk-full"
    FAILED = "failed"


FAULTS = frozenset({Problem.CONFLICT, Problem.DISK_FULL, Problem.FAILED})
"""Problems that a person should look at; the others come of a root that is in use, and go away."""


class Result(NamedTuple):
    """What became of one file.

    ``bytes_after`` is the size of its frame; 0 for a deleted file and for one that is in an archive now. ``holder`` is
    the file that has the content now. Of a file with a ``problem`` nothing was lost, and ``detail`` says more.
    """

    name: str
    action: Action
    bytes_before: int
    bytes_after: int = 0
    holder: str = ""
    problem: Problem | None = None
    detail: str = ""


class WrittenArchive(NamedTuple):
    """An archive that was written: the sum of the sizes of its members, and its own."""

    name: str
    members: int
    bytes_before: int
    bytes_after: int


class Outcome(NamedTuple):
    """What a rotation did: results of what it was to change, archives written, and the sizes that were left in bytes.

    ``problems`` are faults that belong to no file, such as a folder that cannot be read.
    """

    results: tuple[Result, ...]
    archives: tuple[WrittenArchive, ...]
    problems: tuple[str, ...]
    total_bytes: int
    allocated_bytes: int

    @property
    def has_faults(self) -> bool:
        """Whether anything went wrong."""
        return bool(self.problems) or any(result.problem in FAULTS for result in self.results)

    def is_within(self, max_size_bytes: int | None) -> bool:
        """Return whether the size that is left is within a limit."""
        return max_size_bytes is None or self.total_bytes <= max_size_bytes


class Rotation(NamedTuple):
    """A plan, and what came of it; a dry run has no outcome. ``problems`` are those of looking."""

    plan: Plan
    policy: RotationPolicy
    problems: tuple[str, ...]
    outcome: Outcome | None = None

    @property
    def exit_code(self) -> ExitCode:
        """1 where something went wrong; else 2 where what is left is over the limit on size; a dry run never is."""
        if self.outcome is None:
            return ExitCode.FAIL if self.problems else ExitCode.OK
        if self.outcome.has_faults:
            return ExitCode.FAIL
        return ExitCode.OK if self.outcome.is_within(self.policy.max_size_bytes) else ExitCode.ACTED
