"""Presets: what a file may say, and that nothing it says leads out of bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.policy.bounds import Bound
from tools.soak.preset import read_preset, under_preset

BASE: dict[str, Any] = {"quoting.interval": 75, "impact.cap": 0.1, "venue": "x"}
BOUNDS = {"quoting.interval": Bound(min=40, max=120)}


def write(folder: Path, content: object) -> Path:
    path = folder / "preset.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_a_preset_of_old_is_read_with_all_that_is_for_people(tmp_path: Path) -> None:
    content = {
        "description": "for people",
        "version": "1",
        "changes": {"quoting": {"interval": {"op": "add", "value": 25, "reason": "slower"}}},
    }
    assert read_preset(write(tmp_path, content)) == {"quoting.interval": {"op": "add", "value": 25}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "has no changes"),
        ({"changes": {}}, "has no changes"),
        ({"changes": {"quoting": 3}}, "expected"),
        ({"changes": {"quoting": {"interval": {"op": "div", "value": 2}}}}, "expected"),
        ({"changes": {"quoting": {"interval": {"op": "add"}}}}, "expected"),
        ({"changes": {"quoting": {"interval": {"op": "add", "value": True}}}}, "expected"),
        ({"changes": {"quoting": {"interval": {"op": "add", "value": "2"}}}}, "expected"),
        ('{"changes": {"quoting": {"interval": {"op": "mul", "value": NaN}}}}', "NaN"),
        ("{", "preset.json"),
    ],
)
def test_what_is_no_preset_is_refused_with_the_place(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_preset(write(tmp_path, content))


def test_a_preset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no preset"):
        read_preset(tmp_path / "none.json")


def test_d14_a_preset_moves_the_base_each_time_and_never_what_it_moved_before() -> None:
    preset = {"quoting.interval": {"op": "add", "value": 25}, "impact.cap": {"op": "mul", "value": 0.75}}
    first = under_preset(preset, BASE, BOUNDS)
    assert first == {"quoting.interval": 100, "impact.cap": pytest.approx(0.075), "venue": "x"}
    assert under_preset(preset, BASE, BOUNDS) == first
    assert BASE["quoting.interval"] == 75


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ({"quoting.intervals": {"op": "add", "value": 1}}, "no 'quoting.intervals'"),
        ({"quoting.interval": {"op": "add", "value": 46}}, "would be 121"),
        ({"quoting.interval": {"op": "mul", "value": 0.5}}, "would be 37.5"),
    ],
)
def test_a_path_that_is_not_there_and_a_value_out_of_bounds_are_refused(
    preset: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        under_preset(preset, BASE, BOUNDS)
