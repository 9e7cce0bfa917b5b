from __future__ import annotations

import shlex
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_causal.model.criteria import Criteria
from pytest_causal.model.run import Outcome
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionState

if TYPE_CHECKING:
    from tests.cli.conftest import Project

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "causal")
PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["scenario"]: each for each in document["scenarios"]}


def test_counts_and_verdicts(project: Project) -> None:
    for _ in range(3):
        project.record({"good": PASSED, "bad": FAILED, "skipped": Outcome.SKIPPED, "broken": Outcome.ERROR})
    found = by_name(project.json("status"))
    assert (
        found["good"] | {"verdict": "not_yet", "runs": 3, "passed": 3, "failed": 0, "pass_rate": 1.0}
        == found["good"]
    )
    assert (
        found["bad"] | {"verdict": "rejected", "runs": 3, "failed": 3, "reasons": ["proven_bad"]}
        == found["bad"]
    )
    assert found["broken"] | {"verdict": "rejected", "errors": 3, "pass_rate": 0.0} == found["broken"]
    skipped = {
        "verdict": "inconclusive",
        "runs": 0,
        "skipped": 3,
        "pass_rate": None,
        "failure_rate_upper": None,
    }
    assert found["skipped"] | skipped == found["skipped"]


def test_a_scenario_becomes_eligible_after_as_many_clean_sessions_as_were_said(project: Project) -> None:
    project.record({"x": PASSED})
    needed = by_name(project.json("status"))["x"]["clean_sessions_needed"]
    assert needed > 1
    for _ in range(needed - 1):
        project.record({"x": PASSED})
    assert by_name(project.json("status"))["x"]["verdict"] == "not_yet"
    project.record({"x": PASSED})
    found = by_name(project.json("status"))["x"]
    assert found | {"verdict": "eligible", "reasons": [], "clean_sessions_needed": 0} == found


def test_worst_come_first(project: Project) -> None:
    for _ in range(3):
        project.record({"a": PASSED, "b": Outcome.SKIPPED, "c": FAILED})
    assert [each["scenario"] for each in project.json("status")["scenarios"]] == ["c", "b", "a"]
    shown = project.causal("status").stdout
    assert shown.index("rejected") < shown.index("inconclusive") < shown.index("not yet")


def test_totals_cover_what_limit_hides(project: Project) -> None:
    project.record({f"s{number}": PASSED for number in range(5)})
    document = project.json("status", "--limit", "2")
    assert [each["scenario"] for each in document["scenarios"]] == ["s0", "s1"]
    assert document["verdicts"]["not_yet"] == 5
    shown = project.causal("status", "--limit", "2").stdout
    assert "5 scenarios: 5 not yet" in shown
    assert "3 of them not shown" in shown
    assert len(project.json("status", "--limit", "0")["scenarios"]) == 5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("db*",), {"db_read", "db_write"}),
        (("db_read",), {"db_read"}),
        (("web[1]",), {"web[1]"}),
        (("--verdict", "rejected"), {"web[1]"}),
        (("--verdict", "rejected", "--verdict", "not_yet", "*w*"), {"db_write", "web[1]"}),
        (("--tag", "db"), {"db_read"}),
        (("--verdict", "eligible"), set()),
    ],
)
def test_selection(project: Project, arguments: tuple[str, ...], expected: set[str]) -> None:
    for _ in range(3):
        project.record(
            {"db_read": PASSED, "db_write": PASSED, "web[1]": FAILED},
            declare=[Declaration(scenario="db_read", tags=("db", "slow"))],
        )
    assert set(by_name(project.json("status", *arguments))) == expected


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [(("db_raed",), "did you mean 'db_read'?"), (("--tag", "dbs"), "did you mean 'db'?")],
)
def test_what_is_named_and_not_there_exits_66_with_the_nearest(
    project: Project, arguments: tuple[str, ...], remedy: str
) -> None:
    project.record({"db_read": PASSED}, declare=[Declaration(scenario="db_read", tags=("db",))])
    result = project.causal("status", *arguments)
    assert (result.exit_code, result.stdout) == (66, "")
    assert remedy in result.stderr


def test_nothing_recorded_exits_3_and_says_how_to_record(project: Project) -> None:
    result = project.causal("status")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "pytest -p causal" in result.stderr
    assert project.json("status", code=3)["scenarios"] == []
    assert list(project.root.iterdir()) == [project.root / "pytest.ini"]


def test_an_empty_store_exits_3(project: Project) -> None:
    with project.writing():
        pass
    assert project.causal("status").exit_code == 3
    empty = project.root / "empty.db"
    empty.touch()
    assert project.causal("status", "--store", str(empty)).exit_code == 3
    assert empty.stat().st_size == 0


def test_a_named_store_that_is_not_there_exits_66_and_is_not_made(project: Project) -> None:
    result = project.causal("status", "--store", "else/where.db")
    assert result.exit_code == 66
    assert str(project.root / "else" / "where.db") in result.stderr
    assert not (project.root / "else").exists()


def test_a_store_that_is_none_exits_65(project: Project) -> None:
    text = project.root / "notes.db"
    text.write_text("shopping list\n" * 400)
    result = project.causal("status", "--store", "notes.db")
    assert result.exit_code == 65
    assert "error: " in result.stderr
    assert text.read_text() == "shopping list\n" * 400


def test_the_store_is_found_from_a_directory_below(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record({"x": PASSED})
    below = project.root / "src" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert by_name(project.json("status"))["x"]["runs"] == 1


def test_the_store_of_the_environment_is_used(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record({"x": PASSED})
    moved = project.store.rename(project.root / "moved.db")
    monkeypatch.setenv("CAUSAL_STORE", str(moved))
    assert project.json("status")["store"] == str(moved)


class TestPolicy:
    """Evidence are the runs that read the values in force."""

    def record_under(self, project: Project, timeout: int, times: int, outcome: Outcome = PASSED) -> None:
        for _ in range(times):
            run = project.a_run("reads", outcome, reads=project.reads(limits__timeout=timeout))
            project.record({"reads": run, "free": PASSED})

    def set_policy(self, project: Project, timeout: int) -> None:
        (project.root / "causal.toml").write_text(f"[policy.limits]\ntimeout = {timeout}\n")

    def test_runs_under_another_policy_do_not_count_and_are_told(self, project: Project) -> None:
        self.record_under(project, 10, 3)
        self.record_under(project, 20, 2)
        self.set_policy(project, 20)
        found = by_name(project.json("status"))
        assert (found["reads"]["runs"], found["reads"]["runs_under_other_policies"]) == (2, 3)
        assert (found["free"]["runs"], found["free"]["runs_under_other_policies"]) == (5, 0)
        assert "3 runs under other policies not counted" in project.causal("status").stdout

    def test_changing_the_policy_back_brings_the_evidence_back(self, project: Project) -> None:
        self.record_under(project, 10, 3)
        self.set_policy(project, 20)
        assert by_name(project.json("status"))["reads"]["verdict"] == "inconclusive"
        self.set_policy(project, 10)
        assert by_name(project.json("status"))["reads"]["runs"] == 3

    def test_states_that_are_all_valid_are_one_evidence(self, project: Project) -> None:
        self.set_policy(project, 10)
        self.record_under(project, 10, 2)
        project.record({"reads": PASSED})
        assert by_name(project.json("status"))["reads"]["runs"] == 3

    def test_a_value_that_is_not_in_force_at_all_is_another(self, project: Project) -> None:
        self.record_under(project, 10, 2)
        assert by_name(project.json("status"))["reads"]["runs_under_other_policies"] == 2


class TestCriteria:
    """A scenario is judged under its own criteria, also where they were changed after the last session."""

    def test_declared_criteria_go_over_the_general_ones(self, project: Project) -> None:
        declared = Declaration(scenario="mine", criteria=(("max_failure_rate", 0.5), ("min_runs", 3)))
        project.record({"mine": PASSED, "other": PASSED}, declare=[declared])
        found = by_name(project.json("status"))
        assert found["mine"]["criteria"]["max_failure_rate"] == 0.5
        assert found["mine"]["clean_sessions_needed"] < found["other"]["clean_sessions_needed"]

    def test_changed_criteria_are_judged_from_the_runs(self, project: Project) -> None:
        for _ in range(4):
            project.record({"x": PASSED, "y": FAILED})
        before = by_name(project.json("status"))
        (project.root / "causal.toml").write_text("[criteria]\nmax_failure_rate = 0.4\nmin_runs = 3\n")
        changed = by_name(project.json("status"))
        assert not before["x"]["is_recomputed"]
        assert changed["x"] | {"is_recomputed": True, "runs": 4, "passed": 4} == changed["x"]
        assert changed["x"]["clean_sessions_needed"] < before["x"]["clean_sessions_needed"]
        assert changed["y"]["failed"] == 4
        assert "criteria changed: computed anew" in project.causal("status").stdout

    def test_computed_states_are_those_that_sessions_would_have_kept(self, project: Project) -> None:
        outcomes = [PASSED, FAILED, PASSED, PASSED]
        project.criteria = Criteria(max_failure_rate=0.4)
        for outcome in outcomes:
            project.record({"x": outcome})
        (project.root / "causal.toml").write_text("[criteria]\nmax_failure_rate = 0.4\n")
        kept = by_name(project.json("status"))["x"]
        (project.root / "causal.toml").write_text("[criteria]\nmax_failure_rate = 0.4\nalpha = 0.05000001\n")
        computed = by_name(project.json("status"))["x"]
        assert (kept["is_recomputed"], computed["is_recomputed"]) == (False, True)
        differing = {key for key in kept if kept[key] != computed[key]}
        assert differing <= {"is_recomputed", "criteria", "failure_rate_upper", "e_value"}
        assert kept["e_value"] == pytest.approx(computed["e_value"])


def test_flaky_scenarios_are_named_with_how_often_and_since_when(project: Project) -> None:
    commit = "c0ffee" * 6 + "c0ff"
    for _ in range(2):
        first = project.a_run("shaky", FAILED, is_superseded=True)
        project.record({"shaky": [first, project.a_run("shaky", PASSED, attempt=2)]}, commit=commit)
    found = by_name(project.json("status"))["shaky"]
    assert found["flaky_since"] == {"session": 1, "commit": commit}
    assert (found["flaky"], found["contradictions"]) == (2, 2)
    assert "flaky 2 times, since commit c0ffeec0ffee" in project.causal("status").stdout


def test_the_newest_session_is_told(project: Project) -> None:
    project.record({"x": PASSED})
    project.record({"x": FAILED}, state=SessionState.INTERRUPTED, commit="abc123", branch="main")
    session = project.json("status")["newest_session"]
    assert (session["session"], session["state"], session["outcomes"]["failed"]) == (2, "interrupted", 1)
    assert "commit abc123 (main), interrupted: 1 failed" in project.causal("status").stdout


def test_a_likely_rename_is_suggested_with_a_command_that_joins_it(project: Project) -> None:
    old, new = "tests/test_a.py::test it's [1]", "tests/test_b.py::test it's [1]"
    for _ in range(2):
        project.record({old: PASSED, "other": PASSED})
    project.record({new: PASSED, "other": PASSED})
    document = project.json("status")
    assert [(each["old"], each["new"]) for each in document["renames"]] == [(old, new)]
    assert by_name(document)[new]["runs"] == 1  # never joined unasked
    (line,) = [line for line in project.causal("status").stdout.splitlines() if "causal alias" in line]
    command = shlex.split(line[line.index("causal alias") :])
    assert command == ["causal", "alias", old, new]
    assert project.causal(*command[1:]).exit_code == 0
    after = project.json("status")
    assert by_name(after)[new]["runs"] == 3
    assert after["renames"] == []


def test_a_store_being_recorded_into_is_shown(project: Project) -> None:
    project.record({"x": PASSED})
    project.record({"x": PASSED}, state=SessionState.RUNNING)
    document = project.json("status")
    assert document["newest_session"]["state"] == "running"
    assert by_name(document)["x"]["runs"] == 1


def test_c4_status_reads_while_another_process_writes(project: Project) -> None:
    project.record({"x": PASSED})
    with project.writing() as store, store.amending():  # holds the write lock
        assert by_name(project.json("status"))["x"]["runs"] == 1


@pytest.mark.fault
class TestS4ReadOnly:
    """Where nothing can be written, what is stored can be read."""

    @pytest.fixture(autouse=True)
    def recorded(self, project: Project) -> None:
        for _ in range(2):
            project.record({"x": PASSED})

    def test_s4_the_folder_cannot_be_written(self, project: Project) -> None:
        assert project.start_read_only("touch", ".causal/probe").returncode != 0

    @pytest.mark.parametrize("command", ["status", "history"])
    def test_s4_reading_commands_read(self, project: Project, command: str) -> None:
        done = project.start_read_only(SCRIPT, command, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert '"scenario": "x"' in done.stdout or '"scenario":"x"' in done.stdout

    def test_s4_the_doctor_finds_it_healthy(self, project: Project) -> None:
        done = project.start_read_only(SCRIPT, "doctor", "--deep")
        assert (done.returncode, done.stderr) == (0, "")

    def test_s4_a_writing_command_exits_with_a_fault(self, project: Project) -> None:
        done = project.start_read_only(SCRIPT, "alias", "x", "y")
        assert done.returncode == 74
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1

    def test_s4_a_read_only_store_that_was_never_made_is_no_data(self, project: Project) -> None:
        done = project.start_read_only(SCRIPT, "status", CAUSAL_STORE="elsewhere.db")
        assert done.returncode == 3
