"""Puts evidence and verdicts into plain words. The rules give slugs and numbers; only this module gives sentences."""

from __future__ import annotations

import math

from pytest_causal.model.criteria import Criteria, Unit
from pytest_causal.model.evidence import Decision, Evidence, Reason, Verdict
from pytest_causal.rules.eligibility import clean_sessions_needed, failure_rate_bound, recent_incomplete

VERDICT_WORDS = {
    Verdict.ELIGIBLE: "eligible",
    Verdict.NOT_YET: "not yet",
    Verdict.REJECTED: "rejected",
    Verdict.INERT: "inert",
    Verdict.INCONCLUSIVE: "inconclusive",
}


def evidence_words(evidence: Evidence, criteria: Criteria, decision: Decision) -> str:
    """Return one line: what was seen, what it proves, and what is still needed."""
    parts = [
        _seen(evidence),
        _proven(evidence, criteria),
        *_stops(evidence, criteria, decision),
        _needed(evidence, criteria, decision),
    ]
    return "; ".join(part for part in parts if part)


def reason_words(evidence: Evidence, criteria: Criteria, decision: Decision) -> str:
    """Return why a verdict is not ``eligible``, beside the numbers; empty where the numbers say it all."""
    return "; ".join(_stops(evidence, criteria, decision))


def plural(count: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(ratio: float) -> str:
    """Return a ratio as a percentage with the digits that matter: ``16 %``, ``4.3 %``, ``0.72 %``."""
    value = ratio * 100
    return f"{value:.{_digits(value)}f} %"


def bound_percent(ratio: float) -> str:
    """Return an upper bound as a percentage, rounded up: never less than what was proven."""
    value = ratio * 100
    digits = _digits(value)
    step = 10**digits
    return f"{math.ceil(value * step - 1e-6) / step:.{digits}f} %"


def _digits(value: float) -> int:
    return 0 if value >= 9.95 else 1 if value >= 0.995 else 2


def _seen(evidence: Evidence) -> str:
    if not evidence.runs:
        return "no runs that say anything"
    seen = f"{plural(evidence.runs, 'run')} in {plural(evidence.units, 'session')}"
    bad = evidence.failed + evidence.errors
    seen += f", {bad:,} failed" if bad else ", none failed"
    return seen + (f" ({evidence.flaky:,} only at first)" if evidence.flaky else "")


def _proven(evidence: Evidence, criteria: Criteria) -> str:
    if not evidence.units:
        return ""
    upper = failure_rate_bound(evidence, criteria)
    if upper >= 1:
        return ""
    return f"failure rate below {bound_percent(upper)} ({percent(1 - criteria.alpha)}, at any time)"


def _needed(evidence: Evidence, criteria: Criteria, decision: Decision) -> str:
    needed = clean_sessions_needed(evidence, criteria, decision)
    return f"{needed:,} more clean {'session' if needed == 1 else 'sessions'}" if needed else ""


def _stops(evidence: Evidence, criteria: Criteria, decision: Decision) -> list[str]:
    return [words for reason in decision.reasons if (words := _stop(reason, evidence, criteria))]


def _stop(reason: Reason, evidence: Evidence, criteria: Criteria) -> str:
    unit = "run" if criteria.unit is Unit.RUN else "session"
    incomplete, recent_units = recent_incomplete(evidence)
    rate = (evidence.failed + evidence.errors) / evidence.runs if evidence.runs else 0.0
    return {
        Reason.NO_EVIDENCE: "",
        Reason.INCOMPLETE: f"{incomplete} of the last {plural(recent_units, 'session')} incomplete",
        Reason.TOO_FEW_RUNS: "",  # what is still needed says it better
        Reason.TOO_FEW_SESSIONS: "",
        Reason.FAILURE_RATE: f"{percent(rate)} failed, limit {percent(criteria.max_failure_rate)}",
        Reason.NEWEST_FAILED: f"the newest {unit} failed",
        Reason.STALE: f"nothing newer than {criteria.max_age_days:g} days",
        Reason.NOT_PROVEN: "",
        Reason.PROVEN_BAD: f"proven to fail more often than {percent(criteria.max_failure_rate)}",
        Reason.NEVER_READ: "no run that counts read a changed value",
        Reason.NO_SCENARIO: "no such scenario has run",
        Reason.WORSE_THAN_CONTROL: "it fails more often than under today's policy",
        Reason.METRIC_MISSING: "a metric is missing or not finite",
        Reason.METRIC_LIMIT: "a metric is beyond its limit",
    }[reason]
