from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal import clock
from pytest_causal.actions.status import likely_renames, scenario_statuses
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Verdict
from pytest_causal.model.run import Outcome
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionState
from pytest_causal.model.status import ScenarioStatus
from pytest_causal.store.interface import Scenario

if TYPE_CHECKING:
    from tests.cli.conftest import Project

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def statuses(
    project: Project, policy: dict[str, str] | None = None, general: Criteria | None = None
) -> dict[str, ScenarioStatus]:
    with project.writing() as store:
        found = scenario_statuses(
            store,
            store.scenarios(),
            general=general or Criteria(),
            policy=policy or {},
            now_us=clock.now_us(),
        )
    return {each.name: each for each in found}


def test_a_state_counts_where_all_that_was_read_is_in_force(project: Project) -> None:
    for leaves in ({"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 3}, {"c": 4}, {}):
        project.record({"x": project.a_run("x", PASSED, reads=project.reads(**leaves))})
    for policy, counted in [
        ({}, 1),
        ({"a": "1"}, 2),
        ({"a": "1", "b": "2"}, 3),
        ({"a": "1", "b": "2", "c": "4"}, 4),
        ({"a": "2", "b": "2"}, 1),
        ({"a": "1", "d": "9"}, 2),
    ]:
        status = statuses(project, policy)["x"]
        assert (status.evidence.runs, status.runs_under_other_policies) == (counted, 5 - counted), policy


def test_evidence_under_other_policies_alone_is_no_evidence(project: Project) -> None:
    for _ in range(30):
        project.record({"x": project.a_run("x", PASSED, reads=project.reads(a=1))})
    assert statuses(project, {"a": "1"})["x"].decision.verdict is Verdict.ELIGIBLE
    other = statuses(project, {"a": "2"})["x"]
    assert (other.decision.verdict, other.evidence.runs) == (Verdict.INCONCLUSIVE, 0)


def test_failures_under_another_policy_do_not_count_either(project: Project) -> None:
    project.record({"x": project.a_run("x", FAILED, reads=project.reads(a=1))})
    assert statuses(project, {"a": "2"})["x"].evidence.failed == 0


def test_declared_criteria_are_in_force(project: Project) -> None:
    declared = Declaration(scenario="x", tags=("t",), criteria=(("min_runs", 7),))
    project.record({"x": PASSED, "y": PASSED}, declare=[declared])
    found = statuses(project, general=Criteria(min_runs=5))
    assert (found["x"].criteria.min_runs, found["y"].criteria.min_runs) == (7, 5)
    assert found["x"].tags == ("t",)


def test_what_is_computed_anew_is_not_kept(project: Project) -> None:
    project.record({"x": PASSED})
    other = Criteria(alpha=0.01)
    for _ in range(2):
        assert statuses(project, general=other)["x"].is_recomputed
    with project.writing() as store:
        assert list(store.all_evidence(other.state_key)) == []


def test_limits_that_leave_the_state_alone_need_no_computing(project: Project) -> None:
    project.record({"x": PASSED})
    assert not statuses(project, general=Criteria(min_runs=3, max_age_days=1))["x"].is_recomputed


def test_a_scenario_that_no_concluded_session_ran_has_no_evidence(project: Project) -> None:
    project.record({"x": PASSED}, state=SessionState.RUNNING)
    status = statuses(project)["x"]
    assert (status.decision.verdict, status.is_recomputed) == (Verdict.INCONCLUSIVE, False)


def test_the_order_is_the_callers(project: Project) -> None:
    project.record({"a": PASSED, "b": PASSED, "c": PASSED})
    with project.writing() as store:
        scenarios = store.scenarios()[::-1]
        found = scenario_statuses(store, scenarios, general=Criteria(), policy={}, now_us=clock.now_us())
    assert [each.name for each in found] == ["c", "b", "a"]


def scenario(name: str, first: int, last: int) -> Scenario:
    return Scenario(
        id=1, name=name, first_session=first, last_session=last, declaration=Declaration(scenario=name)
    )


def renames(newest: int, *scenarios: Scenario) -> list[tuple[str, str]]:
    return [(each.old, each.new) for each in likely_renames(scenarios, newest)]


OLD, NEW = "test_a.py::test_of_burst", "test_a.py::test_of_bursts"


def test_a_scenario_that_stopped_where_another_began_may_be_that() -> None:
    assert renames(5, scenario(OLD, 1, 4), scenario(NEW, 5, 5)) == [(OLD, NEW)]
    assert renames(9, scenario(OLD, 1, 4), scenario(NEW, 5, 9)) == [(OLD, NEW)]


@pytest.mark.parametrize(
    ("old", "new", "newest"),
    [
        ((1, 5), (5, 5), 5),  # both ran in one session
        ((1, 7), (5, 6), 7),  # the old one came back
        ((1, 4), (5, 5), 40),  # long ago: whoever wanted to join them has done so
        ((1, 1), (1, 1), 1),  # everything is new in the first session
        ((0, 0), (5, 5), 5),  # the old one was declared and never ran
    ],
)
def test_no_rename_is_seen_otherwise(old: tuple[int, int], new: tuple[int, int], newest: int) -> None:
    assert renames(newest, scenario(OLD, *old), scenario(NEW, *new)) == []


def test_a_scenario_may_have_been_renamed_twice() -> None:
    newest = NEW + "_"
    found = renames(6, scenario(OLD, 1, 3), scenario(NEW, 5, 5), scenario(newest, 6, 6))
    assert found == [(NEW, newest), (OLD, NEW)]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30), st.integers(0, 30)), max_size=12))
def test_a_suggested_rename_never_ran_beside_its_new_name(facts: list[tuple[str, int, int]]) -> None:
    scenarios = {
        f"test_a.py::test_{letter}{place}": scenario(f"test_a.py::test_{letter}{place}", min(a, b), max(a, b))
        for place, (letter, a, b) in enumerate(facts)
    }
    newest = max((each.last_session for each in scenarios.values()), default=0)
    found = renames(newest, *scenarios.values())
    for old, new in found:
        assert 0 < scenarios[old].last_session < scenarios[new].first_session
    assert len({old for old, _ in found}) == len({new for _, new in found}) == len(found)
