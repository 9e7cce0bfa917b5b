from __future__ import annotations

from pathlib import Path

import pytest

from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.retrieval import find_holder, list_compressed, read_content, restore
from pytest_causal.errors import DataError, MissingInputError, NameTakenError, UsageError
from pytest_causal.model.artifact import FileKind
from tests.artifacts.children.rotation_tree import fill, lost, rotate, write


@pytest.fixture
def rotated(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    contents = fill(tmp_path / "root")
    rotate(tmp_path / "root")
    return tmp_path / "root", contents


def content(root: Path, name: str) -> bytes:
    with Root.open(root) as opened:
        return b"".join(read_content(opened, find_holder(opened, name)))


def test_content_is_found_wherever_it_is(rotated: tuple[Path, dict[str, bytes]]) -> None:
    root, contents = rotated
    with Root.open(root) as opened:
        kinds = {find_holder(opened, name).kind for name in contents}
    assert kinds == {FileKind.REGULAR, FileKind.FRAME, FileKind.ARCHIVE}
    assert lost(root, contents) == []


def test_the_name_of_a_frame_stands_for_what_is_in_it(rotated: tuple[Path, dict[str, bytes]]) -> None:
    root, contents = rotated
    assert content(root, "run/journal_0.jsonl.zst") == contents["run/journal_0.jsonl"]


def test_of_two_archives_the_one_of_the_latest_day_is_read(tmp_path: Path) -> None:
    for days_old in (9, 5):
        for number in range(6):
            write(
                tmp_path / f"ITER_SUMMARY_{number}.json",
                f"{days_old} {number}".encode() * 200,
                days_old=days_old,
            )
        rotate(tmp_path)
    assert len(list(tmp_path.glob("*.tar.zst"))) == 2
    assert content(tmp_path, "ITER_SUMMARY_1.json") == b"5 1" * 200


@pytest.mark.parametrize("name", ["nothing.json", "run", "run/ITER_SUMMARY_99.json"])
def test_what_nothing_holds_is_missing(rotated: tuple[Path, dict[str, bytes]], name: str) -> None:
    with pytest.raises(MissingInputError, match="compressed or not"):
        content(rotated[0], name)


@pytest.mark.parametrize("name", ["../root/run/a", "/etc/passwd", "run/../../x", ""])
def test_r10_a_name_that_leaves_the_root_is_refused(
    rotated: tuple[Path, dict[str, bytes]], name: str
) -> None:
    with pytest.raises((UsageError, MissingInputError)):
        content(rotated[0], name)


def test_a_damaged_frame_is_bad_data(rotated: tuple[Path, dict[str, bytes]]) -> None:
    path = rotated[0] / "run" / "journal_0.jsonl.zst"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError):
        content(rotated[0], "run/journal_0.jsonl")


def test_all_comes_back_with_its_content_mode_and_time(rotated: tuple[Path, dict[str, bytes]]) -> None:
    root, contents = rotated
    with Root.open(root) as opened:
        names = [each.name for each in list_compressed(opened)]
        restored = [name for each in names for name in restore(opened, each)]
    assert restored == names
    assert len(names) == 9
    times = {(root / name).stat().st_mtime_ns for name in names}
    assert len(times) == 1
    assert {name: (root / name).read_bytes() for name in contents} == contents


def test_an_archive_is_restored_as_a_whole(rotated: tuple[Path, dict[str, bytes]]) -> None:
    root, _ = rotated
    (archive,) = root.glob("run/*.tar.zst")
    with Root.open(root) as opened:
        assert len(restore(opened, f"run/{archive.name}")) == 6
        assert restore(opened, f"run/{archive.name}") == [], "all are there already"


def test_a_file_that_is_there_is_never_replaced(rotated: tuple[Path, dict[str, bytes]]) -> None:
    root, _ = rotated
    (root / "run" / "journal_0.jsonl").write_text("newer")
    with Root.open(root) as opened, pytest.raises(NameTakenError):
        restore(opened, "run/journal_0.jsonl")
    assert (root / "run" / "journal_0.jsonl").read_text() == "newer"
