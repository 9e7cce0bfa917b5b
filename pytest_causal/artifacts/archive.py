"""Many small files in one archive, ``NAME.tar.zst``: compressed together, readable one by one.

Ten thousand files of 3 KB that are compressed one by one still take ten thousand blocks of the disk. Together they take
a seventh or less. An archive appears under its name only after it was read back and found equal to what was read from
the files. The files are left to the caller. ``zstd -dc NAME.tar.zst | tar -x`` opens it in the folder it lies in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, NamedTuple

from pytest_causal.artifacts.archive_index import (
    MAX_PIECE_BYTES,
    MEMBER_LIMIT_BYTES,
    Index,
    Member,
    Piece,
    encode_index,
    end_of_tar,
    entry_bytes,
    read_index,
    tar_entry,
    tar_header,
)
from pytest_causal.artifacts.codec import compressor, damaged, decode
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.frame import LIMIT_BYTES
from pytest_causal.artifacts.temporary import Temporary
from pytest_causal.errors import (
    ArtifactError,
    DataError,
    MissingInputError,
    NameTakenError,
    UsageError,
)
from pytest_causal.model.artifact import ARCHIVE_SUFFIX, Artifact, FileKind

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

PIECE_BYTES = 256 << 10
"""A frame is closed when its tar stream is this long. Smaller ones compress worse, larger ones make a single member
dearer to read (docs/decisions.md has the figures)."""


class ArchiveResult(NamedTuple):
    """What was put into an archive, by names below the root, and what was left out with the reason.

    ``sha256`` (hex) is that of the tar stream: of ``zstd -dc NAME``. Nothing was written where ``members`` is empty.
    """

    name: str
    members: tuple[str, ...]
    left: tuple[tuple[str, str], ...]
    original_bytes: int
    compressed_bytes: int
    sha256: str


class RestoreResult(NamedTuple):
    """Names below the root: what was written, and what was there already and was left as it is."""

    restored: tuple[str, ...]
    existing: tuple[str, ...]


def write_archive(root: Root, artifacts: Sequence[Artifact], name: str, *, level: int) -> ArchiveResult:
    """Write an archive of files that lie in its folder or below, verified and synced.

    It gets the permissions that all its members grant, and the time of the newest. Files that are no longer what their
    listing says, or cannot be read, are left out and reported. Raises :class:`NameTakenError` where the name is taken,
    :class:`ArtifactError` where the file system refuses, and ValueError for a file over :data:`MEMBER_LIMIT_BYTES`.
    """
    from concurrent.futures import ThreadPoolExecutor  # readers need none

    folder = _folder(name)
    archived: list[Artifact] = []
    left: list[tuple[str, str]] = []
    with root.create_temporary(folder) as temporary, ThreadPoolExecutor(1) as packer:
        writer = _Writer(temporary, level, packer)
        members = [_member(artifact, folder) for artifact in artifacts]
        for member, (artifact, content) in zip(members, root.read_all(artifacts), strict=True):
            if isinstance(content, ArtifactError):
                left.append((artifact.name, str(content)))
            else:
                writer.add(member, content)
                archived.append(artifact)
        if archived:
            index = writer.finish()
            _verify(temporary.descriptor, name, index)
            root.commit(
                temporary,
                name,
                mode=reduce(and_, (each.mode for each in archived)) | 0o600,
                mtime_ns=max(each.mtime_ns for each in archived),
            )
        return ArchiveResult(
            name=name,
            members=tuple(each.name for each in archived),
            left=tuple(left),
            original_bytes=sum(each.size_bytes for each in archived),
            compressed_bytes=os.fstat(temporary.descriptor).st_size,
            sha256=writer.digest.hexdigest(),
        )


def list_archive(root: Root, archive: str) -> list[Member]:
    """Return what an archive holds, in its order, from its index alone.

    Raises :class:`MissingInputError` where there is no such file, :class:`DataError` where its index is damaged.
    """
    with _open(root, archive) as descriptor:
        return read_index(descriptor, archive).members


def read_member(root: Root, archive: str, member: str, *, limit_bytes: int = MEMBER_LIMIT_BYTES) -> bytes:
    """Return the content of one member, by its name in the archive; only its frame is decoded.

    Raises :class:`MissingInputError` where there is no such archive or member, and :class:`DataError` where the archive
    is damaged or the member is longer than ``limit_bytes``.
    """
    with _open(root, archive) as descriptor:
        index = read_index(descriptor, archive)
        for number, piece in enumerate(index.pieces):
            found = [each for each in piece.members if each.name == member]
            if found and found[0].size_bytes > limit_bytes:
                raise DataError(f"{member} is longer than {limit_bytes} bytes", "raise the limit")
            if found:
                return dict(_contents(descriptor, archive, index, number))[found[0]]
    raise MissingInputError(f"there is no {member} in {archive}", "list what it holds")


def read_members(root: Root, archive: str) -> Iterator[tuple[Member, bytes]]:
    """Yield every member with its content, one frame in memory at a time; raises as :func:`read_member` does."""
    with _open(root, archive) as descriptor:
        index = read_index(descriptor, archive)
        for number in range(len(index.pieces)):
            yield from _contents(descriptor, archive, index, number)


def restore_members(
    root: Root, archive: str, names: Collection[str] | None = None, *, limit_bytes: int = LIMIT_BYTES
) -> RestoreResult:
    """Write members (by their names in the archive; all without ``names``) where they came from, synced.

    Names are relative to the archive's folder, and folders are made where they are missing. A file that exists is never
    replaced. The archive stays. Raises as :func:`read_member` does, before anything is written where the index alone
    shows that the archive is hostile, too large, or lacks a name.
    """
    folder = _folder(archive)
    members = list_archive(root, archive)
    wanted = {each.name for each in members} if names is None else set(names)
    if missing := wanted - {each.name for each in members}:
        raise MissingInputError(f"there is no {min(missing)} in {archive}", "list what it holds")
    if (total := sum(each.size_bytes for each in members if each.name in wanted)) > limit_bytes:
        raise DataError(
            f"{archive} holds {total} bytes, more than the limit of {limit_bytes}", "raise the limit"
        )
    restored, existing = [], []
    for member, data in read_members(root, archive):
        if member.name in wanted:
            name = f"{folder}/{member.name}" if folder else member.name
            try:
                _restore(root, name, member, data)
            except NameTakenError:
                existing.append(name)
            else:
                restored.append(name)
    root.sync_all()
    return RestoreResult(tuple(restored), tuple(existing))


class _Writer:
    """Writes the frames of an archive, and then its index.

    A frame is compressed by ``packer``, which does one thing at a time, while the files of the next are read.
    """

    def __init__(self, temporary: Temporary, level: int, packer: Executor) -> None:
        self.digest = hashlib.sha256()
        self._temporary = temporary
        self._level = level
        self._packer = packer
        self._packing: Future[None] | None = None
        self._compressor = compressor(level)
        self._pieces: list[Piece] = []
        self._stream = bytearray()
        self._members: list[Member] = []

    def add(self, member: Member, data: bytes) -> None:
        if len(self._stream) >= PIECE_BYTES:
            self._end_piece()
        self._stream += tar_entry(member, data)
        self._members.append(member)

    def finish(self) -> Index:
        self._stream += end_of_tar(0, 1)
        self._end_piece()
        self._wait()
        index = Index(tuple(self._pieces))
        self._temporary.write(encode_index(index, self._level))
        return index

    def _end_piece(self) -> None:
        self._wait()  # so that two are in memory at most, and a full disk is told at the next
        self._packing = self._packer.submit(self._pack, bytes(self._stream), tuple(self._members))
        self._stream.clear()
        self._members.clear()

    def _wait(self) -> None:
        if self._packing is not None:
            self._packing.result()

    def _pack(self, stream: bytes, members: tuple[Member, ...]) -> None:
        packed = self._compressor.compress(stream)
        self._temporary.write(packed)
        self.digest.update(stream)
        start = self._pieces[-1].start + self._pieces[-1].compressed_bytes if self._pieces else 0
        self._pieces.append(Piece(start, len(packed), hashlib.sha256(stream).hexdigest(), members))


def _verify(descriptor: int, name: str, written: Index) -> None:
    """Read an archive back. Its frames must have the hashes of what was read from the files."""
    index = read_index(descriptor, name)
    if index != written:
        raise damaged(name, "its index was not read back as it was written")
    for number in range(len(index.pieces)):
        _stream(descriptor, name, index, number)


def _contents(descriptor: int, archive: str, index: Index, number: int) -> Iterator[tuple[Member, bytes]]:
    """Yield the members of one frame. Each must stand behind the very tar header that the index asks for."""
    stream = _stream(descriptor, archive, index, number)
    at = 0
    for member in index.pieces[number].members:
        header = tar_header(member)
        begin = at + len(header)
        if stream[at:begin] != header:
            raise damaged(archive, "its index and its tar headers disagree")
        yield member, stream[begin : begin + member.size_bytes]
        at += entry_bytes(member)


def _stream(descriptor: int, archive: str, index: Index, number: int) -> bytes:
    """Return the tar stream of one frame, after a look at its length, its end and its hash."""
    piece = index.pieces[number]
    end = end_of_tar(number, len(index.pieces))
    expected_bytes = sum(map(entry_bytes, piece.members)) + len(end)
    if expected_bytes > MAX_PIECE_BYTES:
        raise damaged(archive, "a frame holds more than it may")
    packed = os.pread(descriptor, piece.compressed_bytes, piece.start)
    stream = decode(packed, limit_bytes=expected_bytes, name=archive)
    if len(stream) != expected_bytes or not stream.endswith(end):
        raise damaged(archive, "a frame holds less than its index says")
    if hashlib.sha256(stream).hexdigest() != piece.sha256:
        raise damaged(archive, "a frame does not hold what was written")
    return stream


def _member(artifact: Artifact, folder: str) -> Member:
    prefix = f"{folder}/" if folder else ""
    if not artifact.name.startswith(prefix):
        raise ValueError(f"{artifact.name} does not lie below {folder}")
    if artifact.size_bytes > MEMBER_LIMIT_BYTES:
        raise ValueError(f"{artifact.name} is too large for an archive: {artifact.size_bytes} bytes")
    return Member(
        artifact.name.removeprefix(prefix), artifact.size_bytes, artifact.mode & 0o777, artifact.mtime_ns
    )


def _restore(root: Root, name: str, member: Member, data: bytes) -> None:
    if folder := _folder(name):
        root.make_folder(folder)
    with root.create_temporary(folder) as temporary:
        temporary.write(data)
        root.commit(temporary, name, mode=member.mode, mtime_ns=member.mtime_ns, durable=False)


@contextlib.contextmanager
def _open(root: Root, archive: str) -> Iterator[int]:
    artifact = root.look_up(archive)
    if artifact is None:
        raise MissingInputError(f"there is no {archive} in {root.path}", "check the name")
    if artifact.kind is not FileKind.ARCHIVE:
        raise UsageError(f"{archive} is no file that ends in {ARCHIVE_SUFFIX}", "name an archive")
    descriptor = root.open_read(artifact)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
