from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.artifacts.archive_index import (
    MAX_INDEX_BYTES,
    MAX_MEMBERS,
    MEMBER_LIMIT_BYTES,
    Index,
    Member,
    Piece,
    encode_index,
    entry_bytes,
    read_index,
    tar_entry,
    tar_header,
)
from pytest_causal.artifacts.codec import compressor, decode
from pytest_causal.errors import ArtifactError, DataError

MEMBER = Member("a.json", 3, 0o644, 10**18)
INDEX = Index(
    (Piece(0, 100, "0" * 64, (MEMBER,)), Piece(100, 50, "1" * 64, (MEMBER._replace(name="b/\udcff"),)))
)
BODY = bytes(150)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    descriptors = []

    def write(data: bytes) -> int:
        (tmp_path / "x").write_bytes(data)
        descriptors.append(os.open(tmp_path / "x", os.O_RDONLY))
        return descriptors[-1]

    yield write
    for descriptor in descriptors:
        os.close(descriptor)


def document(index: Index = INDEX) -> Any:
    """Return the JSON of an index as it stands in an archive."""
    encoded = encode_index(index, 3)
    return json.loads(decode(encoded[8:-12], limit_bytes=MAX_INDEX_BYTES, name="x"))


def ending(text: bytes) -> bytes:
    """Return what ends an archive whose index is this text."""
    packed = compressor(3).compress(text)
    head = (0x184D2A5C).to_bytes(4, "little") + (len(packed) + 12).to_bytes(4, "little")
    return head + packed + len(packed).to_bytes(4, "little") + b"CAUSALX1"


def altered(**changes: Any) -> bytes:
    """Return an ending whose first member, first frame or document has other fields."""
    found = document()
    for name, value in changes.items():
        place = {"member": found["frames"][0]["members"], "frames": found, "schema": found}.get(
            name, found["frames"][0]
        )
        place[0 if name == "member" else name] = value
    return ending(json.dumps(found).encode())


def test_an_index_comes_back(opened) -> None:
    assert ending(json.dumps(document()).encode()) == altered()
    assert read_index(opened(BODY + encode_index(INDEX, 3)), "x") == INDEX
    assert read_index(opened(BODY + altered()), "x") == INDEX


def test_an_index_fits_its_schema() -> None:
    schema = json.loads((resources.files("pytest_causal") / "schemas/archive.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(document())
    assert not validator.is_valid(document() | {"schema": "causal.archive/2"})


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "..", "../a", "a/../../b", "a//b", "./a", "a\0b", "\ud800", 7, None]
)
def test_t6_r10_a_member_outside_the_folder_is_refused(opened, name: Any) -> None:
    with pytest.raises(DataError, match="index is not understood"):
        read_index(opened(BODY + altered(member=[name, 3, 0o644, 0])), "x")


@pytest.mark.parametrize(
    "change",
    [
        {"member": ["a", MEMBER_LIMIT_BYTES + 1, 0o644, 0]},
        {"member": ["a", -1, 0o644, 0]},
        {"member": ["a", True, 0o644, 0]},
        {"member": ["a", 3.0, 0o644, 0]},
        {"member": ["a", 3, 0o4755, 0]},
        {"member": ["a", 3, 0o644, 2**63]},
        {"member": ["a", 3, 0o644]},
        {"member": ["a", 3, 0o644, 0, 0]},
        {"member": "name"},
        {"bytes": 0},
        {"bytes": -1},
        {"bytes": 1 << 40},
        {"sha256": 7},
        {"members": {}},
        {"members": [["b/\udcff", 3, 0o644, 0]]},  # named twice
        {"frames": []},
        {"frames": {}},
        {"schema": "causal.archive/2"},
        {"members": []},
    ],
    ids=repr,
)
def test_r10_an_index_out_of_its_bounds_is_refused(opened, change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"x is damaged .* index is not understood"):
        read_index(opened(BODY + altered(**change)), "x")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"schema": ' + b"9" * 5000 + b"}",
        b"\xff",
        b"NaN",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_r10_an_index_that_is_no_index_is_refused(opened, text: bytes) -> None:
    with pytest.raises(DataError, match="index is not understood"):
        read_index(opened(BODY + ending(text)), "x")


def test_t8_an_index_that_is_a_bomb_is_refused(opened) -> None:
    bomb = ending(b" " * (MAX_INDEX_BYTES + 1))
    assert len(bomb) < 2000
    with pytest.raises(DataError, match="holds more than it may"):
        read_index(opened(BODY + bomb), "x")


@pytest.mark.parametrize("cut", [1, 4, 8, 12, 13, 60])
def test_r10_an_index_that_is_cut_off_is_refused(opened, cut: int) -> None:
    data = BODY + encode_index(INDEX, 3)
    for part in (data[:-cut], data[cut:], BODY[:10], b""):
        with pytest.raises(DataError, match="x is damaged"):
            read_index(opened(part), "x")


def test_an_index_that_leaves_bytes_unexplained_is_refused(opened) -> None:
    for body in (BODY + b"x", BODY[1:]):
        with pytest.raises(DataError, match="account for all"):
            read_index(opened(body + encode_index(INDEX, 3)), "x")


@pytest.mark.parametrize(
    "index",
    [
        Index((Piece(0, 1, "", tuple(Member(str(n), 0, 0, 0) for n in range(MAX_MEMBERS + 1))),)),
        Index((Piece(0, 1, "", tuple(Member(f"{n}{'x' * 4000}", 0, 0, 0) for n in range(2200))),)),
    ],
    ids=["members", "bytes"],
)
def test_an_index_that_no_reader_would_take_is_not_written(index: Index) -> None:
    with pytest.raises(ArtifactError, match="make several"):
        encode_index(index, 3)


TAR_NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=150
).filter(
    lambda name: not name.endswith("/")  # tar itself drops it
)


@given(
    name=TAR_NAMES,
    data=st.binary(max_size=2000),
    mode=st.integers(0, 0o777),
    mtime_ns=st.integers(0, 8**11 * 10**9 - 1),
)
def test_the_tar_reader_of_the_standard_library_reads_every_entry(
    name: str, data: bytes, mode: int, mtime_ns: int
) -> None:
    member = Member(name, len(data), mode, mtime_ns)
    entry = tar_entry(member, data)
    assert len(entry) == entry_bytes(member)
    assert entry.startswith(tar_header(member))
    with tarfile.open(fileobj=io.BytesIO(entry + bytes(1024))) as tar:
        (found,) = tar.getmembers()
        content = tar.extractfile(found)
        assert content is not None
        assert content.read() == data
    assert found.isreg()
    assert (found.name, found.mode, found.mtime) == (name, mode, mtime_ns // 10**9)


@pytest.mark.parametrize(("mtime_ns", "seconds"), [(-1, 0), (-(2**63), 0), (2**63 - 1, 8**11 - 1)])
def test_a_time_that_tar_cannot_hold_is_its_nearest(mtime_ns: int, seconds: int) -> None:
    header = tar_header(MEMBER._replace(mtime_ns=mtime_ns))
    assert tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").mtime == min(seconds, 2**63 // 10**9)
