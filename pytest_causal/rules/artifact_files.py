"""The files of a listing in columns: there may be a hundred thousand, and most are alike.

A file is known by its number: its place in the listing in the order of names. To look at a column is several times as
quick as to ask each file, and an object for each would take longer to make than all that the rules ask of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, repeat
from operator import is_not, ne
from typing import Any, NamedTuple, TypeVar

from pytest_causal.model.artifact import Artifact, FileKind

Value = TypeVar("Value")

_REGULAR = FileKind.REGULAR
_FILES = (_REGULAR, FileKind.FRAME, FileKind.ARCHIVE)
_CHUNK = 1024
"""So many files fit into the cache of a core together."""


class Columns(NamedTuple):
    """A listing in the order of its names, and what its files are, as in :class:`Artifact`; all are equally long."""

    artifacts: Sequence[Artifact]
    names: list[str]
    sizes_bytes: list[int]
    allocated_bytes: list[int]
    mtimes_ns: list[int]
    modes: list[int]
    inodes: list[int]
    devices: list[int]
    links: list[int]
    uids: list[int]
    kinds: list[FileKind]


class Files(NamedTuple):
    """What rules ask of files, by their numbers; all columns are as long as the listing.

    Iterations count within a run: a directory and a class. An iteration is -1 where the class has none. A time is that
    of now where the file's lies in the future. ``members`` is the number of files that a file holds, 1 but for
    archives. Of an entry that no policy speaks of only the artifact says anything.
    """

    artifacts: Sequence[Artifact]
    names: Sequence[str]
    sizes_bytes: Sequence[int]
    runs: list[str]
    iterations: list[int]
    times_ns: list[int]
    members: list[int]


class Stretch(NamedTuple):
    """Some files of one run, by their numbers; ``is_plain`` where all are known to be regular, and no frames."""

    run: str
    numbers: Sequence[int]
    is_plain: bool

    def of(self, column: Sequence[Value]) -> Sequence[Value]:
        """Return the values of these files in a column."""
        numbers = self.numbers
        if isinstance(numbers, range):  # they follow one another
            return column[numbers.start : numbers.stop]
        return [column[number] for number in numbers]


def in_columns(artifacts: Sequence[Artifact]) -> Columns:
    """Put a listing into columns, as it stands."""
    columns: list[list[Any]] = [[] for _ in Artifact._fields]
    for start in range(0, len(artifacts), _CHUNK):
        chunk = artifacts[start : start + _CHUNK]
        for place, values in enumerate(zip(*chunk, strict=True)):
            columns[place].extend(values)
    return Columns(artifacts, *columns)


def ending_with(names: Sequence[str], *suffixes: str) -> list[int]:
    """Return the places of names with one of some endings; where no name holds any, that is told at a glance."""
    text = "\n".join(names)
    if not any(suffix in text for suffix in suffixes):
        return []
    return [number for number, name in enumerate(names) if name.endswith(suffixes)]


def total_sizes(columns: Columns) -> tuple[int, int]:
    """Return (size, allocated) in bytes of all regular files, each inode counted once."""
    linked = {}
    size, allocated = sum(columns.sizes_bytes), sum(columns.allocated_bytes)
    numbers = range(len(columns.artifacts))
    odd = {
        *compress(numbers, map(ne, columns.links, repeat(1))),
        *compress(numbers, map(is_not, columns.kinds, repeat(_REGULAR))),
    }
    for artifact in (columns.artifacts[number] for number in sorted(odd)):
        is_linked_file = artifact.kind in _FILES and artifact.links > 1
        if is_linked_file:
            linked[artifact.device, artifact.inode] = artifact
        if is_linked_file or artifact.kind not in _FILES:
            size -= artifact.size_bytes
            allocated -= artifact.allocated_bytes
    others = linked.values()
    return (
        size + sum(each.size_bytes for each in others),
        allocated + sum(each.allocated_bytes for each in others),
    )
