"""Runs as rows: written whole, in batches, in the order of their ids; read back newest first."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pytest_causal.model.run import Cause, Metric, MetricKind, Outcome, Phase, Run
from pytest_causal.store.database import Database, Row
from pytest_causal.store.identities import Identities, load_reads
from pytest_causal.store.rows import metric_value
from pytest_causal.store.text import from_stored, to_stored

if TYPE_CHECKING:
    from pytest_causal.store.interface import HistoryQuery, RunRecord

CAUSE_NONE, CAUSE_OTHER, CAUSE_INFRASTRUCTURE = range(3)
"""What ``runs.cause`` says: nothing, why the run did not simply pass, or that infrastructure is to blame."""

_CONTROL = "control"
_OUTCOMES = {outcome: outcome.value for outcome in Outcome}
"""Outcomes as plain texts. To ask an enum for its value takes four times as long as to look it up, and to have SQLite
adapt it longer still."""

_ABOVE_ALL = 1 << 62
_RANGE = "SELECT first_run, last_run FROM sessions WHERE number = ?"
_PAGE_RUNS = 500
"""Runs read at a time. Between pages no transaction is open, so that a slow reader holds nobody up."""

_HIGHEST = "SELECT coalesce(max(id), 0) FROM runs"
_ADD_RUN = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Most runs are alike but for name and times. To bind what they have in common as well takes half as long again.
_ADD_PLAIN = "INSERT INTO runs VALUES (?, ?, ?, 0, 'passed', 0, ?, ?, ?, ?, 1, 1, 0, 0, '', '')"
_REST: Final = 7
_PLAIN = Run("", "", Outcome.PASSED, 0)[_REST:]
"""What follows the times in a run that ``_ADD_PLAIN`` stores."""
_ADD_CAUSE = "INSERT INTO causes VALUES (?, ?, ?, ?)"
_ADD_METRIC = "INSERT INTO metrics VALUES (?, ?, ?, ?, ?)"
_METRICS = """
    SELECT metric_names.name, metrics.value, metrics.kind
    FROM metrics JOIN metric_names ON metric_names.id = metrics.name_id
    WHERE metrics.run_id = ? ORDER BY metrics.place
"""
_PAGE = """
    SELECT runs.id, runs.session, sessions.uid, canonical.name, coalesce(nodes.name, ran_as.name), runs.outcome,
           runs.started_us, runs.setup_seconds, runs.call_seconds, runs.teardown_seconds, runs.attempt,
           runs.occurrence, runs.is_superseded, runs.worker, runs.arm, runs.reads_id,
           runs.cause, causes.phase, causes.type, causes.message
    FROM runs
    JOIN sessions ON sessions.number = runs.session
    JOIN scenarios AS ran_as ON ran_as.id = runs.scenario_id
    JOIN scenarios AS canonical ON canonical.id = coalesce(ran_as.alias_of, ran_as.id)
    LEFT JOIN nodes ON nodes.id = runs.node_id
    LEFT JOIN causes ON causes.run_id = runs.id
    WHERE runs.id >= :from AND runs.id < :below AND (:session = 0 OR runs.session = :session)
      AND (:since_us = 0 OR runs.started_us >= :since_us)
      AND (:scenario_id IS NULL OR canonical.id = :scenario_id)
      AND (:branch = '' OR sessions.branch = :branch)
      AND (:outcomes = '[]' OR runs.outcome IN (SELECT value FROM json_each(:outcomes)))
    ORDER BY runs.id DESC LIMIT :page
"""


def add_runs(
    connection: sqlite3.Connection, identities: Identities, session: int, runs: Sequence[Run]
) -> tuple[int, int]:
    """Write runs inside the caller's transaction; return the ids of the first and the last."""
    identities.scenarios.learn(connection, [run.scenario for run in runs], session)
    identities.nodes.learn(connection, [run.nodeid for run in runs if run.nodeid != run.scenario])
    scenarios, nodes, read_sets = identities.scenarios.ids, identities.nodes.ids, identities.reads
    (highest,) = connection.execute(_HIGHEST).fetchone()
    plain: list[Row] = []
    others: list[Row] = []
    for run_id, run in enumerate(runs, highest + 1):
        # A run is taken apart at once: to ask it for 14 fields by name takes three times as long.
        name, nodeid, outcome, started_us, setup, call, teardown = run[:_REST]
        if run[_REST:] == _PLAIN and outcome is Outcome.PASSED and nodeid == name:
            plain.append((run_id, session, scenarios[name], started_us, setup, call, teardown))
            continue
        attempt, occurrence, is_superseded, worker, arm, cause, _, reads = run[_REST:]
        others.append(
            (
                run_id,
                session,
                scenarios[name],
                nodes[nodeid] if nodeid != name else 0,
                _OUTCOMES[outcome],
                _cause_kind(cause) if cause is not None else CAUSE_NONE,
                started_us,
                setup,
                call,
                teardown,
                attempt,
                occurrence,
                1 if is_superseded else 0,
                read_sets.learn(connection, reads) if reads else 0,
                to_stored(worker) if worker else "",
                "" if arm == _CONTROL else to_stored(arm),
            )
        )
    connection.executemany(_ADD_PLAIN, plain)
    connection.executemany(_ADD_RUN, others)
    _add_causes(connection, runs, highest + 1)
    _add_metrics(connection, identities, runs, highest + 1)
    return highest + 1, highest + len(runs)


def read_runs(database: Database, query: HistoryQuery, scenario_id: int | None) -> Iterator[RunRecord]:
    """Yield runs newest first, a page at a time; ``scenario_id`` stands for the scenario that the query names."""
    parameters: dict[str, str | int | None] = {
        "since_us": query.since_us,
        "scenario_id": scenario_id,
        "branch": to_stored(query.branch),
        "outcomes": json.dumps([outcome.value for outcome in query.outcomes]),
    }
    first, below = _range(database, query.session)
    parameters |= {"from": first, "session": query.session}
    left = query.limit
    while left is None or left > 0:
        size = _PAGE_RUNS if left is None else min(left, _PAGE_RUNS)
        page = database.fetch(_PAGE, {**parameters, "below": below, "page": size})
        yield from [_record(database, row) for row in page]
        if len(page) < size:
            return
        below = page[-1][0]
        left = None if left is None else left - size


def _range(database: Database, session: int) -> tuple[int, int]:
    """Return the first id, and one behind the last, that runs of a session may have; of any session where it is 0."""
    if not session:
        return 0, _ABOVE_ALL
    rows = database.fetch(_RANGE, (session,))
    first, last = rows[0] if rows else (None, None)
    return (0, 0) if first is None else (first, last + 1)


def _cause_kind(cause: Cause) -> int:
    return CAUSE_INFRASTRUCTURE if cause.is_infrastructure else CAUSE_OTHER


def _add_causes(connection: sqlite3.Connection, runs: Sequence[Run], first_id: int) -> None:
    causes = [
        (run_id, run.cause.phase.value, to_stored(run.cause.type), to_stored(run.cause.message))
        for run_id, run in enumerate(runs, first_id)
        if run.cause is not None
    ]
    if causes:
        connection.executemany(_ADD_CAUSE, causes)


def _add_metrics(
    connection: sqlite3.Connection, identities: Identities, runs: Sequence[Run], first_id: int
) -> None:
    measured = [(run_id, run.metrics) for run_id, run in enumerate(runs, first_id) if run.metrics]
    if not measured:
        return
    names = identities.metric_names
    names.learn(connection, {metric.name for _, metrics in measured for metric in metrics})
    connection.executemany(
        _ADD_METRIC,
        [
            (run_id, place, names[metric.name], metric_value(metric), metric.kind.value)
            for run_id, metrics in measured
            for place, metric in enumerate(metrics)
        ],
    )


def _record(database: Database, row: Row) -> RunRecord:
    (run_id, session, uid, scenario, nodeid, outcome, started_us, setup, call, teardown, attempt, *rest) = row
    (occurrence, is_superseded, worker, arm, reads_id, cause, phase, cause_type, message) = rest
    run = Run(
        scenario=from_stored(scenario),
        nodeid=from_stored(nodeid),
        outcome=Outcome(outcome),
        started_us=started_us,
        setup_seconds=setup,
        call_seconds=call,
        teardown_seconds=teardown,
        attempt=attempt,
        occurrence=occurrence,
        is_superseded=bool(is_superseded),
        worker=from_stored(worker),
        arm=from_stored(arm) or _CONTROL,
        cause=_cause(cause, phase, cause_type, message) if cause != CAUSE_NONE else None,
        metrics=tuple(
            Metric(name=from_stored(name), value=value, kind=MetricKind(kind))
            for name, value, kind in database.fetch(_METRICS, (run_id,))
        ),
        reads=load_reads(database.connection, reads_id) if reads_id else (),
    )
    from pytest_causal.store.interface import RunRecord  # recording does not need it

    return RunRecord(id=run_id, session=session, session_uid=from_stored(uid), run=run)


def _cause(cause: int, phase: str, type_: str, message: str) -> Cause:
    return Cause(
        phase=Phase(phase),
        type=from_stored(type_),
        message=from_stored(message),
        is_infrastructure=cause == CAUSE_INFRASTRUCTURE,
    )
