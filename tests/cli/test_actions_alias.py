from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_causal import clock
from pytest_causal.actions.alias import join_names
from pytest_causal.errors import MissingInputError, StoreError, UsageError
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.model.run import Outcome
from pytest_causal.model.scenario import Declaration
from pytest_causal.store.interface import Alias

if TYPE_CHECKING:
    from tests.cli.conftest import Project

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def join(project: Project, old: str, new: str, policy: dict[str, str] | None = None) -> str:
    names = Alias(old=old, new=new, created_us=clock.now_us())
    with project.writing() as store:
        return join_names(store, names, general=Criteria(), policy=policy or {}).name


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


def test_every_state_remembers_the_verdict_on_the_scenario(project: Project) -> None:
    """Which is that on all states that hold under the policy in force, not on each alone."""
    for _ in range(15):
        project.record({"old": project.a_run("old", PASSED, reads=project.reads(a=1))})
        project.record({"old": PASSED})
    project.record({"old": project.a_run("old", FAILED, reads=project.reads(a=2))})
    join(project, "old", "new", {"a": "1"})
    assert [(state.runs, state.verdict) for state in kept(project)] == [
        (runs, Verdict.ELIGIBLE) for runs in (15, 15, 1)
    ]
    join(project, "new", "newer", {"a": "2"})
    assert {state.verdict for state in kept(project)} == {Verdict.NOT_YET}


def test_names_too_long_to_be_stored_whole(project: Project) -> None:
    old, new = "old" * 300, "new" * 300
    project.record({old: PASSED})
    project.record({new: PASSED})
    assert join(project, old, new).startswith("newnew")
    assert project.causal("alias", old, new).exit_code == 0
    assert "not recorded yet" not in project.causal("alias", old, new).stdout
    (state,) = kept(project)
    assert state.runs == 2


def test_two_scenarios_of_one_session_become_two_runs_in_one_session(project: Project) -> None:
    project.record({"old": PASSED, "new": FAILED})
    join(project, "old", "new")
    (state,) = kept(project)
    assert (state.runs, state.units, state.failed) == (2, 1, 1)


def test_m15_what_is_refused_changes_nothing(project: Project) -> None:
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
