from __future__ import annotations

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.model.artifact import Artifact, ArtifactClass, FileKind
from pytest_causal.rules.artifact_classes import (
    Classifier,
    archive_day,
    day_words,
    name_archive,
    without_members,
)
from pytest_causal.rules.rotation_presets import SOAK_CLASSES

DAY_NS = 86_400 * 10**9


def place(name: str, *classes: ArtifactClass, kind: FileKind = FileKind.REGULAR) -> object:
    return Classifier(classes or SOAK_CLASSES).place(name, name.rpartition("/")[2], kind)


def a_class(*patterns: str, iteration: str = "") -> ArtifactClass:
    return ArtifactClass(name="files", patterns=patterns, iteration=iteration)


def an_artifact(name: str, mtime_ns: int = 20_000 * DAY_NS) -> Artifact:
    return Artifact(name, 10, 4096, mtime_ns, 0o644, 1, 1, 1, 0, FileKind.REGULAR)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.json", ["a.json", "x/y/a.json", ".json", "a\nb.json"], ["a.jsonl", "a.json/b", "a.json.bak"]),
        ("run_?/*.log", ["run_1/a.log"], ["run_10/a.log", "x/run_1/a.log", "run_1/b/a.log", "a.log"]),
        ("**/latest/*", ["latest/a", "x/y/latest/a"], ["latest", "latest/x/a", "notlatest/a"]),
        ("deep/**", ["deep/a", "deep/a/b"], ["deep", "x/deep/a"]),
        ("a[1].txt", ["a[1].txt"], ["a1.txt"]),
        ("a+(b).txt", ["a+(b).txt"], ["aab.txt"]),
    ],
)
def test_a_pattern_speaks_of_the_last_part_or_of_the_whole_name(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    assert [name for name in matching if place(name, a_class(pattern)) is None] == []
    assert [name for name in others if place(name, a_class(pattern)) is not None] == []


def test_the_first_class_that_matches_takes_a_file() -> None:
    first, second = a_class("*.json"), ArtifactClass(name="all", patterns=("*",))
    assert place("a.json", first, second) == (0, -1, 1)
    assert place("a.txt", first, second) == (1, -1, 1)


@pytest.mark.parametrize(
    ("name", "iteration"),
    [
        ("latest/ITER_SUMMARY_9.json", 9),
        ("latest/ITER_SUMMARY_10.json", 10),
        ("ITER_SUMMARY_007.json", 7),
        ("ITER_SUMMARY_final.json", None),
        ("ITER_SUMMARY_.json", None),
        ("ITER_SUMMARY_1_copy.json", None),
        ("ITER_SUMMARY_-1.json", None),
        ("ITER_SUMMARY_\u0661.json", None),
        (f"ITER_SUMMARY_{'9' * 40}.json", None),
    ],
)
def test_r1_the_iteration_is_a_number_or_none_at_all(name: str, iteration: int | None) -> None:
    assert place(name) == (0, iteration, 1)


def test_what_is_compressed_belongs_where_its_content_does() -> None:
    assert place("x/ITER_SUMMARY_5.json.zst", kind=FileKind.FRAME) == (0, 5, 1)
    assert place("x/run.jsonl.zst", kind=FileKind.FRAME) == (1, -1, 1)


def test_an_archive_says_its_class_its_last_iteration_and_how_many_files_it_holds() -> None:
    members = tuple(an_artifact(f"x/ITER_SUMMARY_{number}.json") for number in (3, 4, 12))
    planned = name_archive("summaries", members, (3, 4, 12))
    assert planned.name.startswith("x/summaries.20241004.3-12.n3.")
    assert place(planned.name, kind=FileKind.ARCHIVE) == (0, 12, 3)
    assert archive_day(planned.name) == day_words(members[0].mtime_ns) == "20241004"


def test_an_archive_of_an_unknown_class_or_another_program_is_of_no_class() -> None:
    planned = name_archive("forgotten", (an_artifact("a"),), (-1,))
    assert place(planned.name, kind=FileKind.ARCHIVE) is None
    assert place("backup.tar.zst", kind=FileKind.ARCHIVE) is None
    assert archive_day("backup.tar.zst") is None


def test_the_name_of_an_archive_says_what_goes_in() -> None:
    members = tuple(an_artifact(f"ITER_SUMMARY_{number}.json") for number in range(4))
    names = {
        name_archive("summaries", members, (0, 1, 2, 3)).name,
        name_archive("summaries", members[1:], (1, 2, 3)).name,
        name_archive(
            "summaries", (*members[:3], an_artifact("ITER_SUMMARY_3.json", 20_000 * DAY_NS + 1)), (0, 1, 2, 3)
        ).name,
    }
    assert len(names) == 3


def test_an_archive_without_some_members_has_the_name_of_what_is_left() -> None:
    members = tuple(an_artifact(f"ITER_SUMMARY_{number}.json") for number in range(4))
    planned = name_archive("summaries", members, (0, 1, 2, 3))
    left = without_members(planned, {"ITER_SUMMARY_0.json", "ITER_SUMMARY_3.json"})
    assert left == name_archive("summaries", members[1:3], (1, 2))
    assert without_members(planned, {each.name for each in members}) is None


@pytest.mark.parametrize(
    ("day", "words"), [(0, "19700101"), (-1, "19691231"), (-(10**9), "00010101"), (10**9, "99991231")]
)
def test_a_day_before_or_beyond_the_calendar_has_a_name(day: int, words: str) -> None:
    assert day_words(day * DAY_NS) == words


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (ArtifactClass(name="Bad Name", patterns=("*",)), "has a bad name"),
        (ArtifactClass(name="files", patterns=()), "has no pattern"),
        (ArtifactClass(name="files", patterns=("",)), "an empty one"),
        (a_class("*", iteration="(\\d"), "is no expression"),
        (a_class("*", iteration="\\d+"), "has no group"),
    ],
)
def test_a_class_that_cannot_be_used_is_refused(bad: ArtifactClass, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Classifier([bad])


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two classes of artifacts are named files"):
        Classifier([a_class("*.a"), a_class("*.b")])
