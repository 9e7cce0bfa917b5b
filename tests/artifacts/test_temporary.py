from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.artifacts.temporary import Temporary, is_temporary, temporary_name
from pytest_causal.errors import ArtifactError


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Temporary]:
    name = temporary_name()
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with Temporary(
        "", name, folder, os.open(tmp_path / name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    ) as temporary:
        yield temporary


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".causal-0123456789abcdef.tmp", True),
        ("a/b/.causal-0123456789abcdef.tmp", True),
        (".causal-0123456789abcdeg.tmp", False),
        (".causal-0123456789abcdef.tmp.json", False),
        ("causal-0123456789abcdef.tmp", False),
        (".causal-0123456789abcdef.tmp\n", False),
    ],
)
def test_only_our_own_temporary_names_are_recognised(name: str, expected: bool) -> None:
    assert is_temporary(name) is expected


def test_names_are_new_and_known_as_ours() -> None:
    names = [temporary_name() for _ in range(100)]
    assert len(set(names)) == 100
    assert all(map(is_temporary, names))


def test_what_is_written_is_all_there_and_zeros_take_no_place(made: Temporary, tmp_path: Path) -> None:
    made.write(b"head")
    made.write_zeros(1 << 20)
    made.write(memoryview(b"tail"))
    made.start_writeback()
    assert (tmp_path / made.name).read_bytes() == b"head" + bytes(1 << 20) + b"tail"
    assert os.fstat(made.descriptor).st_blocks * 512 < 1 << 19


def test_a_file_that_was_given_no_name_is_removed_and_one_that_was_stays(tmp_path: Path) -> None:
    for is_named in (False, True):
        name = temporary_name()
        folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        descriptor = os.open(tmp_path / name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        with Temporary("", name, folder, descriptor) as temporary:
            temporary.is_named = is_named
        assert (tmp_path / name).exists() is is_named
        for closed in (folder, descriptor):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(closed)


def test_r3_a_full_disk_is_an_error_that_says_where(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with (
        Temporary("soak/a", "gone", folder, os.open("/dev/full", os.O_RDWR)) as temporary,
        pytest.raises(ArtifactError, match="cannot write in soak/a: No space left on device"),
    ):
        temporary.write(b"x")
