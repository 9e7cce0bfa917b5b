from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_causal import clock
from pytest_causal.actions.alias import join_names
from pytest_causal.errors import MissingInputError, StoreError, UsageError
from pytest_causal.model.evidence import Criteria, Evidence
from pytest_causal.model.run import Outcome
from pytest_causal.model.scenario import Declaration

if TYPE_CHECKING:
    from tests.cli.conftest import Project

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def join(project: Project, old: str, new: str, general: Criteria | None = None) -> str:
    with project.writing() as store:
        return join_names(store, old, new, general=general or Criteria(), now_us=clock.now_us()).name


def kept(project: Project, general: Criteria | None = None) -> list[Evidence]:
    with project.writing() as store:
        return list(store.all_evidence((general or Criteria()).state_key))


def test_evidence_is_that_of_one_scenario_that_always_had_the_new_name(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    renamed, always = project, type(project)(tmp_path_factory.mktemp("always"))
    always.next_us = renamed.next_us
    for place, outcome in enumerate([PASSED, PASSED, FAILED, PASSED, PASSED]):
        renamed.record({"old" if place < 3 else "new": outcome})
        always.record({"new": outcome})
    join(renamed, "old", "new")
    (joined,), (expected,) = kept(renamed), kept(always)
    assert joined._replace(scenario_id=0) == expected._replace(scenario_id=0)


def test_an_alias_of_an_alias_stands_for_the_newest_name(project: Project) -> None:
    project.record({"a": PASSED, "b": PASSED, "c": PASSED})
    assert join(project, "a", "b") == "b"
    assert join(project, "b", "c") == "c"
    with project.writing() as store:
        assert {each.old: each.new for each in store.aliases()} == {"a": "c", "b": "c"}
        assert [each.name for each in store.scenarios()] == ["c"]


def test_joining_under_a_name_that_is_an_alias_joins_what_it_stands_for(project: Project) -> None:
    project.record({"a": PASSED, "b": PASSED, "c": PASSED})
    join(project, "b", "c")
    assert join(project, "a", "b") == "c"


def test_declared_criteria_are_those_the_evidence_is_computed_under(project: Project) -> None:
    declared = Declaration(scenario="new", criteria=(("max_failure_rate", 0.5),))
    project.record({"old": PASSED, "new": PASSED}, declare=[declared])
    join(project, "old", "new")
    (state,) = kept(project, Criteria(max_failure_rate=0.5))
    assert state.runs == 2
    assert kept(project) == []


def test_two_scenarios_of_one_session_become_two_runs_in_one_session(project: Project) -> None:
    project.record({"old": PASSED, "new": FAILED})
    join(project, "old", "new")
    (state,) = kept(project)
    assert (state.runs, state.units, state.failed) == (2, 1, 1)


def test_what_is_refused_changes_nothing(project: Project) -> None:
    project.record({"a": PASSED, "b": PASSED, "c": PASSED})
    join(project, "a", "b")
    before = kept(project)
    with pytest.raises(UsageError):
        join(project, "b", "a")
    with pytest.raises(UsageError):
        join(project, "a", "c")
    with pytest.raises(MissingInputError):
        join(project, "never", "c")
    assert kept(project) == before


def test_killed_between_the_steps_nothing_is_lost(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alias holds, the evidence is computed by who reads it, and kept by the next session."""
    project.record({"old": PASSED})
    project.record({"new": FAILED})
    from pytest_causal.store.sqlite import SqliteStore

    def killed(store: SqliteStore) -> Any:
        raise StoreError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "amending", killed)
        with pytest.raises(StoreError):
            join(project, "old", "new")
    assert kept(project) == []
    (status,) = project.json("status")["scenarios"]
    assert (status["scenario"], status["runs"], status["failed"]) == ("new", 2, 1)
    project.record({"new": PASSED})
    (state,) = kept(project)
    assert (state.runs, state.failed) == (3, 1)
