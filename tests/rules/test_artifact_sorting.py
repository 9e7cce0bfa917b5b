from __future__ import annotations

from pytest_causal.model.artifact import Action, Artifact, Conditions, FileKind
from pytest_causal.rules.artifact_sorting import RECENT, UNSPOKEN, sort_artifacts
from pytest_causal.rules.rotation_presets import Preset, preset_policy

NOW_US = 1_780_000_000_000_000


def an_artifact(name: str, mtime_us: int = NOW_US, kind: FileKind = FileKind.REGULAR) -> Artifact:
    return Artifact(name, 10, 4096, mtime_us * 1000, 0o644, 1, 1, 1, 0, kind)


def test_a_file_is_an_item_of_its_class_or_has_a_fate() -> None:
    files = [an_artifact("a/ITER_SUMMARY_3.json"), an_artifact("b.log"), an_artifact("c.txt")]
    found = sort_artifacts(files, preset_policy(Preset.MAIN), Conditions(NOW_US, 0, 1))
    assert [[item.artifact.name for item in items] for items in found.items] == [
        ["a/ITER_SUMMARY_3.json"],
        [],
        [],
        ["b.log"],
    ]
    (item,) = found.items[0]
    assert (item.run, item.iteration, item.members) == ("a/0", 3, 1)
    assert found.fates == [RECENT, RECENT, (Action.LEAVE, ("no-class",))]
    assert [item.number for items in found.items for item in items] == [0, 1]


def test_a_time_in_the_future_counts_as_now_and_one_a_little_ahead_as_itself() -> None:
    far, near = NOW_US + 90_000_000_000, NOW_US + 1_000_000
    files = [an_artifact("a.log", far), an_artifact("b.log", near)]
    found = sort_artifacts(files, preset_policy(Preset.MAIN), Conditions(NOW_US, 0, 1))
    times_ns = {item.artifact.name: item.time_ns for item in found.items[3]}
    assert times_ns == {"a.log": NOW_US * 1000, "b.log": near * 1000}


def test_a_frame_beside_a_file_of_its_time_was_made_from_it() -> None:
    files = [
        an_artifact("a.log"),
        an_artifact("a.log.zst", kind=FileKind.FRAME),
        an_artifact("b.log", NOW_US - 1),
        an_artifact("b.log.zst", kind=FileKind.FRAME),
        an_artifact("c.log.zst", kind=FileKind.FRAME),
    ]
    assert sort_artifacts(files, preset_policy(Preset.MAIN), Conditions(NOW_US, 0, 1)).frames == {"a.log.zst"}


def test_a_known_name_says_nothing_of_a_file_of_ours_of_another_owner_or_of_a_conflict() -> None:
    files = [
        an_artifact("a/x.log"),
        an_artifact("b/x.log")._replace(uid=5),
        an_artifact("c/x.log")._replace(links=2),
        an_artifact("d/x.log")._replace(device=9),
        an_artifact("rotation/deep/x.log"),
        an_artifact("rotation/x.log"),
    ]
    found = sort_artifacts(files, preset_policy(Preset.MAIN), Conditions(NOW_US, 0, 1))
    assert [item.artifact.name for item in found.items[3]] == ["a/x.log"]
    assert [" ".join(fate.reasons) for fate in found.fates] == [
        "recent",
        "foreign-owner",
        "hard-linked",
        "other-device",
        "own-file",
        "own-file",
    ]


def test_files_of_several_classes_in_one_folder_keep_their_order_within_each() -> None:
    names = ["a/1.log", "a/ITER_SUMMARY_1.json", "a/ITER_SUMMARY_2.json", "a/b.log", "a/c.txt", "b.log"]
    found = sort_artifacts(
        [an_artifact(name) for name in names], preset_policy(Preset.MAIN), Conditions(NOW_US, 0, 1)
    )
    assert [item.number for item in found.items[0]] == [1, 2]
    assert [item.number for item in found.items[3]] == [0, 3, 5]


def test_a_directory_is_not_spoken_of() -> None:
    files = [an_artifact("a", kind=FileKind.DIRECTORY), an_artifact("a/x.log")]
    found = sort_artifacts(files, preset_policy(Preset.MAIN), Conditions(NOW_US, 0, 1))
    assert found.fates == [UNSPOKEN, RECENT]
