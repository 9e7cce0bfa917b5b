"""Eligibility: units of evidence are folded into a running state, and the state is judged.

A unit is what one session key says of a scenario under one set of reads. Its badness is the failed fraction of its
executions, which keeps the test valid however the executions of one session depend on each other; only where a
scenario declares independent runs is each execution a bet of its own. See :mod:`pytest_causal.rules.sequential`.
"""

from __future__ import annotations

import math

from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Decision, Evidence, Reason, Tally, Verdict
from pytest_causal.rules.completeness import complete_units_needed, incomplete_share, moved, newest_units
from pytest_causal.rules.sequential import (
    Weights,
    bet,
    bet_on_ruin,
    clean_units_needed,
    e_value,
    failure_rate_upper,
    threshold,
)

_DAY_US = 86_400_000_000
_CLOCK_TOLERANCE_US = _DAY_US
"""Evidence dated further ahead than this comes from a clock that jumped, and would otherwise stay fresh for ever."""

_PASSED, _FAILED = 1, 2
_LAST_RUN = Evidence._fields.index("last_run_us")


def fold(evidence: Evidence, tally: Tally, criteria: Criteria) -> Evidence:
    """Return the running state after one more unit, which must be newer than all before (else ValueError).

    A unit in which nothing ran but skips changes only ``skipped``. Of a unit that may not vouch, passes are dropped
    and failures count with badness 1, whatever passed beside them: wealth can then only fall, below what the true
    fraction would leave of it. It does not touch ruin: such a unit neither clears a scenario nor proves it bad (had
    passes dropped and failures counted there, every run stopped at a failure elsewhere would tilt the bet).
    Raises ValueError where limit, alpha or flaky weight are out of range.
    """
    may_vouch = tally.may_vouch
    failed, errors, flaky = tally.failed, tally.errors, tally.flaky
    if may_vouch:
        passed = tally.passed - flaky
    else:
        passed = 0
        flaky = flaky if criteria.flaky_weight > 0.0 else 0
    runs = passed + failed + errors + flaky
    is_incomplete = not may_vouch or tally.missing > 0 or tally.infrastructure > 0
    if not runs and not is_incomplete:
        return evidence._replace(skipped=evidence.skipped + tally.skipped)
    gap = tally.order - evidence.last_order
    if gap <= 0:
        raise ValueError(f"unit {tally.order} is folded after unit {evidence.last_order} of the same stream")
    wealth, ruin, staked, share = evidence.wealth, evidence.ruin, 0.0, evidence.last_badness
    if runs:
        share = (failed + errors + criteria.flaky_weight * flaky) / runs if may_vouch else 1.0
        wealth, ruin, staked = _stake(evidence, tally, criteria, share)
    commit, marks, contradictions, since = _contradictions(evidence, tally, passed > 0)
    return Evidence(  # by place, in the order of the fields: by keyword it costs 1.4 us more
        evidence.scenario_id,
        evidence.reads_id,
        evidence.passed + passed,
        evidence.failed + failed + flaky,
        evidence.errors + errors,
        evidence.flaky + flaky,
        evidence.skipped + tally.skipped,
        evidence.missing + tally.missing,
        evidence.infrastructure + tally.infrastructure,
        evidence.units + (1 if runs else 0),
        evidence.badness + staked,
        wealth,
        ruin,
        moved(evidence.recent, gap) | is_incomplete,
        moved(evidence.recent_units, gap) | 1,
        tally.order,
        tally.session,
        share,
        tally.last_run_us if runs else evidence.last_run_us,
        commit,
        marks,
        contradictions,
        since,
        evidence.verdict,
    )


def decide_eligibility(evidence: Evidence, criteria: Criteria, now_us: int) -> Decision:
    """Return the verdict on a state, folded under the same criteria, at a time in microseconds since the epoch.

    No comparison lets NaN through: a state that holds one is no evidence. The failure rate of the floor speaks of
    executions, ``(failed + errors) / runs``, with flaky ones weighed as in the bets. Raises ValueError for an alpha
    outside (0, 1).
    """
    for_it = e_value(evidence.wealth)
    verdict, reasons = _verdict(evidence, criteria, now_us, for_it)
    return Decision(verdict, reasons, for_it)


class Judge:
    """Gives the verdicts of :func:`decide_eligibility` on many states, under one set of criteria and at one time.

    Most scenarios of a suite have the same history but for their names: what was decided once is remembered by all
    that a verdict hangs on.
    """

    def __init__(self, criteria: Criteria, now_us: int) -> None:
        self.criteria = criteria
        self._now_us = now_us
        self._ages_us = _fresh_ages_us(criteria)
        self._known: dict[object, Decision] = {}

    def decide(self, evidence: Evidence) -> Decision:
        """Return the verdict on a state. Raises ValueError as :func:`decide_eligibility` does."""
        least_us, most_us = self._ages_us
        history = evidence[2:_LAST_RUN], least_us <= self._now_us - evidence.last_run_us <= most_us
        known = self._known.get(history)
        if known is None:
            known = self._known[history] = decide_eligibility(evidence, self.criteria, self._now_us)
        return known


def _verdict(
    evidence: Evidence, criteria: Criteria, now_us: int, for_it: float
) -> tuple[Verdict, tuple[Reason, ...]]:
    proof = threshold(criteria.alpha)
    against_it = e_value(evidence.ruin)
    is_sequential = criteria.rule is Rule.SEQUENTIAL
    sums = for_it + against_it + evidence.badness + evidence.last_badness
    if not evidence.units or not math.isfinite(sums):
        return Verdict.INCONCLUSIVE, (Reason.NO_EVIDENCE,)
    if not incomplete_share(evidence.recent, evidence.recent_units) <= criteria.max_incomplete_rate:
        return Verdict.INCONCLUSIVE, (Reason.INCOMPLETE,)
    if is_sequential and against_it >= proof:
        return Verdict.REJECTED, (Reason.PROVEN_BAD,)
    unmet = _unmet(evidence, criteria, now_us)
    if is_sequential and for_it < proof:
        unmet.append(Reason.NOT_PROVEN)
    return (Verdict.NOT_YET, tuple(unmet)) if unmet else (Verdict.ELIGIBLE, ())


def clean_sessions_needed(evidence: Evidence, criteria: Criteria, decision: Decision) -> int | None:
    """Return how many clean sessions, the next in the history, would make a scenario eligible.

    0 where it is; ``None`` where clean sessions alone cannot. Sessions to come are taken to hold as many runs as
    those so far did on average. One is needed in any case: it is also the fresh and clean newest session. Ruin needs
    no look: where wealth reaches its threshold, ruin is below 1, because the evidence is log-concave in the rate
    that a player believes in.
    """
    if decision.verdict is Verdict.ELIGIBLE:
        return 0
    runs = evidence.runs
    per_session = runs / evidence.units if evidence.units else 1.0
    too_high = _failures(evidence, criteria) / criteria.max_failure_rate - runs
    needs = [
        1,
        criteria.min_sessions - evidence.units,
        _at_least((criteria.min_runs - runs) / per_session),
        _at_least(too_high / per_session),
        complete_units_needed(evidence.recent, evidence.recent_units, criteria.max_incomplete_rate),
    ]
    if criteria.rule is Rule.SEQUENTIAL:
        units = clean_units_needed(evidence.wealth, criteria.max_failure_rate, criteria.alpha)
        is_by_run = criteria.unit is Unit.RUN
        needs.append(_at_least(units / per_session) if units and is_by_run else units)
    known = [need for need in needs if need is not None]
    return max(known) if len(known) == len(needs) else None


def recent_incomplete(evidence: Evidence) -> tuple[int, int]:
    """Return how many of the newest units (at most 20, within the last 62 places) were incomplete, and of how many."""
    return newest_units(evidence.recent, evidence.recent_units)


def failure_rate_bound(evidence: Evidence, criteria: Criteria) -> float:
    """Return the rate that the true failure rate exceeds with probability at most alpha, looked at at any time."""
    bets = evidence.runs if criteria.unit is Unit.RUN else evidence.units
    return failure_rate_upper(bets, evidence.badness, criteria.alpha)


def _stake(
    evidence: Evidence, tally: Tally, criteria: Criteria, share: float
) -> tuple[Weights, Weights, float]:
    """Return wealth and ruin after the bets of one unit, and the badness they summed to."""
    limit, alpha = criteria.max_failure_rate, criteria.alpha
    wealth, ruin, staked = evidence.wealth, evidence.ruin, 0.0
    for badness in _executions(tally, criteria.flaky_weight) if criteria.unit is Unit.RUN else (share,):
        wealth = bet(wealth, badness, limit, alpha)
        if tally.may_vouch:
            ruin = bet_on_ruin(ruin, badness, limit, alpha)
        staked += badness
    return wealth, ruin, staked


def _executions(tally: Tally, flaky_weight: float) -> list[float]:
    """Return the badness of each execution, clean ones first.

    The order within a unit is not known. Without the cap it would not matter; under it, failures last is the order
    that leaves the least wealth.
    """
    failures = tally.failed + tally.errors
    if not tally.may_vouch:
        return [1.0] * (failures + (tally.flaky if flaky_weight > 0.0 else 0))
    return [0.0] * (tally.passed - tally.flaky) + [flaky_weight] * tally.flaky + [1.0] * failures


def _contradictions(evidence: Evidence, tally: Tally, has_passed: bool) -> tuple[str, int, int, int]:
    """Return commit_seen, commit_marks, contradictions and flaky_since after a unit."""
    commit, marks, found = evidence.commit_seen, evidence.commit_marks, tally.flaky
    if tally.commit:
        before = marks if tally.commit == commit else 0
        commit = tally.commit
        marks = before | (_PASSED if has_passed else 0) | (_FAILED if tally.failed or tally.errors else 0)
        if marks == _PASSED | _FAILED != before:
            found += 1
    since = evidence.flaky_since or (tally.session if found else 0)
    return commit, marks, evidence.contradictions + found, since


def _failures(evidence: Evidence, criteria: Criteria) -> float:
    return evidence.failed + evidence.errors - (1.0 - criteria.flaky_weight) * evidence.flaky


def _unmet(evidence: Evidence, criteria: Criteria, now_us: int) -> list[Reason]:
    """Return the floors that a state with evidence does not meet, in the order in which they are shown."""
    unmet = []
    runs = evidence.passed + evidence.failed + evidence.errors
    if runs < criteria.min_runs:
        unmet.append(Reason.TOO_FEW_RUNS)
    if evidence.units < criteria.min_sessions:
        unmet.append(Reason.TOO_FEW_SESSIONS)
    if not _failures(evidence, criteria) / runs <= criteria.max_failure_rate:
        unmet.append(Reason.FAILURE_RATE)
    if evidence.last_badness > 0.0:
        unmet.append(Reason.NEWEST_FAILED)
    least_us, most_us = _fresh_ages_us(criteria)
    if not least_us <= now_us - evidence.last_run_us <= most_us:
        unmet.append(Reason.STALE)
    return unmet


def _fresh_ages_us(criteria: Criteria) -> tuple[int, float]:
    """Return the least and the greatest age of a last run that is not stale, in microseconds."""
    return -_CLOCK_TOLERANCE_US, criteria.max_age_days * _DAY_US


def _at_least(amount: float) -> int:
    """Return a float as the whole number that is not below it, but for rounding errors."""
    return math.ceil(amount - 1e-9)
