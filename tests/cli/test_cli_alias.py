from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_causal.model.run import Outcome

if TYPE_CHECKING:
    from tests.cli.conftest import Project

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def runs_by_name(project: Project) -> dict[str, int]:
    return {each["scenario"]: each["runs"] for each in project.json("status")["scenarios"]}


def test_two_names_become_one_record(project: Project) -> None:
    project.record({"old": PASSED})
    project.record({"old": PASSED})
    project.record({"new": FAILED})
    result = project.causal("alias", "old", "new")
    assert result.exit_code == 0
    assert result.stdout.startswith("old is new from now on: 3 runs in 3 sessions, 1 failed")
    assert runs_by_name(project) == {"new": 3}


def test_later_sessions_of_either_name_count(project: Project) -> None:
    project.record({"old": PASSED})
    project.record({"new": PASSED})
    project.causal("alias", "old", "new")
    project.record({"old": PASSED})
    project.record({"new": PASSED})
    assert runs_by_name(project) == {"new": 4}


def test_a_name_not_recorded_yet_is_taken_and_told(project: Project) -> None:
    project.record({"old": PASSED})
    result = project.causal("alias", "old", "new")
    assert result.exit_code == 0
    assert "new itself was not recorded yet" in result.stdout
    assert runs_by_name(project) == {"new": 1}


def test_saying_it_twice_is_saying_it_once(project: Project) -> None:
    project.record({"old": PASSED})
    project.record({"new": PASSED})
    for _ in range(2):
        assert project.causal("alias", "old", "new").exit_code == 0
    assert runs_by_name(project) == {"new": 2}


def test_an_alias_of_itself_the_other_way_is_refused(project: Project) -> None:
    project.record({"old": PASSED})
    project.record({"new": PASSED})
    project.causal("alias", "old", "new")
    result = project.causal("alias", "new", "old")
    assert (result.exit_code, result.stdout) == (64, "")
    assert runs_by_name(project) == {"new": 2}


def test_a_scenario_never_recorded_exits_66_with_the_nearest(project: Project) -> None:
    project.record({"test_burst": PASSED})
    result = project.causal("alias", "test_burts", "x")
    assert (result.exit_code, result.stdout) == (66, "")
    assert "did you mean 'test_burst'?" in result.stderr
    assert runs_by_name(project) == {"test_burst": 1}


def test_without_a_store_nothing_is_made(project: Project) -> None:
    assert project.causal("alias", "a", "b").exit_code == 66
    assert not project.store.parent.exists()


def test_list(project: Project) -> None:
    project.record({"old": PASSED, "older": PASSED, "new": PASSED})
    assert project.causal("alias", "--list").stderr == "there are no aliases\n"
    project.causal("alias", "old", "new")
    project.causal("alias", "older", "new")
    assert project.causal("alias", "--list").stdout == "old -> new\nolder -> new\n"
    lines = [project.parsed(line) for line in project.causal("alias", "--list", "--json").stdout.splitlines()]
    assert [(line["old"], line["new"]) for line in lines] == [("old", "new"), ("older", "new")]
    assert all(line["created_at"].endswith("Z") for line in lines)


def test_usage(project: Project) -> None:
    project.record({"old": PASSED})
    for arguments in ([], ["old"], ["--list", "old"], ["--list", "old", "new"]):
        assert project.causal("alias", *arguments).exit_code == 64
    assert project.causal("alias", "--list").stdout == ""
