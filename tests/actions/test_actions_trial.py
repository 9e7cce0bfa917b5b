"""Whole trials of a real program and a real suite."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_causal.actions.status import scenario_statuses
from pytest_causal.actions.trial import Progress, run_trial
from pytest_causal.actions.trial_arms import Ground
from pytest_causal.model.change import CONTROL
from pytest_causal.model.run import Outcome
from pytest_causal.model.trial import Finding, Kind, TrialReason, TrialResult, TrialVerdict
from pytest_causal.store.liveness import is_alive
from pytest_causal.store.opening import open_store
from tests.actions.trial_ground import ground_of, make_project, plan_of, recorded

CANDIDATE = "candidate:bigger"


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return ground_of(make_project(tmp_path / "project"))


def reasons(result: TrialResult) -> list[TrialReason]:
    assert result.verdict is not TrialVerdict.PASS
    return list(result.reasons)


def test_an_honest_candidate_passes(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "honest"), ground)
    assert (result.verdict, result.reasons, result.rounds) == (TrialVerdict.PASS, (), 5)
    assert (result.problems, result.stopped) == ((), "")
    (scenario,) = result.scenarios
    assert (scenario.scenario, scenario.reads) == ("load", (("pool.size", "observed"),))
    assert len(result.sessions) == len(set(result.sessions)) == 10


def test_the_sessions_of_a_trial_are_ordinary_evidence(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "honest"), ground)
    arms = [run.arm for run in recorded(ground)]
    assert (arms.count(CONTROL), arms.count(CANDIDATE)) == (5, 5)
    with closing(open_store(ground.settings.store)) as store:
        (status,) = scenario_statuses(
            store,
            store.scenarios(),
            general=ground.settings.criteria,
            policy=ground.policy.read_values | {"pool.size": "4"},
            now_us=result.started_us,
        )
        assert (status.evidence.runs, status.evidence.units) == (5, 5)
        assert status.runs_under_other_policies == 5


def test_a_candidate_that_fails_fails_the_trial(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "fails"), ground)
    assert (result.verdict, reasons(result)) == (TrialVerdict.FAIL, [TrialReason.WORSE])
    assert result.problems == (f"{CANDIDATE}, from round 1 on: exit status 3",)


def test_a_metric_is_judged_by_the_limit_that_the_rule_sets_for_it(ground: Ground) -> None:
    worse = run_trial(plan_of(ground, "slower", "limited"), ground)
    assert (worse.verdict, reasons(worse)) == (TrialVerdict.INCONCLUSIVE, [TrialReason.TOO_FEW_ROUNDS])
    worse = run_trial(
        plan_of(ground, "slower", "limited", rounds=6), ground
    )  # two quantities take one round more
    assert (worse.verdict, reasons(worse)) == (TrialVerdict.FAIL, [TrialReason.WORSE])
    better = run_trial(plan_of(ground, "faster", "limited", rounds=6), ground)
    assert better.verdict is TrialVerdict.PASS
    ((_, comparison),) = better.scenarios[0].metrics
    assert (comparison.finding, comparison.control, comparison.candidate) == (Finding.BETTER, 50.0, 25.0)


def test_a_broken_hard_limit_ends_the_trial(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "fails", "limited", rounds=50), ground)
    assert (result.verdict, reasons(result)) == (TrialVerdict.FAIL, [TrialReason.LIMIT_BROKEN])
    assert (result.rounds, result.stopped) == (1, "a hard limit is broken")
    (limit,) = result.broken
    assert (limit.signal, limit.value, limit.control, limit.rounds) == ("failure_rate", 1.0, 0.0, 1)


def test_where_nothing_would_change_nothing_is_run(ground: Ground) -> None:
    plan = plan_of(ground, "honest", "same")
    assert plan.change is None
    result = run_trial(plan, ground)
    assert reasons(result) == [TrialReason.NOTHING_TO_CHANGE]
    assert not Path(ground.settings.store).exists()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("silent", TrialReason.NO_DATA),
        ("broken", TrialReason.NO_DATA),
        ("no-policy", TrialReason.INERT),
        ("unread", TrialReason.INERT),
    ],
)
def test_m10_what_shows_nothing_never_passes(ground: Ground, word: str, expected: TrialReason) -> None:
    result = run_trial(plan_of(ground, word), ground)
    assert reasons(result) == [expected]
    assert result.verdict is TrialVerdict.INCONCLUSIVE
    assert result.is_inert == (expected is TrialReason.INERT)


def test_m10_when_both_arms_fail_alike_nothing_is_shown_of_the_change(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "all-fail"), ground)
    assert TrialReason.INERT in reasons(result)
    assert result.scenarios[0].failures.difference == 0.0


@pytest.mark.fault
def test_m10_a_candidate_that_hangs_fails_and_nothing_of_it_runs_on(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "hangs", "limited", timeout_seconds=4.0), ground)
    assert (result.verdict, reasons(result)) == (TrialVerdict.FAIL, [TrialReason.LIMIT_BROKEN])
    pids = [int(word) for word in (ground.directory / "pids").read_text().split()]
    assert len(pids) == 2
    assert not any(is_alive(f"{pid}:0") for pid in pids)


def test_a_first_round_that_leaves_nothing_is_the_last(ground: Ground) -> None:
    plan = plan_of(ground, "", words=(str(ground.directory / "none"),), rounds=50)
    result = run_trial(plan, ground)
    assert reasons(result) == [TrialReason.NO_RECORD]
    assert (result.rounds, result.stopped) == (1, "the first round left nothing to compare")
    assert len(result.problems) == 2


def order_of_arms(ground: Ground, seed: int) -> list[str]:
    told: list[Progress] = []
    run_trial(plan_of(ground, "honest", seed=seed, rounds=8), ground, watch=told.append)
    assert [each.round for each in told] == [1 + place // 2 for place in range(16)]
    assert told[0].seconds_left is None
    assert all(each.seconds_left is not None and each.seconds_left > 0 for each in told[2:])
    return [each.arm for each in told]


def test_the_seed_draws_the_order_of_the_arms_and_each_runs_once_a_round(ground: Ground) -> None:
    first = order_of_arms(ground, 1)
    assert first == order_of_arms(ground, 1)
    assert first != order_of_arms(ground, 2)
    assert all(set(first[place : place + 2]) == {CONTROL, CANDIDATE} for place in range(0, 16, 2))
    assert len({first[place] for place in range(0, 16, 2)}) == 2  # not always the same one goes first


def test_a_budget_that_holds_no_further_round_ends_the_trial_between_rounds(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "honest", rounds=100_000, budget_seconds=2.0), ground)
    assert result.rounds < 100_000
    # A machine that stalls in the very last round ends it in the middle instead.
    ends = ("the budget of 2 s does not hold another round", "the budget of 2 s is spent")
    assert result.stopped in ends
    assert len(recorded(ground)) - 2 * result.rounds in (0, ends.index(result.stopped))


@pytest.mark.fault
def test_a_budget_that_ends_in_the_middle_of_a_process_says_nothing_of_its_arm(ground: Ground) -> None:
    result = run_trial(plan_of(ground, "hangs", budget_seconds=1.0), ground)
    assert (result.rounds, result.stopped) == (0, "the budget of 1 s is spent")
    assert reasons(result) == [TrialReason.NO_RECORD]
    assert [run for run in recorded(ground) if run.outcome is not Outcome.PASSED] == []


@pytest.mark.fault
def test_an_interruption_ends_the_process_and_the_verdict_is_none(ground: Ground) -> None:
    stop = threading.Event()

    def ask() -> None:
        while not (ground.directory / "pids").exists():
            time.sleep(0.01)
        stop.set()

    asking = threading.Thread(target=ask)
    asking.start()
    result = run_trial(plan_of(ground, "hangs"), ground, is_stopped=stop.is_set)
    asking.join()
    assert (result.stopped, reasons(result)) == ("interrupted", [TrialReason.INTERRUPTED])
    pids = [int(word) for word in (ground.directory / "pids").read_text().split()]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "verdict"), [("", TrialVerdict.PASS), ("4", TrialVerdict.FAIL)], ids=["harmless", "harmful"]
)
def test_a_suite_is_tried_in_sessions_of_its_own(tmp_path: Path, harm: str, verdict: TrialVerdict) -> None:
    root = make_project(tmp_path / "project")
    (root / "test_suite.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.scenario('load')\n"
        "def test_load(causal_policy):\n"
        "    assert os.environ['HARM'] != str(causal_policy['pool']['size'])\n"
        "def test_aside():\n"
        "    pass\n"
    )
    ground = ground_of(root, HARM=harm)
    plan = plan_of(ground, "", kind=Kind.PYTEST, words=("-q", "-p", "no:cacheprovider"))
    result = run_trial(plan, ground)
    assert result.verdict is verdict, result
    (scenario,) = result.scenarios
    assert (scenario.scenario, scenario.reads) == ("load", (("pool.size", "tracked"),))
    assert len(result.sessions) == 10
