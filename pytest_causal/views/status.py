"""What ``causal status`` shows: every scenario with its evidence and its verdict, worst first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_causal.model.evidence import Reason, Verdict
from pytest_causal.model.run import Outcome
from pytest_causal.model.session import Session, SessionState
from pytest_causal.model.status import ScenarioStatus
from pytest_causal.rules.attention import importance
from pytest_causal.rules.eligibility import clean_sessions_needed, failure_rate_bound
from pytest_causal.rules.renames import Suggestion
from pytest_causal.views.escape import shell_word, terminal
from pytest_causal.views.promotion import StandingView, policy_document, promotion_row, standing_lines
from pytest_causal.views.summary import VERDICT_MARKS, Line, verdict_counts
from pytest_causal.views.tables import Cell, Column, Table, cell
from pytest_causal.views.times import stamp_or_none, utc_minutes, utc_stamp
from pytest_causal.views.words import VERDICT_WORDS, bound_percent, evidence_words, plural, reason_words

SCHEMA = "causal.status/1"
_WITH_NUMBERS = 64
"""Terminals of at least so many columns have room for the numbers; on others they stand in words."""
_LEGEND = "below: proven bound on the failure rate, at any time; to go: clean sessions until eligible"
_COLUMNS = (
    Column(header="verdict"),
    Column(header="scenario", is_wide=True),
    Column(header="runs", shown_from=_WITH_NUMBERS, is_number=True),
    Column(header="sessions", shown_from=96, is_number=True),
    Column(header="failed", shown_from=_WITH_NUMBERS, is_number=True),
    Column(header="below", shown_from=_WITH_NUMBERS, is_number=True),
    Column(header="to go", shown_from=_WITH_NUMBERS, is_number=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """All that the status is made from.

    ``scenarios`` are those shown, in their order; ``verdicts`` counts all that were selected. ``outcomes`` are those
    of the ``newest`` session. ``is_empty`` says that the store holds no scenario at all. ``standing`` is ``None``
    where there is no store.
    """

    location: str
    generated_us: int
    scenarios: Sequence[ScenarioStatus]
    verdicts: Mapping[Verdict, int]
    is_empty: bool = False
    newest: Session | None = None
    outcomes: Mapping[Outcome, int] | None = None
    renames: Sequence[Suggestion] = ()
    notices: Sequence[str] = ()
    standing: StandingView | None = None


def worst_first(scenarios: Sequence[ScenarioStatus]) -> list[ScenarioStatus]:
    """Return scenarios by verdict, flaky ones first among equals, then by name."""
    return sorted(scenarios, key=_rank)


def status_table(view: StatusView, width: int) -> Table:
    """Return the table for a terminal of this many columns."""
    has_numbers = width >= _WITH_NUMBERS
    rows = [_row(status, has_numbers=has_numbers) for status in view.scenarios]
    return Table(columns=_COLUMNS, rows=rows).fitted(width)


def status_footer(view: StatusView, width: int) -> list[Line]:
    """Return what stands below the table: totals, where the numbers are from, and what a person may want to do."""
    total = sum(view.verdicts.values())
    lines = [Line(text=_LEGEND, marks=("dim",))] if view.scenarios and width >= _WITH_NUMBERS else []
    counts = f": {verdict_counts(view.verdicts)}" if total else ""
    lines.append(Line(text=f"{plural(total, 'scenario')}{counts}"))
    if hidden := total - len(view.scenarios):
        lines.append(Line(text=f"{hidden:,} of them not shown (--limit 0 shows all)"))
    lines.append(Line(text=f"store {terminal(view.location)}"))
    if view.newest is not None:
        lines.append(_newest_line(view.newest, view.outcomes or {}))
    lines += standing_lines(view.standing) if view.standing else []
    lines += [Line(text=terminal(notice), marks=("yellow",)) for notice in view.notices]
    return lines


def rename_lines(view: StatusView) -> list[Line]:
    """Return the likely renames, each with the command that joins the two, which is one line whatever its length."""
    lines = []
    for rename in view.renames:
        old, new = shell_word(rename.old), shell_word(rename.new)
        if old and new:
            lines.append(Line(text=f"renamed ({rename.why})? to keep one record:", marks=("yellow",)))
            lines.append(Line(text=f"  causal alias {old} {new}"))
    return lines


def status_document(view: StatusView) -> dict[str, Any]:
    """Return the status as one JSON object, ``causal.status/1``."""
    return {
        "schema": SCHEMA,
        "store": view.location,
        "generated_at": utc_stamp(view.generated_us),
        "scenarios": [_scenario_document(status) for status in view.scenarios],
        "verdicts": {verdict.value: view.verdicts.get(verdict, 0) for verdict in Verdict},
        "newest_session": None
        if view.newest is None
        else _session_document(view.newest, view.outcomes or {}),
        "policy": policy_document(view.standing) if view.standing else None,
        "promotions": [promotion_row(each, view.standing.secrets) for each in view.standing.promotions]
        if view.standing
        else [],
        "renames": [{"old": each.old, "new": each.new, "why": each.why} for each in view.renames],
        "notices": list(view.notices),
    }


def _rank(status: ScenarioStatus) -> tuple[object, ...]:
    verdict = status.decision.verdict
    return (
        *importance(verdict, is_newly_flaky=False, is_changed=False),
        not status.evidence.contradictions,
        status.name,
    )


def _row(status: ScenarioStatus, *, has_numbers: bool) -> tuple[Cell, ...]:
    evidence, criteria, decision = status.evidence, status.criteria, status.decision
    bad = evidence.failed + evidence.errors
    bound = _bound(status)
    needed = clean_sessions_needed(evidence, criteria, decision)
    words = (reason_words if has_numbers else evidence_words)(evidence, criteria, decision)
    below = [words, _flaky_words(status), _aside_words(status)]
    return (
        cell(VERDICT_WORDS[decision.verdict], *VERDICT_MARKS[decision.verdict]),
        (Line(text=terminal(status.name)), *(Line(text=text, marks=("dim",)) for text in below if text)),
        cell(f"{evidence.runs:,}"),
        cell(f"{evidence.units:,}"),
        cell(f"{bad:,}", *(("red",) if bad else ())),
        cell("-" if bound is None or bound >= 1 else bound_percent(bound)),
        cell("-" if needed is None else f"{needed:,}"),
    )


def _bound(status: ScenarioStatus) -> float | None:
    """Return the rate that the evidence puts a bound on; ``None`` where there is none."""
    if Reason.NO_EVIDENCE in status.decision.reasons:
        return None
    return failure_rate_bound(status.evidence, status.criteria)


def _flaky_words(status: ScenarioStatus) -> str:
    times = status.evidence.contradictions
    if not times:
        return ""
    words = "flaky once" if times == 1 else f"flaky {times:,} times"
    if status.flaky_since_commit:
        return f"{words}, since commit {terminal(status.flaky_since_commit[:12])}"
    return f"{words}, since session {status.evidence.flaky_since}" if status.evidence.flaky_since else words


def _aside_words(status: ScenarioStatus) -> str:
    asides = []
    if status.runs_under_other_policies:
        asides.append(f"{plural(status.runs_under_other_policies, 'run')} under other policies not counted")
    if status.is_recomputed:
        asides.append("criteria changed: computed anew from all runs")
    return "; ".join(asides)


def _newest_line(session: Session, outcomes: Mapping[Outcome, int]) -> Line:
    facts, ending = session.facts, session.ending
    source = f", commit {terminal(facts.commit[:12])}" if facts.commit else ""
    source += f" ({terminal(facts.branch, 40)})" if facts.branch else ""
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items() if count) or "no runs"
    state = ending.state.value
    if ending.broken:
        state += f", no evidence: {terminal(ending.broken)}"
    elif not facts.is_trusted:
        state += ", no evidence: not trusted"
    is_well = (
        ending.state in {SessionState.FINISHED, SessionState.RUNNING}
        and facts.is_trusted
        and not ending.broken
    )
    text = f"newest session {session.number}: {utc_minutes(facts.started_us)} UTC{source}, {state}: {counts}"
    return Line(text=text, marks=() if is_well else ("yellow",))


def _scenario_document(status: ScenarioStatus) -> dict[str, Any]:
    evidence, criteria, decision = status.evidence, status.criteria, status.decision
    return {
        "scenario": status.name,
        "tags": list(status.tags),
        "runs": evidence.runs,
        "sessions": evidence.units,
        "passed": evidence.passed,
        "failed": evidence.failed,
        "errors": evidence.errors,
        "skipped": evidence.skipped,
        "missing": evidence.missing,
        "infrastructure": evidence.infrastructure,
        "flaky": evidence.flaky,
        "contradictions": evidence.contradictions,
        "flaky_since": _flaky_since(status),
        "pass_rate": evidence.passed / evidence.runs if evidence.runs else None,
        "failure_rate_upper": _bound(status),
        "verdict": decision.verdict.value,
        "reasons": [reason.value for reason in decision.reasons],
        "explanation": evidence_words(evidence, criteria, decision),
        "e_value": decision.e_value if math.isfinite(decision.e_value) else None,
        "clean_sessions_needed": clean_sessions_needed(evidence, criteria, decision),
        "last_run_at": stamp_or_none(evidence.last_run_us),
        "runs_under_other_policies": status.runs_under_other_policies,
        "is_recomputed": status.is_recomputed,
        "criteria": {
            "min_runs": criteria.min_runs,
            "min_sessions": criteria.min_sessions,
            "max_failure_rate": criteria.max_failure_rate,
            "rule": criteria.rule.value,
            "alpha": criteria.alpha,
            "unit": criteria.unit.value,
            "max_age_days": criteria.max_age_days,
            "max_incomplete_rate": criteria.max_incomplete_rate,
            "flaky_weight": criteria.flaky_weight,
        },
    }


def _flaky_since(status: ScenarioStatus) -> dict[str, Any] | None:
    if not status.evidence.flaky_since:
        return None
    return {"session": status.evidence.flaky_since, "commit": status.flaky_since_commit or None}


def _session_document(session: Session, outcomes: Mapping[Outcome, int]) -> dict[str, Any]:
    facts, ending = session.facts, session.ending
    return {
        "session": session.number,
        "session_uid": facts.uid,
        "started_at": utc_stamp(facts.started_us),
        "finished_at": stamp_or_none(ending.finished_us),
        "commit": facts.commit or None,
        "branch": facts.branch or None,
        "is_trusted": facts.is_trusted,
        "state": ending.state.value,
        "broken": ending.broken or None,
        "outcomes": {outcome.value: outcomes.get(outcome, 0) for outcome in Outcome},
    }
