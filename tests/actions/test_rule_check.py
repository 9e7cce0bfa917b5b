from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.actions.rule_check import check_rules
from tests.actions.world import World

POLICY = "[policy]\nrows = 10\nother = 1\n"
RULE = """
[[promotion]]
name = "more"
scenarios = ["load"]
changes = {rows = 20}
revert_when = {failure_rate = {max = 0.2}}
%s
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, POLICY + RULE % "")
    made.tests |= {
        "load": lambda policy, metric: policy["rows"],
        "idle": lambda policy, metric: policy["other"],
    }
    made.session(reviewed=False)
    yield made
    made.store.close()


def found(world: World, config: str) -> str:
    (world.root / "causal.toml").write_text(config)
    return "\n".join(f"{each.what}; {each.remedy}" for each in check_rules(world.context))


def test_of_a_rule_that_can_work_nothing_is_said(world: World) -> None:
    assert found(world, POLICY + RULE % "") == ""


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (POLICY + RULE % "typo = 1", "unknown key 'typo'"),
        (POLICY + (RULE % "").replace("rows = 20", "rws = 20"), "the policy has no 'rws'"),
        (POLICY + RULE % 'reads = ["rws"]', "promotion 'more': reads: the policy has no 'rws'"),
        (POLICY + (RULE % "").replace('"load"', '"laod"'), "no scenario that has run is called 'laod'"),
        (POLICY + (RULE % "").replace('"load"', '"idle"'), "idle never read a value that it changes"),
        (POLICY + RULE % "metrics = {ms = {max = 1}}", "no run reported ms"),
        ("review = false\n" + POLICY + RULE % 'mode = "auto"', "mode is auto, and no session is reviewed"),
    ],
)
def test_what_can_never_happen_is_said_with_its_place(world: World, config: str, words: str) -> None:
    said = found(world, config)
    assert words in said
    assert "causal.toml:" in said


def test_before_anything_has_run_nothing_is_called_unknown(tmp_path: Path) -> None:
    world = World(tmp_path / "new", POLICY + RULE % "")
    assert check_rules(world.context) == []
    world.store.close()


def test_what_a_failure_was_ascribed_to_was_not_read(world: World) -> None:
    def fails_before_it_reads(policy, metric) -> None:
        raise ValueError

    world.tests["idle"] = fails_before_it_reads
    (world.root / "causal.toml").write_text(POLICY + (RULE % "").replace('"load"', '"idle"'))
    world.session(reviewed=False)
    assert "idle never read a value" in "".join(each.what for each in check_rules(world.context))
