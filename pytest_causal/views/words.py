"""Puts evidence and verdicts into plain words. The rules give slugs and numbers; only this module gives sentences."""

from __future__ import annotations

from pytest_causal.model.evidence import Criteria, Decision, Evidence, Reason, Unit, Verdict
from pytest_causal.rules.sequential import failure_rate_upper

VERDICT_WORDS = {
    Verdict.ELIGIBLE: "eligible",
    Verdict.NOT_YET: "not yet",
    Verdict.REJECTED: "rejected",
    Verdict.INERT: "inert",
    Verdict.INCONCLUSIVE: "inconclusive",
}


def evidence_words(evidence: Evidence, criteria: Criteria, decision: Decision) -> str:
    """Return one line: what was seen, what it proves, and what is still needed."""
    parts = [_seen(evidence), _proven(evidence, criteria), *_stops(evidence, criteria, decision), _needed(decision)]
    return "; ".join(part for part in parts if part)


def plural(count: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(ratio: float) -> str:
    """Return a ratio as a percentage with the digits that matter: ``16 %``, ``4.3 %``, ``0.72 %``."""
    value = ratio * 100
    digits = 0 if value >= 9.95 else 1 if value >= 0.995 else 2
    return f"{value:.{digits}f} %"


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
    upper = failure_rate_upper(evidence.units, evidence.badness, criteria.alpha)
    if upper >= 1:
        return ""
    return f"failure rate below {percent(upper)} ({percent(1 - criteria.alpha)}, at any time)"


def _needed(decision: Decision) -> str:
    if decision.verdict is Verdict.ELIGIBLE or not decision.clean_sessions_needed:
        return ""
    return f"{decision.clean_sessions_needed:,} more clean {'session' if decision.clean_sessions_needed == 1 else 'sessions'}"


def _stops(evidence: Evidence, criteria: Criteria, decision: Decision) -> list[str]:
    return [words for reason in decision.reasons if (words := _stop(reason, evidence, criteria))]


def _stop(reason: Reason, evidence: Evidence, criteria: Criteria) -> str:
    unit = "run" if criteria.unit is Unit.RUN else "session"
    incomplete = evidence.recent.bit_count()
    rate = (evidence.failed + evidence.errors) / evidence.runs if evidence.runs else 0.0
    return {
        Reason.NO_EVIDENCE: "",
        Reason.INCOMPLETE: f"{incomplete} of the last {plural(evidence.recent_units, unit)} incomplete",
        Reason.TOO_FEW_RUNS: f"fewer than {plural(criteria.min_runs, 'run')}",
        Reason.TOO_FEW_SESSIONS: f"fewer than {plural(criteria.min_sessions, 'session')}",
        Reason.FAILURE_RATE: f"{percent(rate)} failed, limit {percent(criteria.max_failure_rate)}",
        Reason.NEWEST_FAILED: f"the newest {unit} failed",
        Reason.STALE: f"nothing newer than {criteria.max_age_days:g} days",
        Reason.NOT_PROVEN: "",
        Reason.PROVEN_BAD: f"proven to fail more often than {percent(criteria.max_failure_rate)}",
    }[reason]
