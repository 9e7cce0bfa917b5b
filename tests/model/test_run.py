"""What a run says for or against its scenario."""

from __future__ import annotations

import pytest

from pytest_causal.model.run import Cause, Outcome, Phase, Run

CAUSE = Cause(phase=Phase.CALL, type="xpassed(strict)", message="")


def run(outcome: Outcome, cause: Cause | None = None, **more: float) -> Run:
    return Run(scenario="a", nodeid="a", outcome=outcome, started_us=1, cause=cause, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("cause", [None, CAUSE], ids=["plain", "with a cause"])
def test_failed_error_crashed_and_a_strict_xpass_are_failures(outcome: Outcome, cause: Cause | None) -> None:
    always = {"failed", "error", "crashed"}
    assert run(outcome, cause).is_failure is (outcome in always or (outcome == "xpassed" and cause is CAUSE))


def test_the_duration_is_that_of_all_phases() -> None:
    timed = run(Outcome.PASSED, setup_seconds=0.25, call_seconds=0.5, teardown_seconds=1.0)
    assert timed.duration_seconds == 1.75


def test_a_run_is_a_first_attempt_of_its_own_unless_it_says_otherwise() -> None:
    plain = run(Outcome.PASSED)
    assert (plain.attempt, plain.occurrence, plain.is_superseded) == (1, 1, False)
    assert (plain.arm, plain.worker, plain.metrics, plain.reads) == ("control", "", (), ())


def test_the_words_of_the_design_are_the_values() -> None:
    assert " ".join(Outcome) == "passed failed error skipped xfailed xpassed crashed missing"
