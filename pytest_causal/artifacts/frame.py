"""One large file as one zstd frame, ``NAME.zst``, that the ordinary ``zstd`` tool opens.

A frame appears under its name only after it was read back and its content was, byte for byte, that of the original.
The original is left to the caller. Memory does not grow with the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pytest_causal.artifacts.codec import (
    BLOCK_BYTES,
    compressor,
    decompressor,
    frame_content,
    promised_bytes,
)
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.temporary import Temporary
from pytest_causal.errors import ArtifactError, ChangedError, DataError, MissingInputError, UsageError
from pytest_causal.model.artifact import FRAME_SUFFIX, Artifact, FileKind

if TYPE_CHECKING:
    import zstandard

LIMIT_BYTES = 16 << 30
"""How much content a frame may hold where the caller does not say otherwise. A bomb of 32 KB can hold a gigabyte."""

WHOLE_BYTES = 32 << 20
"""A file of at most this size is read whole and compressed by one call. That takes a fifth less time than compressing
a stream of blocks, each of which the codec first copies into its window."""

_HOLE = bytes(BLOCK_BYTES)


class FrameResult(NamedTuple):
    """A file that was written, by its name below the root, and the sizes of the content and of the frame."""

    name: str
    original_bytes: int
    compressed_bytes: int


class VerifiedFrame(NamedTuple):
    """A frame that was read to its end: both sizes, and the SHA-256 (hex) of the content."""

    name: str
    original_bytes: int
    compressed_bytes: int
    sha256: str


class Workspace(threading.local):
    """What compressing needs memory for, kept from file to file; each thread that uses it has its own.

    Touching 20 MB of new memory takes the system a fifth as long as compressing them takes us.
    """

    def __init__(self) -> None:
        self._content = bytearray()
        self._compressors: dict[tuple[int, int], zstandard.ZstdCompressor] = {}
        self._decompressor: zstandard.ZstdDecompressor | None = None

    def content(self, size_bytes: int) -> memoryview:
        """Return room for the content of a file; what it was given for before is gone."""
        if len(self._content) < size_bytes:
            self._content = bytearray(1 << (size_bytes - 1).bit_length())
        return memoryview(self._content)[:size_bytes]

    def compressor(self, level: int, threads: int) -> zstandard.ZstdCompressor:
        """Return a compressor, as of :func:`codec.compressor`."""
        key = level, threads
        if key not in self._compressors:
            self._compressors[key] = compressor(level, threads)
        return self._compressors[key]

    def decompressor(self) -> zstandard.ZstdDecompressor:
        """Return a decompressor, as of :func:`codec.decompressor`."""
        if self._decompressor is None:
            self._decompressor = decompressor()
        return self._decompressor


def compress_file(
    root: Root, artifact: Artifact, *, level: int, threads: int = 0, workspace: Workspace | None = None
) -> FrameResult | None:
    """Write ``NAME.zst`` beside a file, verified and synced, with the file's permissions and time.

    ``None``, and nothing is written, where the frame would not be smaller than the file. ``threads`` beyond 0 compress
    this one file on several cores; it is quicker to compress several files at once, each in a thread of the caller.
    A ``workspace`` makes many files quicker.

    Raises :class:`ChangedError` where the file is not, or does not stay, what its listing says,
    :class:`NameTakenError` where ``NAME.zst`` exists, :class:`ArtifactError` where the file system refuses.
    """
    name = artifact.name + FRAME_SUFFIX
    space = workspace or Workspace()
    with root.create_temporary(_folder(name)) as temporary:
        made = space.compressor(level, threads)
        written = write_frame(root, artifact, temporary, compressor=made, workspace=space)
        if written.compressed_bytes >= written.original_bytes:
            return None
        temporary.start_writeback()
        _compare_content(root, artifact, temporary.descriptor, space.decompressor())
        root.check(artifact)
        root.commit(temporary, name, mode=artifact.mode, mtime_ns=artifact.mtime_ns)
    return written


def write_frame(
    root: Root,
    artifact: Artifact,
    temporary: Temporary,
    *,
    compressor: zstandard.ZstdCompressor,
    workspace: Workspace,
) -> FrameResult:
    """Compress a file into a temporary one, neither verified nor synced; raises as :func:`compress_file` does."""
    with _open(root, artifact) as descriptor:
        if artifact.size_bytes <= WHOLE_BYTES:
            temporary.write(compressor.compress(_whole(descriptor, artifact, workspace)))
        else:
            stream = compressor.compressobj(size=artifact.size_bytes)
            for block in _blocks(descriptor, artifact):
                temporary.write(stream.compress(block))
            temporary.write(stream.flush())
        root.check_open(artifact, descriptor)
    return FrameResult(
        name=artifact.name + FRAME_SUFFIX,
        original_bytes=artifact.size_bytes,
        compressed_bytes=os.fstat(temporary.descriptor).st_size,
    )


def verify_frame(root: Root, name: str, *, limit_bytes: int = LIMIT_BYTES) -> VerifiedFrame:
    """Read a ``.zst`` file to its end and return what it holds.

    Raises :class:`MissingInputError` where there is none, and :class:`DataError` where it is no single whole frame that
    says its size and its checksum, or holds more than ``limit_bytes``.
    """
    with _open_frame(root, name, limit_bytes) as (artifact, descriptor, content_bytes):
        digest = hashlib.sha256()
        for piece in frame_content(descriptor, content_bytes, name):
            digest.update(piece)
    return VerifiedFrame(name, content_bytes, artifact.size_bytes, digest.hexdigest())


def read_frame(root: Root, name: str, *, limit_bytes: int = LIMIT_BYTES) -> Iterator[bytes]:
    """Yield the content of a ``.zst`` file in pieces; raises as :func:`verify_frame` does.

    A file that is cut off or followed by garbage is refused before the first piece. Content that does not fit its
    checksum is noticed after the last one.
    """
    with _open_frame(root, name, limit_bytes) as (_, descriptor, content_bytes):
        yield from frame_content(descriptor, content_bytes, name)


def restore_file(root: Root, name: str, *, limit_bytes: int = LIMIT_BYTES) -> FrameResult:
    """Write what ``NAME.zst`` holds as ``NAME`` beside it, with its permissions and time, and leave the frame there.

    Blocks of zeros become holes. The result names the restored file. Raises as :func:`verify_frame` does, also
    :class:`NameTakenError` where ``NAME`` exists and :class:`ArtifactError` where the disk has no room.
    """
    final_name = name.removesuffix(FRAME_SUFFIX)
    with (
        _open_frame(root, name, limit_bytes) as (artifact, descriptor, content_bytes),
        root.create_temporary(_folder(name)) as temporary,
    ):
        if content_bytes > (free_bytes := root.free_bytes()):
            raise ArtifactError(f"{name} holds {content_bytes} bytes, {free_bytes} are free", "make room")
        for piece in frame_content(descriptor, content_bytes, name):
            if piece == _HOLE:
                temporary.write_zeros(len(piece))
            else:
                temporary.write(piece)
        root.commit(temporary, final_name, mode=artifact.mode, mtime_ns=artifact.mtime_ns)
    return FrameResult(final_name, content_bytes, artifact.size_bytes)


def hash_file(root: Root, artifact: Artifact) -> str:
    """Return the SHA-256 (hex) of a file, to be compared with that of a frame; raises :class:`ChangedError`."""
    digest = hashlib.sha256()
    with _open(root, artifact) as descriptor:
        for block in _blocks(descriptor, artifact):
            digest.update(block)
        root.check_open(artifact, descriptor)
    return digest.hexdigest()


@contextlib.contextmanager
def _open(root: Root, artifact: Artifact) -> Iterator[int]:
    descriptor = root.open_read(artifact)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _open_frame(root: Root, name: str, limit_bytes: int) -> Iterator[tuple[Artifact, int, int]]:
    """Open a ``.zst`` file and yield what it is, its descriptor, and how much it promises to hold."""
    artifact = root.look_up(name)
    if artifact is None:
        raise MissingInputError(f"there is no {name} in {root.path}", "check the name")
    if artifact.kind is not FileKind.FRAME:
        raise UsageError(f"{name} is no file that ends in {FRAME_SUFFIX}", "name a compressed file")
    with _open(root, artifact) as descriptor:
        content_bytes = promised_bytes(descriptor, name)
        if content_bytes > limit_bytes:
            raise DataError(
                f"{name} holds {content_bytes} bytes, more than the limit of {limit_bytes}",
                "raise the limit if you trust it",
            )
        yield artifact, descriptor, content_bytes


def _compare_content(
    root: Root, artifact: Artifact, frame: int, decompressor: zstandard.ZstdDecompressor
) -> None:
    """Raise :class:`ArtifactError` unless an open frame holds what the file of the listing does."""
    name = artifact.name + FRAME_SUFFIX
    at = 0
    with _open(root, artifact) as original:
        for piece in frame_content(frame, promised_bytes(frame, name), name, decompressor):
            if os.pread(original, len(piece), at) != piece:
                break
            at += len(piece)
        root.check_open(artifact, original)
    if at != artifact.size_bytes:
        raise ArtifactError(f"{name} was not read back as it was written", "check the disk and the memory")


def _whole(descriptor: int, artifact: Artifact, workspace: Workspace) -> memoryview:
    """Return exactly the bytes that the listing promises."""
    content = workspace.content(artifact.size_bytes)
    at = 0
    while at < artifact.size_bytes:
        at += _read_some(descriptor, artifact, content[at:])
    return content


def _blocks(descriptor: int, artifact: Artifact) -> Iterator[memoryview]:
    """Yield exactly the bytes that the listing promises; each block is valid until the next is asked for."""
    block = memoryview(bytearray(min(BLOCK_BYTES, artifact.size_bytes)))
    left = artifact.size_bytes
    while left:
        size = _read_some(descriptor, artifact, block[: min(left, BLOCK_BYTES)])
        left -= size
        yield block[:size]


def _read_some(descriptor: int, artifact: Artifact, into: memoryview) -> int:
    """Read on in a file and return how many bytes came; raises :class:`ChangedError` where there are none left."""
    size = os.readv(descriptor, [into])
    if not size:
        raise ChangedError(f"{artifact.name} became shorter while it was read", "it is left as it is")
    return size


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
