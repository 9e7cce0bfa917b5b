"""One process of a trial, for real: what is recorded of a program, and of a suite."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.trial_arms import SESSION_KIND, Ground, Slot, arms_of, command_scenario
from pytest_causal.model.change import CONTROL
from pytest_causal.model.run import Metric, Outcome, Read, ReadHow
from pytest_causal.model.session import SessionState
from pytest_causal.model.trial import Attempt, Kind
from pytest_causal.store.opening import open_store
from tests.actions.trial_ground import ground_of, make_project, plan_of, recorded

CANDIDATE = "candidate:bigger"
SUITE = """
import os
import pytest

@pytest.mark.scenario("load")
def test_load(causal_policy, causal_metric):
    size = causal_policy["pool"]["size"]
    causal_metric("ms", 100 / size)
    assert os.environ.get("HARM") != str(size)

@pytest.mark.scenario("aside")
def test_aside():
    pass
"""


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return ground_of(make_project(tmp_path / "project"))


def run_once(ground: Ground, arm: str, word: str, **fields: Any) -> Attempt:
    plan = plan_of(ground, word, **fields)
    assert plan.change is not None
    return arms_of(plan, plan.change, ground).run(Slot(1, arm, f"key:{arm}"), lambda: False)


def run_suite(ground: Ground, arm: str, *words: str, timeout_seconds: float = 60.0) -> Attempt:
    (ground.directory / "test_suite.py").write_text(SUITE)
    fields: dict[str, Any] = {"kind": Kind.PYTEST, "words": words, "timeout_seconds": timeout_seconds}
    return run_once(ground, arm, "", **fields)


@pytest.mark.parametrize(("arm", "size"), [(CONTROL, "2"), (CANDIDATE, "4")])
def test_a_program_gets_the_values_of_its_arm_and_its_answer_is_recorded(
    ground: Ground, arm: str, size: str
) -> None:
    attempt = run_once(ground, arm, "honest")
    (run,) = attempt.runs
    assert (attempt.problem, run.outcome, run.arm, run.scenario) == ("", Outcome.PASSED, arm, "load")
    assert run.metrics == (Metric("ms", 100.0),)
    assert run.reads == (Read("pool.size", size, ReadHow.OBSERVED),)
    assert recorded(ground) == [run]
    with closing(open_store(ground.settings.store)) as store:
        session = store.session(attempt.session)
    assert (session.facts.kind, session.facts.key) == (SESSION_KIND, f"key:{arm}")
    assert session.ending.state is SessionState.FINISHED


def test_m10_a_program_that_does_not_answer_is_missing_not_passed(ground: Ground) -> None:
    attempt = run_once(ground, CONTROL, "silent")
    assert [run.outcome for run in recorded(ground)] == [Outcome.MISSING]
    assert attempt.problem.startswith("it did not answer; write one JSON object")


def test_m10_a_program_that_does_not_say_what_it_used_read_nothing(ground: Ground) -> None:
    (run,) = run_once(ground, CANDIDATE, "no-policy").runs
    assert (run.outcome, run.reads, run.metrics) == (Outcome.PASSED, (), (Metric("ms", 1.0),))


def test_a_program_that_used_other_values_has_failed_and_speaks_against_the_candidate(ground: Ground) -> None:
    attempt = run_once(ground, CANDIDATE, "other-values")
    (run,) = attempt.runs
    assert run.outcome is Outcome.FAILED
    assert run.cause is not None
    assert run.cause.type.endswith("PolicyMismatch")
    assert attempt.problem == "it used other values than it was given: pool.size"
    assert run.reads == (Read("pool.size", "4", ReadHow.ASSIGNED),)


def test_an_answer_that_cannot_be_used_is_told_and_not_stored(ground: Ground) -> None:
    attempt = run_once(ground, CANDIDATE, "broken")
    assert "NaN is not JSON" in attempt.problem
    (run,) = recorded(ground)
    assert (run.outcome, run.reads) == (Outcome.MISSING, (Read("pool.size", "4", ReadHow.ASSIGNED),))
    assert run.cause is not None
    assert run.cause.message == "no answer that can be used"


def test_an_exit_status_fails_a_run_whatever_was_answered(ground: Ground) -> None:
    (run,) = run_once(ground, CANDIDATE, "fails").runs
    assert (run.outcome, run.reads) == (Outcome.FAILED, (Read("pool.size", "4", ReadHow.OBSERVED),))
    assert run.cause is not None
    assert run.cause.message == "exit status 3"


@pytest.mark.fault
def test_m10_k15_a_program_that_dies_by_a_signal_has_crashed(ground: Ground) -> None:
    (run,) = run_once(ground, CANDIDATE, "crashes").runs
    assert run.cause is not None
    assert run.cause.message == "killed by SIGSEGV"
    assert (run.outcome, run.reads) == (Outcome.CRASHED, (Read("pool.size", "4", ReadHow.ASSIGNED),))


@pytest.mark.fault
def test_m10_a_program_that_hangs_has_failed_by_its_time_limit(ground: Ground) -> None:
    attempt = run_once(ground, CANDIDATE, "hangs", timeout_seconds=1.0)
    (run,) = attempt.runs
    assert (attempt.is_timed_out, run.outcome) == (True, Outcome.FAILED)
    assert run.cause is not None
    assert run.cause.type == "builtins.TimeoutError"


def test_a_program_that_was_stopped_is_not_recorded(ground: Ground) -> None:
    plan = plan_of(ground, "hangs")
    assert plan.change is not None
    attempt = arms_of(plan, plan.change, ground).run(Slot(1, CANDIDATE, "key"), lambda: True)
    assert (attempt.is_cut_off, attempt.runs, attempt.session) == (True, (), 0)


def test_a_program_that_cannot_be_started_is_a_problem_and_no_run(ground: Ground) -> None:
    attempt = run_once(ground, CONTROL, "honest", words=(str(ground.directory / "none"),))
    assert (attempt.problem, attempt.runs) == ("it cannot be started: No such file or directory", ())


def test_the_scenario_of_a_program_is_the_one_its_rule_names(ground: Ground) -> None:
    plan = plan_of(ground, "honest")
    several = plan._replace(rule=plan.rule._replace(scenarios=("load", "other")))
    assert command_scenario(plan) == "load"
    assert command_scenario(plan._replace(rule=plan.rule._replace(scenarios=("load", "deep-*")))) == "load"
    assert command_scenario(several) == f"command:{Path(sys.executable).name}"


@pytest.mark.parametrize(("arm", "size"), [(CONTROL, "2"), (CANDIDATE, "4")])
def test_a_suite_runs_under_its_arm_and_is_found_again(ground: Ground, arm: str, size: str) -> None:
    attempt = run_suite(ground, arm, "-q", "test_suite.py")
    assert attempt.problem == ""
    runs = {run.scenario: run for run in attempt.runs}
    assert set(runs) == {"load", "aside"}
    assert (runs["load"].arm, runs["load"].reads) == (arm, (Read("pool.size", size),))
    assert runs["load"].metrics == (Metric("ms", 100 / int(size)),)


def test_nothing_is_decided_in_the_middle_of_a_trial(ground: Ground) -> None:
    rule = 'mode = "auto"\nevidence = "control"\nrevert_when = {failure_rate = {max = 0.5}}\n'
    rule += 'criteria = {rule = "threshold", min_runs = 1, min_sessions = 1}\n'
    config = ground.directory / "causal.toml"
    config.write_text(config.read_text().replace('name = "bigger"\n', f'name = "bigger"\n{rule}'))
    assert run_suite(ground_of(ground.directory), CONTROL, "-q").runs
    with closing(open_store(ground.settings.store)) as store:
        assert store.promotions() == []


def test_a_suite_that_cannot_run_says_why(ground: Ground) -> None:
    attempt = run_suite(ground, CONTROL, "--no-such-option")
    assert (attempt.session, attempt.runs) == (0, ())
    assert attempt.problem.startswith("exit status 4: ")
    assert "--no-such-option" in attempt.problem


def test_m10_a_suite_without_tests_says_so(ground: Ground) -> None:
    attempt = run_suite(ground, CONTROL, "-k", "nothing", "test_suite.py")
    assert attempt.runs == ()
    assert attempt.problem.startswith("exit status 5")


def test_a_suite_that_was_interrupted_speaks_against_its_arm_only(ground: Ground) -> None:
    (ground.directory / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_runtest_teardown(item):\n"
        "    if item.name == 'test_load':\n"
        "        raise KeyboardInterrupt\n"
    )
    attempt = run_suite(ground, CONTROL, "test_suite.py")
    assert attempt.problem.startswith("exit status 2")
    assert [run for run in attempt.runs if not run.is_failure] == []


@pytest.mark.slow
@pytest.mark.fault
def test_m10_a_suite_that_hangs_is_ended_and_its_session_closed(ground: Ground) -> None:
    (ground.directory / "test_hang.py").write_text(
        "import time, pytest\n"
        "@pytest.mark.scenario('load')\n"
        "def test_hang(causal_policy):\n"
        "    assert causal_policy['pool']['size']\n"
        "    open('reached', 'w').close()\n"
        "    time.sleep(600)\n"
    )
    attempt = run_suite(ground, CANDIDATE, "test_hang.py", timeout_seconds=10.0)
    assert (ground.directory / "reached").exists()
    assert (attempt.is_killed, attempt.is_timed_out) == (True, True)
    with closing(open_store(ground.settings.store)) as store:
        assert store.session(attempt.session).ending.state is SessionState.ABANDONED
