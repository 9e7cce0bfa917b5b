from __future__ import annotations

from pathlib import Path

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.settings.text_file import MAX_BYTES, read_bytes, read_text


def test_text_is_read_without_mark_and_with_plain_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    assert read_text(path) == "one\ntwo\n"


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * MAX_BYTES)
    assert len(read_bytes(path)) == MAX_BYTES
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="1024 KiB"):
        read_bytes(path)


def test_a_missing_file_is_told_apart_from_a_bad_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "absent")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_bytes(tmp_path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_bytes(Path("a\0b"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xfe\xff\x00a", ":1 is UTF-16"),
        (b"a\nb\n\x00", ":3 holds a NUL byte"),
        (b"a\n\xff", ":2 holds byte 0xff"),
        (b"price \x80", ":1 holds byte 0x80"),
    ],
)
def test_f2_what_is_not_utf8_is_refused_with_its_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_text(path)
