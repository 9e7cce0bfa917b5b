"""What a decision is made from: the right runs, under the right criteria, and how it is known what they read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.actions.case import gather_case, lessons_reached, values_after
from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Lesson
from pytest_causal.model.run import ReadHow
from pytest_causal.model.scenario import Declaration
from pytest_causal.policy.promotion_rules import find_rule, proposed_change
from pytest_causal.rules.candidacy import CandidateCase
from tests.actions.world import World

CONFIG = """
secrets = ["key"]
[policy]
rows = 10
other = 1
key = "k"
[[promotion]]
name = "more"
scenarios = ["load", "gone*"]
changes = {rows = 20}
metrics = {ms = {max = 9}}
criteria = {min_runs = 3}
evidence = "%s"
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, CONFIG % "candidate")
    made.tests |= {"load": load, "idle": lambda policy, metric: None}
    yield made
    made.store.close()


def load(policy, metric) -> None:
    metric("ms", policy["rows"])


def case_of(world: World) -> CandidateCase:
    rule = find_rule(world.settings, "more")
    change = proposed_change(rule, world.settings, world.policy)
    assert change is not None
    return gather_case(world.store, rule, change, world.policy, world.settings.criteria, world.now_us)


def test_the_candidates_runs_are_its_evidence_and_todays_are_the_control(world: World) -> None:
    for _ in range(3):
        world.session(reviewed=False)
    world.session(reviewed=False, shadow=False)
    case = case_of(world)
    (scenario,) = case.scenarios
    assert scenario.evidence is not None
    assert (scenario.evidence.runs, scenario.control.runs, scenario.control.failures) == (3, 4, 0)
    assert scenario.reads == (("rows", ReadHow.TRACKED),)
    assert [(each.metric, each.measured, each.mean) for each in scenario.metrics] == [("ms", 3, 20.0)]
    assert (case.unmatched, case.is_assumed, case.now_us) == (("gone*",), False, world.now_us)


def test_as_an_assumption_todays_runs_are_the_evidence(world: World) -> None:
    (world.root / "causal.toml").write_text(CONFIG % "control")
    for _ in range(2):
        world.session(reviewed=False, shadow=False)
    case = case_of(world)
    (scenario,) = case.scenarios
    assert scenario.evidence is not None
    assert (scenario.evidence.runs, case.is_assumed) == (2, True)
    assert scenario.metrics[0].mean == 10.0


def test_without_a_run_that_read_the_value_there_is_no_evidence(world: World) -> None:
    world.tests["load"] = lambda policy, metric: policy["other"]
    world.session(reviewed=False)
    (scenario,) = case_of(world).scenarios
    assert (scenario.evidence, scenario.reads, scenario.control.runs) == (None, (), 0)


def test_evidence_outlives_a_change_that_it_never_read_and_no_other(world: World) -> None:
    world.session(reviewed=False)
    toml = world.root / "causal.toml"
    toml.write_text((CONFIG % "candidate").replace("other = 1", "other = 2"))
    assert case_of(world).scenarios[0].evidence is not None
    toml.write_text((CONFIG % "candidate").replace("changes = {rows = 20}", "changes = {rows = 21}"))
    assert case_of(world).scenarios[0].evidence is None


def test_the_rules_criteria_go_over_the_markers_and_these_over_the_general_ones(world: World) -> None:
    world.store.declare([Declaration(scenario="load", criteria=(("min_runs", 99), ("min_sessions", 7)))])
    world.session(reviewed=False)
    criteria = case_of(world).scenarios[0].criteria
    assert (criteria.min_runs, criteria.min_sessions) == (3, 7)
    assert criteria._replace(min_runs=20, min_sessions=2) == world.settings.criteria


def lesson(after: object, *, before: object = 10, path: str = "rows", retired_us: int = 0) -> Lesson:
    return Lesson(1, "load", path, before, after, "slow", 1, "s", 1, retired_us=retired_us)


@pytest.mark.parametrize(
    ("known", "is_reached"),
    [
        (lesson(20), True),
        (lesson(15), True),
        (lesson(21), False),
        (lesson(5), False),  # it went down
        (lesson(20, retired_us=1), False),
        (lesson(20, path="other"), False),
    ],
)
def test_a_lesson_is_reached_by_what_goes_as_far_in_its_direction(known: Lesson, is_reached: bool) -> None:
    assert (lessons_reached([known], Change((Step("rows", 10, 20),))) == [known]) is is_reached


def test_values_are_told_as_reads_are_and_secrets_are_not(world: World) -> None:
    values = values_after(Change((Step("rows", 10, 20), Step("key", "k", "new"))), world.policy)
    assert (values["rows"], values["other"]) == ("20", "1")
    assert "new" not in values["key"]
    assert values["key"] != world.policy.read_values["key"]
