"""The zstd format: the codec, which is loaded on first use, and a strict way to read a frame from a file.

What the codec reads leniently is refused here: a frame that ends early (a stream reader of ``zstandard`` returns half
the content and no error), one that does not say how long its content is, and one that wants a larger window than the
ordinary ``zstd`` tool grants unasked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from pytest_causal.errors import ConfigError, DataError

if TYPE_CHECKING:
    import zstandard

BLOCK_BYTES = 256 << 10
"""How much is read and written at a time: two of them, of a file and its frame, stay in the cache of a core."""
MAX_WINDOW_BYTES = 128 << 20
"""The most memory that a frame may ask its reader to hold: the default of ``zstd -d``."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_HEADER_BYTES = 18
_CHECKSUM_BYTES = 4
_RAW, _REPEATED, _COMPRESSED = range(3)


def compressor(level: int, threads: int = 0) -> zstandard.ZstdCompressor:
    """Return a compressor whose frames carry a checksum and the size of their content.

    ``threads`` beyond 0 compress one file on several cores. Raises :class:`ConfigError` where the extra is missing.
    """
    codec = _codec()
    made: zstandard.ZstdCompressor = codec.ZstdCompressor(
        level=level, threads=threads, write_checksum=True, write_content_size=True
    )
    return made


def decompressor() -> zstandard.ZstdDecompressor:
    """Return a decompressor that holds no more memory than the ordinary tool grants a frame; raises ConfigError."""
    made: zstandard.ZstdDecompressor = _codec().ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    return made


def promised_bytes(descriptor: int, name: str) -> int:
    """Return how long the content of a file is that consists of one frame; its blocks are walked and none is decoded.

    Raises :class:`DataError`, which speaks of ``name``, where the file is no frame, is cut off, goes on behind the
    frame, or does not say the size or the checksum of its content. See RFC 8878, section 3.1.1.
    """
    codec = _codec()
    header = os.pread(descriptor, _MAX_HEADER_BYTES, 0)
    if not header.startswith(_MAGIC):
        raise damaged(name, "it does not begin as a zstd frame")
    try:
        parameters = codec.get_frame_parameters(header)
        blocks_begin = codec.frame_header_size(header)
    except codec.ZstdError as error:
        raise damaged(name, f"its header cannot be read ({error})") from error
    if parameters.content_size == codec.CONTENTSIZE_UNKNOWN or not parameters.has_checksum:
        raise damaged(name, "it does not say the size or the checksum of its content")
    if parameters.window_size > MAX_WINDOW_BYTES:
        raise damaged(name, f"it asks for a window of {parameters.window_size} bytes")
    end = _end_of_blocks(descriptor, blocks_begin, name) + _CHECKSUM_BYTES
    if end != (file_bytes := os.fstat(descriptor).st_size):
        raise damaged(name, "it is cut off" if end > file_bytes else "something follows the frame")
    content_bytes: int = parameters.content_size
    return content_bytes


def frame_content(
    descriptor: int, content_bytes: int, name: str, using: zstandard.ZstdDecompressor | None = None
) -> Iterator[bytes]:
    """Yield the content of a file that is one frame, in pieces of at most :data:`BLOCK_BYTES`.

    Never yields more than ``content_bytes``, which :func:`promised_bytes` tells; decodes with a new decompressor unless
    one is given. Raises :class:`DataError` where it
    holds less, more, or other content than its checksum says, which shows only at the end.
    """
    codec = _codec()
    left = content_bytes
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as source:
        reader = (using or decompressor()).stream_reader(source, read_size=BLOCK_BYTES, closefd=False)
        try:
            # When nothing is left it reads once more, for the checksum.
            while piece := reader.read(min(left, BLOCK_BYTES) or 1):
                if len(piece) > left:
                    raise damaged(name, "it holds more than it says")
                left -= len(piece)
                yield piece
        except codec.ZstdError as error:
            raise damaged(name, str(error)) from error
    if left:
        raise damaged(name, "it holds less than it says")


def decode(data: bytes, *, limit_bytes: int, name: str) -> bytes:
    """Return the content of one small frame that is held in memory.

    Raises :class:`DataError` unless the data are exactly one frame, whole, with size and checksum, of at most
    ``limit_bytes`` of content.
    """
    codec = _codec()
    try:
        parameters = codec.get_frame_parameters(data)
        if not parameters.has_checksum or parameters.content_size > limit_bytes:
            raise damaged(name, "a frame has no checksum, or holds more than it may")
        # The size that the header states, and which was just looked at, bounds what is allocated here.
        content: bytes = decompressor().decompress(data, allow_extra_data=False)
    except codec.ZstdError as error:
        raise damaged(name, str(error)) from error
    return content


def damaged(name: str, how: str) -> DataError:
    """Return the error for a compressed file that cannot be used."""
    return DataError(f"{name} is damaged or not ours: {how}", "nothing was written; look for another copy")


def _end_of_blocks(descriptor: int, at: int, name: str) -> int:
    while len(header := os.pread(descriptor, 3, at)) == 3:
        word = int.from_bytes(header, "little")
        is_last, kind, size = word & 1, word >> 1 & 3, word >> 3
        if kind not in (_RAW, _REPEATED, _COMPRESSED):
            raise damaged(name, "it holds a block of an unknown kind")
        at += 3 + (1 if kind == _REPEATED else size)
        if is_last:
            return at
    raise damaged(name, "it is cut off")


def _codec() -> ModuleType:
    try:
        import zstandard
    except ImportError:
        raise ConfigError(
            "compression needs the package zstandard", "install pytest-causal[artifacts]"
        ) from None
    return zstandard
