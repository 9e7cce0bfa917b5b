from __future__ import annotations

import pytest

from pytest_causal.model.artifact import FileKind, KeepRules, RotationPolicy
from pytest_causal.rules.artifact_classes import Classifier
from pytest_causal.rules.rotation_presets import SOAK_CLASSES, Preset, preset_policy


def test_what_is_the_default_is_the_preset_of_the_main_branch() -> None:
    assert preset_policy(Preset.MAIN) == RotationPolicy(classes=SOAK_CLASSES)
    assert {each.rules for each in SOAK_CLASSES} == {KeepRules()}


def test_each_preset_allows_other_sizes() -> None:
    assert len({preset_policy(each).max_size_bytes for each in Preset}) == len(Preset)


@pytest.mark.parametrize(
    ("name", "of_class"),
    [
        ("latest/ITER_SUMMARY_12.json", "summaries"),
        ("run_a/journal.jsonl", "journals"),
        ("snap_20251001.json", "snapshots"),
        ("x/post_soak_snapshot.json", "snapshots"),
        ("soak.log", "logs"),
        ("latest/TUNING_REPORT.json", None),
        ("runtime_overrides.json", None),
        ("KPI_GATE.json", None),
    ],
)
def test_what_soaks_write_is_in_its_class_and_reports_are_in_none(name: str, of_class: str | None) -> None:
    place = Classifier(SOAK_CLASSES).place(name, name.rpartition("/")[2], FileKind.REGULAR)
    assert (SOAK_CLASSES[place[0]].name if place else None) == of_class
