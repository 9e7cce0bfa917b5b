from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.run import Cause, Metric, MetricKind, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.trial import Attempt
from pytest_causal.rules.round_values import ScenarioValues, is_timeout, round_values

PATH = "pool.size"
CHANGED = {PATH: "4"}
MINE = (Read(PATH, "4"),)
OTHERS = (Read(PATH, "2"),)
CAUSE = Cause(Phase.CALL, "builtins.AssertionError", "it broke")


def a_run(outcome: Outcome = Outcome.PASSED, **fields: Any) -> Run:
    given = {"cause": None if outcome is Outcome.PASSED else CAUSE, "reads": MINE, "nodeid": "t"} | fields
    return Run(scenario="s", outcome=outcome, started_us=1, **given)


def values(*runs: Run, is_candidate: bool = True) -> ScenarioValues:
    attempt = Attempt(1, "candidate:x", runs=runs)
    return round_values(attempt, CHANGED, is_candidate=is_candidate)["s"]


def test_the_failed_fraction_is_over_executions() -> None:
    runs = [a_run(nodeid=f"t{place}") for place in range(3)] + [a_run(Outcome.FAILED, nodeid="u")]
    assert (values(*runs).runs, values(*runs).failed) == (4, 0.25)


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.CRASHED, Outcome.XPASSED])
def test_what_speaks_against_a_scenario_is_a_failure(outcome: Outcome) -> None:
    assert values(a_run(outcome)).failed == 1.0


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, Outcome.MISSING])
def test_m10_what_did_not_run_is_no_data(outcome: Outcome) -> None:
    assert (values(a_run(outcome)).runs, values(a_run(outcome)).failed) == (0, None)


def test_an_expected_failure_is_a_pass() -> None:
    assert values(a_run(Outcome.XFAILED)).failed == 0.0


def test_a_pass_on_rerun_counts_as_failed_once() -> None:
    first = a_run(Outcome.FAILED, attempt=1, is_superseded=True)
    assert values(first, a_run(attempt=2))[:2] == (1, 1.0)


def test_a_failure_that_infrastructure_is_to_blame_for_is_no_failure() -> None:
    blamed = a_run(Outcome.FAILED, cause=CAUSE._replace(is_infrastructure=True))
    assert values(blamed).failed is None
    assert values(blamed._replace(is_superseded=True), a_run(attempt=2)).failed == 0.0


def test_m10_a_pass_of_the_candidate_that_read_no_changed_path_is_no_data() -> None:
    idle = a_run(reads=(Read("other.path", "1"),))
    assert values(idle).failed is None
    assert (values(idle).reads, values(idle).idle) == (frozenset(), 1)
    assert values(idle, is_candidate=False).failed == 0.0


@pytest.mark.parametrize("is_candidate", [True, False])
def test_a_pass_that_read_the_value_of_the_other_arm_is_no_data(is_candidate: bool) -> None:
    assert values(a_run(reads=OTHERS), is_candidate=is_candidate).failed is None


def test_a_failure_counts_whatever_it_read() -> None:
    for reads in ((), OTHERS):
        assert values(a_run(Outcome.FAILED, reads=reads)).failed == 1.0


def test_assigned_reads_are_no_knowledge() -> None:
    assigned = a_run(Outcome.FAILED, reads=(Read(PATH, "4", ReadHow.ASSIGNED),))
    assert values(assigned).reads == frozenset()
    observed = a_run(reads=(Read(PATH, "4", ReadHow.OBSERVED),))
    assert values(observed).reads == {(PATH, "observed")}


def test_metrics_are_means_and_one_that_is_no_number_makes_none_of_them() -> None:
    good = [a_run(nodeid=f"t{n}", metrics=(Metric("ms", float(n)), Metric("rows", 1.0))) for n in (1, 3)]
    assert values(*good).metrics == {"ms": 2.0, "rows": 1.0}
    broken = a_run(nodeid="u", metrics=(Metric("ms", None, MetricKind.NAN),))
    assert values(*good, broken).metrics == {"ms": None, "rows": 1.0}


def test_metrics_beyond_floats_are_none() -> None:
    runs = [a_run(nodeid=f"t{n}", metrics=(Metric("ms", 1.7e308),)) for n in range(2)]
    assert values(*runs).metrics == {"ms": None}


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (Cause(Phase.CALL, "builtins.TimeoutError", ""), True),
        (Cause(Phase.CALL, "requests.exceptions.ReadTimeout", ""), True),
        (Cause(Phase.CALL, "Failed", "Failed: Timeout (>1.0s) from pytest-timeout."), True),
        (Cause(Phase.CALL, "builtins.ValueError", "the timeout of the pool is wrong"), False),
    ],
)
def test_timeouts_are_known_by_their_exception(cause: Cause, expected: bool) -> None:
    assert is_timeout(a_run(Outcome.FAILED, cause=cause)) is expected
    assert values(a_run(Outcome.FAILED, cause=cause)).timed_out == float(expected)


def test_a_pass_is_no_timeout() -> None:
    assert not is_timeout(a_run(cause=Cause(Phase.CALL, "TimeoutError", "")))
