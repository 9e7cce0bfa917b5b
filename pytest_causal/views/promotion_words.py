"""Puts promotions into plain words: where a change stands, what each scenario says of it, what stands in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_causal.model.evidence import Decision, Evidence, Reason, Verdict
from pytest_causal.model.promotion import (
    CandidateVerdict,
    MetricLimit,
    MetricStanding,
    Promotion,
    ScenarioVerdict,
    State,
    Tried,
    Trigger,
)
from pytest_causal.model.run import ReadHow
from pytest_causal.rules.candidacy import CandidateCase, ScenarioCase
from pytest_causal.rules.guards import Guard, Refusal
from pytest_causal.views.changes import change_words
from pytest_causal.views.escape import terminal
from pytest_causal.views.times import utc_minutes, utc_stamp
from pytest_causal.views.words import VERDICT_WORDS, evidence_words, plural

STATE_WORDS = {
    State.PROPOSED: "proposed, not earned yet",
    State.TRIAL: "tried, to be decided",
    State.ELIGIBLE: "earned, can be made",
    State.PROVISIONAL: "made, and watched",
    State.VALIDATED: "made, and validated",
    State.REVERTED: "taken back",
    State.REJECTED: "rejected",
    State.HELD: "earned, and held back",
    State.LOCKED: "locked by a lesson",
    State.SUPERSEDED: "superseded",
    State.EXPIRED: "expired",
}
STATE_MARKS: Mapping[State, tuple[str, ...]] = {
    State.ELIGIBLE: ("green",),
    State.PROVISIONAL: ("green",),
    State.VALIDATED: ("green",),
    State.REVERTED: ("red", "bold"),
    State.REJECTED: ("red", "bold"),
    State.HELD: ("yellow",),
    State.LOCKED: ("yellow",),
}
_GUARD_WORDS = {
    Guard.KILL_SWITCH: "frozen by {subject}",
    Guard.BOUNDS: "{subject} would be out of bounds",
    Guard.LOCKOUT: "lesson {subject} was learned from such a change, and its scenario does not vouch for it yet",
    Guard.COOLDOWN: "{subject} was changed a short while ago",
    Guard.RATE: "enough was changed lately, {subject}",
}
_HOW_WORDS: Mapping[str, str] = {
    ReadHow.DECLARED: "declared, and so assumed",
    ReadHow.ASSIGNED: "assigned: it failed before it read anything",
}
_SHORT_REASONS = {
    Reason.NO_EVIDENCE: "no evidence",
    Reason.INCOMPLETE: "too many incomplete sessions",
    Reason.FAILURE_RATE: "failure rate above the limit",
    Reason.NEWEST_FAILED: "the newest session failed",
    Reason.STALE: "nothing recent",
    Reason.PROVEN_BAD: "proven bad",
    Reason.NEVER_READ: "no run that counts read a changed value",
    Reason.NO_SCENARIO: "a scenario of the rule has never run",
    Reason.WORSE_THAN_CONTROL: "it fails more often than today's policy",
    Reason.METRIC_MISSING: "a metric is missing",
    Reason.METRIC_LIMIT: "a metric is beyond its limit",
}
_SIDES = (
    ("max", "above"),
    ("min", "below"),
    ("max_increase", "on average grows by more than"),
    ("max_decrease", "on average falls by more than"),
)


def refusal_words(refusal: Refusal) -> str:
    """Return why a change is not made now, and when that could pass."""
    words = _GUARD_WORDS[refusal.guard].format(subject=terminal(refusal.subject))
    if refusal.could_pass_us is None:
        return f"{words}; a person must lift it" if refusal.guard is Guard.KILL_SWITCH else words
    return f"{words}; could pass {utc_minutes(refusal.could_pass_us)} UTC"


def scenario_words(judged: ScenarioVerdict, case: ScenarioCase, limits: Sequence[MetricLimit]) -> str:
    """Return what a scenario says of a change: what was seen, what it proves, what is still missing."""
    evidence = case.evidence or Evidence(scenario_id=0, reads_id=0)
    decision = Decision(judged.verdict, judged.reasons, judged.e_value)
    said = evidence_words(evidence, case.criteria, decision)
    about_metrics = [words for limit in limits if (words := _metric_words(limit, judged.metrics))]
    return "; ".join((said, *about_metrics))


def reads_words(reads: Sequence[tuple[str, str]]) -> str:
    """Return which changed values a scenario read, and how that is known."""
    if not reads:
        return "read none of the changed values"
    return "read " + ", ".join(f"{terminal(path)} ({_HOW_WORDS.get(how, how)})" for path, how in reads)


def missing_words(verdict: CandidateVerdict) -> str:
    """Return in a few words what a change still lacks; empty where it is eligible."""
    if verdict.verdict is Verdict.ELIGIBLE:
        return ""
    said = [_SHORT_REASONS[reason] for reason in verdict.reasons if reason in _SHORT_REASONS]
    needs = [each.clean_sessions_needed for each in verdict.scenarios if each.clean_sessions_needed]
    if needs and verdict.verdict is Verdict.NOT_YET:
        said.append(f"{max(needs):,} more clean {'session' if max(needs) == 1 else 'sessions'}")
    return "; ".join(said) or VERDICT_WORDS[verdict.verdict]


def trigger_words(triggers: Sequence[Trigger]) -> str:
    """Return when a change is taken back by itself."""
    said = [
        f"{terminal(trigger.signal)} {word} {value:g}"
        for trigger in triggers
        for side, word in _SIDES
        if (value := getattr(trigger, side)) is not None
    ]
    return " or ".join(said)


def watch_words(promotion: Promotion) -> str:
    """Return how a change that is made is watched."""
    when = trigger_words(promotion.triggers)
    kept = f"watched for {plural(promotion.watch_sessions, 'session')} that read it"
    return f"{kept}; taken back when {when}" if when else f"{kept}; nothing takes it back by itself"


def promotion_words(promotion: Promotion, secrets: frozenset[str]) -> str:
    """Return a promotion on one line: its number, its name, where it stands, and its change."""
    label = f"{promotion.label} " if promotion.id else ""
    words = STATE_WORDS[promotion.state]
    if promotion.state is State.PROVISIONAL:
        words += f" ({promotion.watched} of {promotion.watch_sessions} sessions)"
    return f"{label}{terminal(promotion.name)}: {words}: {change_words(promotion.change, secrets)}"


def trial_words(trial: Tried) -> str:
    """Return what the newest trial of a change came to, and when."""
    reasons = f": {', '.join(each.replace('_', ' ') for each in trial.reasons)}" if trial.reasons else ""
    rounds = plural(trial.rounds, "round")
    return f"newest trial, {utc_minutes(trial.ended_us)} UTC: {trial.verdict} after {rounds}{reasons}"


def tried_document(trial: Tried | None) -> dict[str, Any] | None:
    """Return the newest trial of a change for JSON."""
    if trial is None:
        return None
    return {
        "verdict": trial.verdict,
        "reasons": list(trial.reasons),
        "rounds": trial.rounds,
        "ended_at": utc_stamp(trial.ended_us),
    }


def unmatched_words(case: CandidateCase) -> list[str]:
    """Return what a rule asks for and nobody has shown."""
    reported = {each.metric for scenario in case.scenarios for each in scenario.metrics if each.measured}
    lines = [f"no scenario that has run is called {terminal(pattern)}" for pattern in case.unmatched]
    if not case.scenarios and not case.unmatched:
        lines.append("no scenario that has run reads a changed value")
    lines += [
        f"no run that counts reported {terminal(limit.metric)}"
        for limit in case.limits
        if limit.metric not in reported
    ]
    return lines


def _metric_words(limit: MetricLimit, metrics: Sequence[MetricStanding]) -> str:
    standing = next((each for each in metrics if each.metric == limit.metric), None)
    if standing is None or not (standing.measured or standing.broken):
        return ""
    name = terminal(limit.metric)
    if standing.mean is None:
        return f"{name} was never a number"
    words = f"{name} {standing.mean:g} on average of {plural(standing.measured, 'run')}"
    words += f", {standing.broken:,} without a number" if standing.broken else ""
    sides = ((limit.min, "at least"), (limit.max, "at most"))
    return words + ", limit " + " and ".join(f"{word} {side:g}" for side, word in sides if side is not None)
