"""What the evidence says of a change: each scenario that must vouch for it is judged, and the worst of them decides.

The evidence of a scenario for a change is the union of its running states that are valid under the policy with the
change in it, and that read at least one changed path. A pass without such a read says nothing about the change. A
failure of a candidate's run that came before its first read is attributed to the change (``assigned``): it counts
against, and lets nothing vouch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Evidence, Reason, Verdict
from pytest_causal.model.promotion import (
    CandidateVerdict,
    MetricLimit,
    MetricStanding,
    ScenarioVerdict,
)
from pytest_causal.model.run import ReadHow
from pytest_causal.rules.eligibility import clean_sessions_needed, decide_eligibility

WORSE_ALPHA = 0.05
"""Chance of holding a change back as worse than today's policy although it is not, at one look. It may be looked at
often, since a false alarm only delays: no promotion follows from it."""

_WORST_FIRST = (
    Verdict.REJECTED,
    Verdict.INERT,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_YET,
    Verdict.ELIGIBLE,
)


class Arm(NamedTuple):
    """Runs of one scenario and how many of them failed."""

    runs: int = 0
    failures: int = 0


class ScenarioCase(NamedTuple):
    """What is known of one scenario in view of a change.

    ``evidence`` is ``None`` where no valid run touched a changed path. ``reads`` are (changed path, how it is known).
    ``control`` is what it did under today's policy where it read a changed path. ``lesson`` is the number of the
    lesson that demands it, 0 for a scenario of the rule itself.
    """

    scenario: str
    criteria: Criteria
    evidence: Evidence | None
    reads: tuple[tuple[str, ReadHow], ...] = ()
    control: Arm = Arm()
    metrics: tuple[MetricStanding, ...] = ()
    lesson: int = 0


class CandidateCase(NamedTuple):
    """Everything that a verdict on a change depends on.

    ``unmatched`` are patterns of the rule that no scenario has. ``is_assumed`` says that today's runs stand for the
    candidate's. ``now_us`` counts microseconds since the epoch.
    """

    scenarios: tuple[ScenarioCase, ...]
    unmatched: tuple[str, ...]
    limits: tuple[MetricLimit, ...]
    is_assumed: bool
    now_us: int


def judge_candidate(case: CandidateCase) -> CandidateVerdict:
    """Return the verdict on a change. Without a single scenario it is inconclusive."""
    judged = tuple(_judge_scenario(each, case) for each in case.scenarios)
    verdicts = [each.verdict for each in judged]
    reasons = [reason for each in judged for reason in each.reasons]
    if case.unmatched or not judged:
        verdicts.append(Verdict.INCONCLUSIVE)
        reasons.append(Reason.NO_SCENARIO)
    if _unreported(case):
        verdicts.append(Verdict.INCONCLUSIVE)
        reasons.append(Reason.METRIC_MISSING)
    verdict = next(each for each in _WORST_FIRST if each in verdicts)
    return CandidateVerdict(verdict, tuple(dict.fromkeys(reasons)), judged, case.is_assumed)


def _judge_scenario(case: ScenarioCase, whole: CandidateCase) -> ScenarioVerdict:
    evidence = case.evidence or Evidence(scenario_id=0, reads_id=0)
    decision = decide_eligibility(evidence, case.criteria, whole.now_us)
    verdict, reasons = decision.verdict, list(decision.reasons)
    if verdict is not Verdict.REJECTED:
        verdict = _worst([verdict, *_objections(case, evidence, whole, reasons)])
    return ScenarioVerdict(
        scenario=case.scenario,
        verdict=verdict,
        reasons=tuple(reasons),
        runs=evidence.runs,
        units=evidence.units,
        failures=evidence.failed + evidence.errors,
        e_value=decision.e_value,
        clean_sessions_needed=clean_sessions_needed(evidence, case.criteria, decision),
        reads=tuple((path, str(how)) for path, how in case.reads),
        metrics=case.metrics,
        lesson=case.lesson,
    )


def _objections(
    case: ScenarioCase, evidence: Evidence, whole: CandidateCase, reasons: list[Reason]
) -> list[Verdict]:
    """Return verdicts beside that on the failure rate, adding why to ``reasons``."""
    found = []
    if not any(how is not ReadHow.ASSIGNED for _, how in case.reads):
        reasons[:] = [Reason.NEVER_READ]
        return [Verdict.INERT]
    mine = Arm(evidence.runs, evidence.failed + evidence.errors)
    if not whole.is_assumed and is_worse(mine, case.control):
        reasons.append(Reason.WORSE_THAN_CONTROL)
        found.append(Verdict.NOT_YET)
    standings = {each.metric: each for each in case.metrics}
    for limit in whole.limits:
        standing = standings.get(limit.metric)
        if standing is None or not (standing.measured or standing.broken):
            continue  # another scenario may report it; that none does is judged once, for all
        if standing.broken or standing.mean is None or standing.measured < evidence.passed:
            reasons.append(Reason.METRIC_MISSING)
            found.append(Verdict.INCONCLUSIVE)
        elif not _is_within(standing.mean, limit):
            reasons.append(Reason.METRIC_LIMIT)
            found.append(Verdict.NOT_YET)
    return found


def is_worse(candidate: Arm, control: Arm) -> bool:
    """Whether a candidate fails more often than the control by more than chance: Fisher's exact test, one-sided.

    With x failures in all, the chance that y or more of them fall on the candidate's m of the n runs is the upper
    tail of the hypergeometric distribution. False where either arm has no runs: nothing was compared.
    """
    if not candidate.runs or not control.runs:
        return False
    if candidate.failures * control.runs <= control.failures * candidate.runs:
        return False
    return fisher_upper(candidate, control) <= WORSE_ALPHA


def fisher_upper(candidate: Arm, control: Arm) -> float:
    """Return the one-sided p-value of Fisher's exact test that the candidate fails more often than the control."""
    total = candidate.runs + control.runs
    failures = candidate.failures + control.failures
    high = min(failures, candidate.runs)
    chances = (
        _log_choose(failures, hits)
        + _log_choose(total - failures, candidate.runs - hits)
        - _log_choose(total, candidate.runs)
        for hits in range(candidate.failures, high + 1)
    )
    return min(1.0, math.fsum(map(math.exp, chances)))


def _log_choose(total: int, chosen: int) -> float:
    if not 0 <= chosen <= total:
        return -math.inf
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)


def _is_within(mean: float, limit: MetricLimit) -> bool:
    above = limit.min is None or mean >= limit.min
    below = limit.max is None or mean <= limit.max
    return above and below and math.isfinite(mean)


def _unreported(case: CandidateCase) -> bool:
    reported = {each.metric for scenario in case.scenarios for each in scenario.metrics if each.measured}
    return any(limit.metric not in reported for limit in case.limits)


def _worst(verdicts: Iterable[Verdict] | Sequence[Verdict]) -> Verdict:
    return min(verdicts, key=_WORST_FIRST.index)
