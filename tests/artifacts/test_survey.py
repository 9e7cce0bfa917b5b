from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from pytest_causal.artifacts import survey as survey_module
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.survey import Survey, measure, survey_root
from pytest_causal.model.artifact import RotationPolicy
from tests.artifacts.children.rotation_tree import NOW_US, fill, policy, rotate, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def survey(root: Path, rotation: RotationPolicy | None = None) -> Survey:
    with Root.open(root) as opened:
        return survey_root(opened, rotation or policy(), now_us=NOW_US, incompressible={})


def words(found: Survey) -> dict[str, str]:
    return {each.artifact.name: " ".join((each.action, *each.reasons)) for each in found.plan.actions}


def test_only_of_very_many_records_the_collector_is_told_to_leave_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root)
    frozen_before = gc.get_freeze_count()
    found = survey(root)
    assert gc.get_freeze_count() == frozen_before
    monkeypatch.setattr(survey_module, "_MANY_RECORDS", 0)
    try:
        assert survey(root) == found
        assert gc.get_freeze_count() > frozen_before
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_what_rotations_keep_for_themselves_is_no_part_of_it(root: Path) -> None:
    fill(root)
    before = survey(root)
    (root / "rotation").mkdir()
    (root / "rotation" / "ROTATION_LOG.jsonl").write_text("{}\n" * 1000)
    assert survey(root) == before


def test_a_half_written_file_that_is_the_second_name_of_a_whole_one_goes_and_the_other_stays(
    root: Path,
) -> None:
    write(root / "a.jsonl.zst", b"whole", days_old=5)
    os.link(root / "a.jsonl.zst", root / ".causal-0123456789abcdef.tmp")
    found = survey(root)
    assert words(found) == {
        ".causal-0123456789abcdef.tmp": "delete half-written",
        "a.jsonl.zst": "keep compressed",
    }
    rotate(root)
    assert sorted(path.name for path in root.iterdir()) == ["a.jsonl.zst", "rotation"]


def test_only_members_of_the_same_size_and_time_are_held_by_an_archive(root: Path) -> None:
    for number in range(6):
        write(root / f"ITER_SUMMARY_{number}.json", b"%d" % number * 500, days_old=5)
    rotate(root)
    write(root / "ITER_SUMMARY_0.json", b"0" * 500, days_old=5)
    write(root / "ITER_SUMMARY_1.json", b"1" * 501, days_old=5)
    write(root / "ITER_SUMMARY_2.json", b"2" * 500, days_old=5.1)
    write(root / "ITER_SUMMARY_3.json", b"3" * 500, days_old=4)
    (archive,) = (path.name for path in root.glob("*.tar.zst"))
    assert survey(root).plan.archived == {"ITER_SUMMARY_0.json": archive}


def test_an_archive_that_cannot_be_read_is_a_problem_and_stops_nothing(root: Path) -> None:
    name = "summaries.20260523.0-3.n4.00000000.tar.zst"
    write(root / name, b"damaged", days_old=5)
    write(root / "ITER_SUMMARY_0.json", b"0" * 500, days_old=5)
    found = survey(root)
    assert len(found.problems) == 1
    assert name in found.problems[0]
    assert set(words(found)) == {name, "ITER_SUMMARY_0.json"}


def test_the_size_is_that_of_what_is_there(root: Path) -> None:
    write(root / "a", b"x" * 5000, days_old=1)
    os.link(root / "a", root / "b")
    write(root / "rotation" / "ROTATION_LOG.jsonl", b"x" * 5000, days_old=1)
    with Root.open(root) as opened:
        assert measure(opened) == (5000, (root / "a").stat().st_blocks * 512)
