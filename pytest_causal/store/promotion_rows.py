"""Promotions, lessons and live values as JSON documents, and back. Documents are canonical: keys sorted, no spaces."""

from __future__ import annotations

import json
from typing import Any

from pytest_causal.model.audit import Live
from pytest_causal.model.change import Change, Step
from pytest_causal.model.evidence import Reason, Verdict
from pytest_causal.model.promotion import (
    Basis,
    CandidateVerdict,
    Lesson,
    MetricStanding,
    Mode,
    Promotion,
    ScenarioVerdict,
    State,
    Tried,
    Trigger,
)


def document_text(document: dict[str, Any]) -> str:
    """Return a document as canonical JSON. Raises ValueError for NaN and infinity."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def promotion_document(promotion: Promotion) -> dict[str, Any]:
    """Return all of a promotion but its number."""
    return {
        "name": promotion.name,
        "state": promotion.state.value,
        "mode": promotion.mode.value,
        "evidence": promotion.basis.value,
        "scenarios": list(promotion.scenarios),
        "change": change_document(promotion.change),
        "created_us": promotion.created_us,
        "changed_us": promotion.changed_us,
        "session": promotion.session,
        "watched": promotion.watched,
        "baseline": dict(promotion.baseline),
        "triggers": [trigger._asdict() for trigger in promotion.triggers],
        "watch_sessions": promotion.watch_sessions,
        "verdict": verdict_document(promotion.verdict) if promotion.verdict else None,
        "note": promotion.note,
        "trial": trial_document(promotion.trial) if promotion.trial else None,
    }


def promotion_from(number: int, text: str) -> Promotion:
    """Return the promotion in a document."""
    data = json.loads(text)
    return Promotion(
        id=number,
        name=data["name"],
        state=State(data["state"]),
        mode=Mode(data["mode"]),
        basis=Basis(data["evidence"]),
        scenarios=tuple(data["scenarios"]),
        change=change_from(data["change"]),
        created_us=data["created_us"],
        changed_us=data["changed_us"],
        session=data["session"],
        watched=data["watched"],
        baseline=tuple(sorted(data["baseline"].items())),
        triggers=tuple(Trigger(**trigger) for trigger in data["triggers"]),
        watch_sessions=data["watch_sessions"],
        verdict=verdict_from(data["verdict"]) if data["verdict"] else None,
        note=data["note"],
        trial=_trial_from(data["trial"]) if data.get("trial") else None,
    )


def change_document(change: Change) -> list[dict[str, Any]]:
    """Return the steps of a change."""
    return [{"path": step.path, "from": step.before, "to": step.after} for step in change.steps]


def change_from(steps: list[dict[str, Any]]) -> Change:
    """Return the change in a list of steps."""
    return Change(tuple(Step(step["path"], _leaf(step["from"]), _leaf(step["to"])) for step in steps))


def verdict_document(verdict: CandidateVerdict) -> dict[str, Any]:
    """Return a verdict on a change, with what each scenario says."""
    return {
        "verdict": verdict.verdict.value,
        "reasons": [reason.value for reason in verdict.reasons],
        "is_assumed": verdict.is_assumed,
        "scenarios": [_scenario_document(each) for each in verdict.scenarios],
    }


def verdict_from(data: dict[str, Any]) -> CandidateVerdict:
    """Return the verdict in a document."""
    return CandidateVerdict(
        verdict=Verdict(data["verdict"]),
        reasons=tuple(map(Reason, data["reasons"])),
        scenarios=tuple(_scenario_from(each) for each in data["scenarios"]),
        is_assumed=data["is_assumed"],
    )


def trial_document(trial: Tried) -> dict[str, Any]:
    """Return what a trial came to."""
    return {**trial._asdict(), "reasons": list(trial.reasons)}


def lesson_document(lesson: Lesson) -> dict[str, Any]:
    """Return all of a lesson but its number and its signature."""
    return {
        "scenario": lesson.scenario,
        "path": lesson.path,
        "from": lesson.before,
        "to": lesson.after,
        "reason": lesson.reason,
        "promotion": lesson.promotion,
        "created_us": lesson.created_us,
        "after_order": lesson.after_order,
        "times": lesson.times,
        "criteria": dict(lesson.criteria),
        "retired_us": lesson.retired_us,
    }


def lesson_from(number: int, signature: str, text: str) -> Lesson:
    """Return the lesson in a document."""
    data = json.loads(text)
    return Lesson(
        id=number,
        scenario=data["scenario"],
        path=data["path"],
        before=_leaf(data["from"]),
        after=_leaf(data["to"]),
        reason=data["reason"],
        promotion=data["promotion"],
        signature=signature,
        created_us=data["created_us"],
        after_order=data["after_order"],
        times=data["times"],
        criteria=tuple(sorted(data["criteria"].items())),
        retired_us=data["retired_us"],
    )


def live_document(live: Live) -> dict[str, Any]:
    """Return the values of the live state and who set each."""
    return {
        "values": dict(live.leaves),
        "entries": {path: list(entry) for path, entry in live.entries.items()},
    }


def live_from(row: tuple[Any, ...]) -> Live:
    """Return the live state in its row."""
    revision, fingerprint, text, before_revision, before_fingerprint, audited, audit_hash = row
    data = json.loads(text)
    return Live(
        revision=revision,
        fingerprint=fingerprint,
        leaves={path: _leaf(value) for path, value in data.get("values", {}).items()},
        entries={path: (by, at, rev) for path, (by, at, rev) in data.get("entries", {}).items()},
        before_revision=before_revision,
        before_fingerprint=before_fingerprint,
        audited=audited,
        audit_hash=audit_hash,
    )


def _trial_from(data: dict[str, Any]) -> Tried:
    return Tried(**{**data, "reasons": tuple(data["reasons"])})


def _scenario_document(each: ScenarioVerdict) -> dict[str, Any]:
    return {
        "scenario": each.scenario,
        "verdict": each.verdict.value,
        "reasons": [reason.value for reason in each.reasons],
        "runs": each.runs,
        "sessions": each.units,
        "failed": each.failures,
        "e_value": each.e_value,
        "clean_sessions_needed": each.clean_sessions_needed,
        "reads": [{"path": path, "how": how} for path, how in each.reads],
        "metrics": [metric._asdict() for metric in each.metrics],
        "lesson": each.lesson,
    }


def _scenario_from(data: dict[str, Any]) -> ScenarioVerdict:
    return ScenarioVerdict(
        scenario=data["scenario"],
        verdict=Verdict(data["verdict"]),
        reasons=tuple(map(Reason, data["reasons"])),
        runs=data["runs"],
        units=data["sessions"],
        failures=data["failed"],
        e_value=data["e_value"],
        clean_sessions_needed=data["clean_sessions_needed"],
        reads=tuple((read["path"], read["how"]) for read in data["reads"]),
        metrics=tuple(MetricStanding(**metric) for metric in data["metrics"]),
        lesson=data["lesson"],
    )


def _leaf(value: Any) -> Any:
    """Return a value of a policy as policies hold it: lists are tuples."""
    return tuple(_leaf(item) for item in value) if isinstance(value, list) else value
