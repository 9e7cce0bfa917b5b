from __future__ import annotations

import pytest

from pytest_causal.model.run import Cause, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.rules.attribution import attributed

CHANGED = (Read("b", "2", ReadHow.ASSIGNED), Read("d", "4", ReadHow.ASSIGNED))
STRICT = Cause(phase=Phase.CALL, type="xpassed(strict)", message="")


def run(outcome: Outcome, *reads: Read, cause: Cause | None = None) -> Run:
    return Run(scenario="s", nodeid="s", outcome=outcome, started_us=1, cause=cause, reads=reads)


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.XFAILED, Outcome.XPASSED])
def test_a_pass_answers_for_nothing_that_it_did_not_read(outcome: Outcome) -> None:
    passed = run(outcome, Read("a", "1"))
    assert attributed(passed, CHANGED) == passed


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.PASSED, Outcome.XFAILED, Outcome.XPASSED}))
def test_every_other_end_before_a_read_of_the_change_speaks_against_the_candidate(outcome: Outcome) -> None:
    read = Read("c", "3")
    assert attributed(run(outcome, read), CHANGED).reads == (CHANGED[0], read, CHANGED[1])
    assert attributed(run(outcome), CHANGED).reads == CHANGED


def test_a_strict_xpass_is_a_failure() -> None:
    assert attributed(run(Outcome.XPASSED, cause=STRICT), CHANGED).reads == CHANGED


def test_one_changed_value_that_was_read_is_enough_to_answer_by_itself() -> None:
    failed = run(Outcome.FAILED, Read("d", "4"))
    assert attributed(failed, CHANGED) == failed
