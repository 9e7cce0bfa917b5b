"""Finding what a name once stood for: the file itself, its frame, or its place in an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from pytest_causal.artifacts.archive import list_archive, read_member, restore_members
from pytest_causal.artifacts.archive_index import MEMBER_LIMIT_BYTES
from pytest_causal.artifacts.codec import BLOCK_BYTES
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.frame import read_frame, restore_file
from pytest_causal.errors import MissingInputError, NameTakenError
from pytest_causal.model.artifact import ARCHIVE_SUFFIX, FRAME_SUFFIX, FileKind
from pytest_causal.rules.artifact_classes import archive_day

_REGULAR = (FileKind.REGULAR, FileKind.FRAME, FileKind.ARCHIVE)


class Holder(NamedTuple):
    """The file that holds what a name stands for; ``member`` is the name within, of an archive."""

    name: str
    kind: FileKind
    member: str = ""


class Compressed(NamedTuple):
    """A file that can be brought back, by its name below the root."""

    name: str
    size_bytes: int | None
    holder: str


def find_holder(root: Root, name: str) -> Holder:
    """Return what holds the content of a name; of several archives that of the latest day.

    The name of a frame stands for what is in it. Raises MissingInputError where nothing holds it.
    """
    plain = name.removesuffix(FRAME_SUFFIX)
    if name == plain and (present := root.look_up(name)) and present.kind is FileKind.REGULAR:
        return Holder(name, FileKind.REGULAR)
    frame = plain + FRAME_SUFFIX
    if (present := root.look_up(frame)) and present.kind is FileKind.FRAME:
        return Holder(frame, FileKind.FRAME)
    folder, _, last = name.rpartition("/")
    for archive in _archives(root, folder):
        if any(member.name == last for member in list_archive(root, archive)):
            return Holder(archive, FileKind.ARCHIVE, last)
    raise MissingInputError(
        f"there is no {name} in {root.path}, compressed or not", "see: causal rotate list"
    )


def read_content(root: Root, holder: Holder) -> Iterator[bytes]:
    """Yield the content in pieces. Raises DataError for a damaged or hostile archive, within stated limits."""
    if holder.kind is FileKind.FRAME:
        yield from read_frame(root, holder.name)
    elif holder.kind is FileKind.ARCHIVE:
        yield read_member(root, holder.name, holder.member, limit_bytes=MEMBER_LIMIT_BYTES)
    else:
        descriptor = root.open_own(holder.name, os.O_RDONLY)
        try:
            while piece := os.read(descriptor, BLOCK_BYTES):
                yield piece
        finally:
            os.close(descriptor)


def restore(root: Root, name: str) -> list[str]:
    """Bring a file back under its name, or all members of an archive; return the names. What holds them stays.

    Raises NameTakenError where a file is there already, MissingInputError where nothing holds the name.
    """
    if name.endswith(ARCHIVE_SUFFIX):
        return list(restore_members(root, name).restored)
    holder = find_holder(root, name)
    if holder.kind is FileKind.REGULAR:
        raise NameTakenError(f"{name} is there already", "nothing was done")
    if holder.kind is FileKind.FRAME:
        return [restore_file(root, holder.name).name]
    return list(restore_members(root, holder.name, [holder.member]).restored)


def list_compressed(root: Root) -> list[Compressed]:
    """Return every file that can be brought back, by name. A frame's size is known only by reading it: ``None``."""
    found = []
    for artifact in root.list():
        if artifact.kind is FileKind.FRAME:
            found.append(Compressed(artifact.name.removesuffix(FRAME_SUFFIX), None, artifact.name))
        elif artifact.kind is FileKind.ARCHIVE and archive_day(artifact.name):
            folder, slash, _ = artifact.name.rpartition("/")
            found += [
                Compressed(f"{folder}{slash}{member.name}", member.size_bytes, artifact.name)
                for member in list_archive(root, artifact.name)
            ]
    return sorted(found, key=lambda each: (each.name, each.holder))


def _archives(root: Root, folder: str) -> list[str]:
    """Return the archives of ours in a folder, the latest day first."""
    found = [
        (day, artifact.name)
        for artifact in root.list(lambda unreadable, error: None)
        if artifact.kind is FileKind.ARCHIVE
        and artifact.name.rpartition("/")[0] == folder
        and (day := archive_day(artifact.name))
    ]
    return [name for _, name in sorted(found, reverse=True)]
