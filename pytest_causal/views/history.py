"""What ``causal history`` shows: runs, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_causal.model.run import Cause, Outcome, Run
from pytest_causal.model.session import SessionFacts
from pytest_causal.store.interface import RunRecord
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Cell, Column, Table, cell
from pytest_causal.views.times import duration, utc_minutes, utc_stamp

_MARKS = {
    Outcome.PASSED: ("green",),
    Outcome.FAILED: ("red", "bold"),
    Outcome.ERROR: ("red", "bold"),
    Outcome.CRASHED: ("red", "bold"),
    Outcome.XPASSED: ("yellow",),
    Outcome.MISSING: ("yellow",),
}
_ENCODER = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":"))
# The widths are fixed, so that rows can be written as they are read.
_COLUMNS = (
    Column(header="when (UTC)", width=16),
    Column(header="outcome", width=8),
    Column(header="took", width=8, is_number=True, shown_from=60),
    Column(header="try", width=3, is_number=True, shown_from=110),
    Column(header="worker", width=6, shown_from=110),
    Column(header="session", width=7, is_number=True, shown_from=80),
    Column(header="commit", width=8, shown_from=80),
    Column(header="scenario", is_wide=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One run and the facts of the session it belongs to."""

    record: RunRecord
    facts: SessionFacts


def history_table(
    rows: Iterable[HistoryRow], width: int, *, of_one_scenario: bool, has_header: bool
) -> Table:
    """Return rows for a terminal of this many columns; of one scenario its name is not repeated."""
    cells = [_cells(row, of_one_scenario=of_one_scenario) for row in rows]
    columns = (*_COLUMNS[:-1], Column(header="cause", is_wide=True)) if of_one_scenario else _COLUMNS
    return Table(columns=columns, rows=cells, has_header=has_header).fitted(width)


def history_line(row: HistoryRow) -> str:
    """Return one run as a line of JSON: ASCII, keys sorted, no NaN."""
    return _ENCODER.encode(run_document(row))


def run_document(row: HistoryRow) -> dict[str, Any]:
    """Return one run as the schema ``causal.history/1`` says.

    A metric that was no finite number is ``null``, and ``metric_kinds`` says what it was.
    """
    run, facts = row.record.run, row.facts
    return {
        "session": row.record.session,
        "session_uid": row.record.session_uid,
        "scenario": run.scenario,
        "nodeid": run.nodeid,
        "outcome": run.outcome.value,
        "attempt": run.attempt,
        "occurrence": run.occurrence,
        "is_superseded": run.is_superseded,
        "started_at": utc_stamp(run.started_us),
        "duration_seconds": run.duration_seconds,
        "phases": {"setup": run.setup_seconds, "call": run.call_seconds, "teardown": run.teardown_seconds},
        "worker": run.worker or None,
        "arm": run.arm,
        "cause": _cause_document(run.cause),
        "metrics": {metric.name: metric.value for metric in run.metrics},
        "metric_kinds": {metric.name: metric.kind.value for metric in run.metrics if metric.value is None},
        "reads": [
            {"path": read.path, "value": json.loads(read.value), "how": read.how.value} for read in run.reads
        ],
        "commit": facts.commit or None,
        "branch": facts.branch or None,
    }


def _cells(row: HistoryRow, *, of_one_scenario: bool) -> tuple[Cell, ...]:
    run = row.record.run
    cause = Line(text=_cause_words(run), marks=() if of_one_scenario else ("dim",))
    about = (
        (cause,)
        if of_one_scenario
        else (Line(text=terminal(run.scenario)), *((cause,) if cause.text else ()))
    )
    return (
        cell(utc_minutes(run.started_us)),
        cell(run.outcome.value, *_MARKS.get(run.outcome, ())),
        cell(duration(run.duration_seconds)),
        cell(f"{run.attempt}"),
        cell(terminal(run.worker, 6)),
        cell(f"{row.record.session}"),
        cell(terminal(row.facts.commit[:8])),
        about,
    )


def _cause_words(run: Run) -> str:
    """Return why a run did not simply pass, on one line; and of a run that was rerun, that it was."""
    words = []
    if run.is_superseded:
        words.append("rerun")
    if run.cause is not None:
        phase = f"in {run.cause.phase}: " if run.cause.phase not in {"", "call"} else ""
        words.append(phase + _without_repetition(run.cause))
        if run.cause.is_infrastructure:
            words.append("(infrastructure)")
    return terminal(" ".join(words))


def _without_repetition(cause: Cause) -> str:
    """Return type and first line of the message; pytest's messages often begin with the type."""
    message = cause.message.strip().partition("\n")[0]
    is_said = message.startswith(cause.type.rpartition(".")[2])
    return message if is_said else ": ".join(part for part in (cause.type, message) if part)


def _cause_document(cause: Cause | None) -> dict[str, Any] | None:
    if cause is None:
        return None
    return {
        "phase": cause.phase.value or None,
        "type": cause.type or None,
        "message": cause.message or None,
        "is_infrastructure": cause.is_infrastructure,
    }
