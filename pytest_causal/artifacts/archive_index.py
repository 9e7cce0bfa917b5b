"""The format of an archive: a tar stream in small zstd frames, and behind them an index of what each frame holds.

::

    frame | frame | ... | skippable frame: compressed index, its length, marker

Each frame holds whole members, header and padding included, and can be read alone. ``zstd -dc X | tar -x`` passes over
the skippable frame and sees one tar stream. The index says what that stream must be to the byte: a reader makes each
tar header anew and compares, so that a header and the index cannot tell two stories, and no tar parser is fed.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_causal.artifacts.codec import compressor, damaged, decode
from pytest_causal.artifacts.directory import is_inside
from pytest_causal.errors import ArtifactError

SCHEMA = "causal.archive/1"
MEMBER_LIMIT_BYTES = 1 << 20
"""A larger file is worth a frame of its own."""
MAX_PIECE_BYTES = 2 << 20
"""Of the tar stream in one frame."""
MAX_MEMBERS = 50_000
MAX_INDEX_BYTES = 8 << 20
"""Of the index, decoded. With the limits above it bounds what a hostile archive makes its reader hold."""

_END_OF_TAR = bytes(1024)
_TAR_BLOCK = 512
_MAX_TAR_NAME = 100
_MAX_TAR_SECONDS = 0o77777777777
_SKIPPABLE = struct.Struct("<II")
_SKIPPABLE_MAGIC = 0x184D2A5C
_FOOTER = struct.Struct("<I8s")
_MARKER = b"CAUSALX1"
_USTAR = bytes(100) + b"ustar  \0"
_SUM_OF_USTAR = sum(_USTAR)


class Member(NamedTuple):
    """One file in an archive; the name is relative to the archive's folder."""

    name: str
    size_bytes: int
    mode: int
    mtime_ns: int


class Piece(NamedTuple):
    """One frame of an archive: where it lies in the file, the SHA-256 (hex) of its tar stream, and its members."""

    start: int
    compressed_bytes: int
    sha256: str
    members: tuple[Member, ...]


class Index(NamedTuple):
    """What an archive holds, in the order of its tar stream."""

    pieces: tuple[Piece, ...]

    @property
    def members(self) -> list[Member]:
        """All members, in their order."""
        return [member for piece in self.pieces for member in piece.members]


def tar_entry(member: Member, data: bytes) -> bytes:
    """Return header, content and padding of one member."""
    return b"".join((tar_header(member), data, bytes(-len(data) % _TAR_BLOCK)))


def tar_header(member: Member) -> bytes:
    """Return the GNU tar header of a member. A time that tar cannot hold is its nearest; the index has the true one."""
    name = os.fsencode(member.name)
    seconds = min(max(member.mtime_ns // 10**9, 0), _MAX_TAR_SECONDS)
    header = _header_block(name[:_MAX_TAR_NAME], member.mode, member.size_bytes, seconds, b"0")
    if len(name) <= _MAX_TAR_NAME:
        return header
    long_name = name + b"\0"
    return b"".join(
        (
            _header_block(b"././@LongLink", 0, len(long_name), 0, b"L"),
            long_name,
            bytes(-len(long_name) % _TAR_BLOCK),
            header,
        )
    )


def end_of_tar(piece: int, pieces: int) -> bytes:
    """Return what follows the members in a frame, given its number from 0: the last one ends the tar stream."""
    return _END_OF_TAR if piece == pieces - 1 else b""


def entry_bytes(member: Member) -> int:
    """Return how long the tar entry of a member is."""
    name = member.name
    name_bytes = len(name) if name.isascii() else len(os.fsencode(name))
    long_name_bytes = 0 if name_bytes <= _MAX_TAR_NAME else _TAR_BLOCK + _padded(name_bytes + 1)
    return long_name_bytes + _TAR_BLOCK + _padded(member.size_bytes)


def encode_index(index: Index, level: int) -> bytes:
    """Return the skippable frame that ends an archive. Raises :class:`ArtifactError` where it would be too large."""
    document = {
        "schema": SCHEMA,
        "frames": [
            {"bytes": piece.compressed_bytes, "sha256": piece.sha256, "members": piece.members}
            for piece in index.pieces
        ],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
    if len(text) > MAX_INDEX_BYTES or len(index.members) > MAX_MEMBERS:
        raise ArtifactError("too many files for one archive", "make several")
    packed = compressor(level).compress(text)
    size = len(packed) + _FOOTER.size
    return _SKIPPABLE.pack(_SKIPPABLE_MAGIC, size) + packed + _FOOTER.pack(len(packed), _MARKER)


def read_index(descriptor: int, name: str) -> Index:
    """Read the index of an open archive.

    Raises :class:`DataError`, which speaks of ``name``, unless it is whole, accounts for every byte of the file, and
    names each member once and inside the archive's folder.
    """
    file_bytes = os.fstat(descriptor).st_size
    footer = os.pread(descriptor, _FOOTER.size, max(file_bytes - _FOOTER.size, 0))
    if len(footer) < _FOOTER.size or not footer.endswith(_MARKER):
        raise damaged(name, "it does not end with an index")
    packed_bytes, _ = _FOOTER.unpack(footer)
    start = file_bytes - _FOOTER.size - packed_bytes - _SKIPPABLE.size
    if start < 0 or packed_bytes > MAX_INDEX_BYTES:
        raise damaged(name, "its index is longer than it can be")
    frame = os.pread(descriptor, _SKIPPABLE.size + packed_bytes, start)
    if frame[: _SKIPPABLE.size] != _SKIPPABLE.pack(_SKIPPABLE_MAGIC, packed_bytes + _FOOTER.size):
        raise damaged(name, "its index does not begin where it should")
    text = decode(frame[_SKIPPABLE.size :], limit_bytes=MAX_INDEX_BYTES, name=name)
    try:
        index = _parse(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise damaged(name, f"its index is not understood ({error})") from error
    if index.pieces[-1].start + index.pieces[-1].compressed_bytes != start:
        raise damaged(name, "its index does not account for all of the file")
    return index


def _padded(size_bytes: int) -> int:
    return size_bytes + -size_bytes % _TAR_BLOCK


def _header_block(name: bytes, mode: int, size_bytes: int, seconds: int, kind: bytes) -> bytes:
    before = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name.ljust(_MAX_TAR_NAME, b"\0"), mode, 0, 0, size_bytes, seconds,
    )  # fmt: skip
    after = (kind + _USTAR).ljust(_TAR_BLOCK - len(before) - 8, b"\0")
    checksum = sum(before) + 8 * ord(" ") + kind[0] + _SUM_OF_USTAR
    return before + b"%06o\0 " % checksum + after


def _parse(document: Any) -> Index:
    """Return the index that a JSON document describes; raises ValueError, TypeError or KeyError where it is wrong."""
    if document["schema"] != SCHEMA:
        raise ValueError("it has another schema")
    pieces: list[Piece] = []
    start = 0
    for each in document["frames"]:
        pieces.append(_piece(start, each))
        start += pieces[-1].compressed_bytes
    index = Index(tuple(pieces))
    names = [member.name for member in index.members]
    if not 0 < len(names) <= MAX_MEMBERS:
        raise ValueError("it has no members, or too many")
    if len(set(names)) != len(names):
        raise ValueError("it names a member twice")
    return index


def _piece(start: int, document: Any) -> Piece:
    members = tuple(_member(each) for each in document["members"])
    if not members:
        raise ValueError("it has a frame without members")
    return Piece(start, _number(document["bytes"], 1, MAX_PIECE_BYTES), _text(document["sha256"]), members)


def _member(fields: Sequence[Any]) -> Member:
    name, size_bytes, mode, mtime_ns = fields
    if not is_inside(_text(name)):
        raise ValueError("it names a member outside its folder")
    os.fsencode(name)  # a lone surrogate that no file name has raises UnicodeEncodeError, a ValueError
    return Member(
        name,
        _number(size_bytes, 0, MEMBER_LIMIT_BYTES),
        _number(mode, 0, 0o777),
        _number(mtime_ns, -(2**63), 2**63 - 1),
    )


def _number(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("a number is out of its bounds")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is something else")
    return value
