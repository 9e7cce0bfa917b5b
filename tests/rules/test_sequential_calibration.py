"""How often the rule is wrong, computed exactly through the rule itself, and measured where runs are correlated."""

from __future__ import annotations

import random
from functools import cache

import pytest

from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Evidence, Reason, Tally, Verdict
from pytest_causal.rules.eligibility import decide_eligibility, fold

LOOKS = 2_000
BLOCKING = {
    Reason.NOT_PROVEN,
    Reason.FAILURE_RATE,
    Reason.TOO_FEW_RUNS,
    Reason.TOO_FEW_SESSIONS,
    Reason.PROVEN_BAD,
}
"""All reasons but that the newest session failed: wealth rises only with a clean one."""


def session(order: int, passed: int, failed: int) -> Tally:
    return Tally(
        scenario_id=1,
        reads_id=0,
        order=order,
        session=order,
        commit="",
        last_run_us=order,
        passed=passed,
        failed=failed,
    )


def state(sessions: int, failures: int, criteria: Criteria) -> Evidence:
    """Return the state after so many sessions of one run, failures first."""
    evidence = Evidence(scenario_id=1, reads_id=0)
    for order in range(1, sessions + 1):
        is_failure = order <= failures
        evidence = fold(evidence, session(order, not is_failure, is_failure), criteria)
    return evidence


def is_enough(evidence: Evidence, criteria: Criteria) -> bool:
    return BLOCKING.isdisjoint(decide_eligibility(evidence, criteria, evidence.last_run_us).reasons)


@cache
def most_failures_by_look(criteria: Criteria) -> tuple[int, ...]:
    """Return, for each look from the first, the most failures with which the rule would say eligible; -1 for none.

    The rule's state depends on the number of failures alone as long as it has not said eligible, for the cap is ten
    times what makes it say so.
    """
    boundary = []
    failures, evidence = 0, Evidence(scenario_id=1, reads_id=0)
    for look in range(1, LOOKS + 1):
        if failures < look:
            evidence = fold(evidence, session(look, 1, 0), criteria)
        while failures < look and is_enough(evidence, criteria):
            failures += 1
            evidence = state(look, failures, criteria)
        boundary.append(failures - 1)
    return tuple(boundary)


def chance_of_ever_eligible(criteria: Criteria, failure_rate: float) -> float:
    """Return the probability that one of the looks says eligible: an exact recursion over (sessions, failures)."""
    waiting = {0: 1.0}
    eligible = 0.0
    for most in most_failures_by_look(criteria):
        after: dict[int, float] = {}
        for failures, chance in waiting.items():
            after[failures] = after.get(failures, 0.0) + chance * (1 - failure_rate)
            after[failures + 1] = after.get(failures + 1, 0.0) + chance * failure_rate
        eligible += sum(chance for failures, chance in after.items() if failures <= most)
        # States as unlikely as this are counted as eligible at once, which errs against the rule.
        eligible += sum(chance for failures, chance in after.items() if failures > most and chance < 1e-15)
        waiting = {
            failures: chance for failures, chance in after.items() if failures > most and chance >= 1e-15
        }
    return eligible


@pytest.mark.parametrize(("limit", "chance"), [(0.15, None), (0.10, 0.0468), (0.05, 0.0466), (0.01, 0.0397)])
def test_false_eligible_at_the_limit_is_at_most_alpha_over_2000_looks(
    limit: float, chance: float | None
) -> None:
    criteria = Criteria(max_failure_rate=limit, min_runs=1, min_sessions=1)
    exact = chance_of_ever_eligible(criteria, limit)
    assert 0.03 < exact <= 0.05
    if chance is not None:
        assert exact == pytest.approx(chance, abs=1e-4)


def test_false_eligible_with_the_floors_of_the_defaults() -> None:
    assert chance_of_ever_eligible(Criteria(), 0.15) <= 0.05


def test_a_good_scenario_becomes_eligible() -> None:
    criteria = Criteria(max_failure_rate=0.10, min_runs=1, min_sessions=1)
    assert chance_of_ever_eligible(criteria, 0.02) > 0.999


def test_the_computation_tells_a_rule_that_peeking_breaks() -> None:
    floors_only = Criteria(rule=Rule.THRESHOLD, max_failure_rate=0.10, min_runs=20)
    assert chance_of_ever_eligible(floors_only, 0.10) == pytest.approx(0.97, abs=0.005)
    lax = Criteria(max_failure_rate=0.10, alpha=0.2, min_runs=1, min_sessions=1)
    assert 0.1 < chance_of_ever_eligible(lax, 0.10) <= 0.2


def share_eligible_of_correlated_sessions(unit: Unit, suites: int = 200) -> float:
    """Return how often 200 sessions of ten runs at the limit are ever called eligible, rates varying by session.

    A session's rate is drawn from a beta distribution with mean 0.1 and correlation 0.2 between its runs.
    """
    criteria = Criteria(max_failure_rate=0.1, unit=unit)
    rng = random.Random(20_100_968)
    scatter = (1 - 0.2) / 0.2
    eligible = 0
    for _ in range(suites):
        evidence = Evidence(scenario_id=1, reads_id=0)
        for order in range(1, 201):
            rate = rng.betavariate(0.1 * scatter, 0.9 * scatter)
            failed = sum(rng.random() < rate for _ in range(10))
            evidence = fold(evidence, session(order, 10 - failed, failed), criteria)
            if decide_eligibility(evidence, criteria, order).verdict is Verdict.ELIGIBLE:
                eligible += 1
                break
    return eligible / suites


def test_correlated_runs_fool_bets_by_run_but_not_by_session() -> None:
    assert share_eligible_of_correlated_sessions(Unit.RUN) > 0.15
    assert share_eligible_of_correlated_sessions(Unit.SESSION) <= 0.05
