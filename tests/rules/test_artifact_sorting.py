from __future__ import annotations

from pytest_causal.model.artifact import Action, Artifact, Conditions, FileKind
from pytest_causal.rules.artifact_files import in_columns
from pytest_causal.rules.artifact_sorting import RECENT, Sorted, sort_artifacts
from pytest_causal.rules.rotation_presets import Preset, preset_policy

NOW_US = 1_780_000_000_000_000


def an_artifact(name: str, mtime_us: int = NOW_US, kind: FileKind = FileKind.REGULAR) -> Artifact:
    return Artifact(name, 10, 4096, mtime_us * 1000, 0o644, 1, 1, 1, 0, kind)


def sort(files: list[Artifact]) -> Sorted:
    return sort_artifacts(in_columns(files), preset_policy(Preset.MAIN), Conditions(NOW_US, 0, 1))


def names(found: Sorted) -> list[list[str]]:
    """Those of the files of each class."""
    return [
        [artifact.name for stretch in stretches for artifact in stretch.of(found.files.artifacts)]
        for stretches in found.stretches
    ]


def test_a_file_is_of_a_class_or_has_a_fate() -> None:
    files = [an_artifact("a/ITER_SUMMARY_3.json"), an_artifact("b.log"), an_artifact("c.txt")]
    found = sort(files)
    assert names(found) == [["a/ITER_SUMMARY_3.json"], [], [], ["b.log"]]
    assert found.stretches[0] == [("a/0", range(1), True)]
    assert found.files.runs == ["a/0", "/3", ""]
    assert found.files.iterations == [3, -1, -1]
    assert found.files.members == [1, 1, 1]
    assert found.fates == [RECENT, RECENT, (Action.LEAVE, ("no-class",))]


def test_a_time_in_the_future_counts_as_now_and_one_a_little_ahead_as_itself() -> None:
    far, near = NOW_US + 90_000_000_000, NOW_US + 1_000_000
    files = [an_artifact("a.log", far), an_artifact("b.log", near)]
    found = sort(files)
    assert names(found)[3] == ["a.log", "b.log"]
    assert found.files.times_ns == [NOW_US * 1000, near * 1000]


def test_a_frame_beside_a_file_of_its_time_was_made_from_it() -> None:
    files = [
        an_artifact("a.log"),
        an_artifact("a.log.zst", kind=FileKind.FRAME),
        an_artifact("b.log", NOW_US - 1),
        an_artifact("b.log.zst", kind=FileKind.FRAME),
        an_artifact("c.log.zst", kind=FileKind.FRAME),
    ]
    assert sort(files).frames == {"a.log.zst"}


def test_a_known_name_says_nothing_of_a_file_of_ours_of_another_owner_or_of_a_conflict() -> None:
    files = [
        an_artifact("a/x.log"),
        an_artifact("b/x.log")._replace(uid=5),
        an_artifact("c/x.log")._replace(links=2),
        an_artifact("d/x.log")._replace(device=9),
        an_artifact("rotation/deep/x.log"),
        an_artifact("rotation/x.log"),
    ]
    found = sort(files)
    assert names(found)[3] == ["a/x.log"]
    assert [" ".join(fate.reasons) for fate in found.fates] == [
        "recent",
        "foreign-owner",
        "hard-linked",
        "other-device",
        "own-file",
        "own-file",
    ]


def test_files_of_several_classes_in_one_folder_keep_their_order_within_each() -> None:
    plain = ["a/1.log", "a/ITER_SUMMARY_1.json", "a/ITER_SUMMARY_2.json", "a/b.log"]
    for others in ([], ["a/c.txt"]):  # with a file of no class they are looked at one by one
        found = sort([an_artifact(name) for name in [*plain, *others, "b.log"]])
        assert names(found)[0] == plain[1:3]
        assert names(found)[3] == ["a/1.log", "a/b.log", "b.log"]
        assert found.files.runs[:4] == ["a/3", "a/0", "a/0", "a/3"]
        assert found.files.iterations[:4] == [-1, 1, 2, -1]
        assert [each.is_plain for each in found.stretches[0]] == [not others]


def test_an_archive_stands_for_its_members_and_for_the_last_of_their_iterations() -> None:
    archive = "a/summaries.20261001.1-7.n5.3f2a9c1b.tar.zst"
    found = sort([an_artifact("a/ITER_SUMMARY_9.json"), an_artifact(archive, kind=FileKind.ARCHIVE)])
    assert found.files.members == [1, 5]
    assert found.files.iterations == [9, 7]


def test_a_directory_is_not_spoken_of() -> None:
    found = sort([an_artifact("a", kind=FileKind.DIRECTORY), an_artifact("a/x.log")])
    assert (found.unspoken, found.fates) == ([0], [RECENT, RECENT])
