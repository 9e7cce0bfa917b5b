"""What metrics and outcomes came to: running sums over all sessions that may vouch, and the sample of one session."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from pytest_causal.store.database import Database
from pytest_causal.store.text import from_stored

if TYPE_CHECKING:
    from pytest_causal.model.signal import MetricSum, SessionSample

# An attempt that was rerun is told from the last one by neither: a flaky run counts as failed, as it does in evidence.
_SAMPLE = """
    SELECT coalesce(scenarios.alias_of, scenarios.id) AS scenario, runs.reads_id, runs.arm, count(*),
           sum(is_failure), sum(is_failure AND (causes.type LIKE '%timeout%' OR causes.message LIKE 'timeout %'))
    FROM (
        SELECT *, (outcome IN ('failed', 'error', 'crashed') OR (outcome = 'xpassed' AND cause > 0)) AS is_failure
        FROM runs WHERE id BETWEEN :first AND :last AND session = :session
          AND outcome IN ('passed', 'failed', 'error', 'crashed', 'xfailed', 'xpassed') AND cause < 2
    ) AS runs
    JOIN scenarios ON scenarios.id = runs.scenario_id
    LEFT JOIN causes ON runs.cause > 0 AND causes.run_id = runs.id
    WHERE coalesce(scenarios.alias_of, scenarios.id) IN (SELECT value FROM json_each(:wanted))
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_METRICS = """
    SELECT coalesce(scenarios.alias_of, scenarios.id), runs.reads_id, runs.arm, metric_names.name,
           count(metrics.value), count(*) - count(metrics.value), total(metrics.value)
    FROM runs
    JOIN scenarios ON scenarios.id = runs.scenario_id
    JOIN metrics ON metrics.run_id = runs.id
    JOIN metric_names ON metric_names.id = metrics.name_id
    WHERE runs.id BETWEEN :first AND :last AND runs.session = :session
      AND coalesce(scenarios.alias_of, scenarios.id) IN (SELECT value FROM json_each(:wanted))
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_RANGE = "SELECT first_run, last_run FROM sessions WHERE number = ?"
_ADD = """
    INSERT INTO metric_standings
    SELECT coalesce(scenarios.alias_of, scenarios.id), runs.reads_id, metrics.name_id,
           count(metrics.value), count(*) - count(metrics.value), coalesce(total(metrics.value), 9e999)
    FROM metrics
    JOIN runs ON runs.id = metrics.run_id
    JOIN scenarios ON scenarios.id = runs.scenario_id
    WHERE metrics.run_id BETWEEN :first AND :last AND runs.session = :session
    GROUP BY 1, 2, 3
    ON CONFLICT DO UPDATE SET
        measured = measured + excluded.measured,
        broken = broken + excluded.broken,
        total = coalesce(total + excluded.total, 9e999) -- infinities of both signs: NULL would be refused
"""
_STANDINGS = """
    SELECT scenario_id, reads_id, metric_names.name, measured, broken, total
    FROM json_each(?) AS wanted
    CROSS JOIN metric_standings ON scenario_id = wanted.value
    JOIN metric_names ON metric_names.id = name_id
    ORDER BY 1, 2, 3
"""
_MOVE = """
    INSERT INTO metric_standings
    SELECT :new, reads_id, name_id, measured, broken, total FROM metric_standings WHERE scenario_id = :old
    ON CONFLICT DO UPDATE SET
        measured = measured + excluded.measured,
        broken = broken + excluded.broken,
        total = coalesce(total + excluded.total, 9e999)
"""
_DROP = "DELETE FROM metric_standings WHERE scenario_id = :old"

Standings: TypeAlias = "dict[tuple[int, int], dict[str, MetricSum]]"
"""(Scenario id, reads id) -> metric -> what it came to."""


def add_session(connection: sqlite3.Connection, session: int, first_run: int, last_run: int) -> None:
    """Add the metrics of one session, which may vouch, to the running sums."""
    connection.execute(_ADD, {"first": first_run, "last": last_run, "session": session})


def join_scenarios(connection: sqlite3.Connection, old: int, new: int) -> None:
    """Add the sums of one scenario to those of another, whose name it bears from now on."""
    for statement in (_MOVE, _DROP):
        connection.execute(statement, {"old": old, "new": new})


def read_standings(database: Database, scenario_ids: Iterable[int]) -> Standings:
    """Return the running sums of these scenarios."""
    from pytest_causal.model.signal import MetricSum  # recording does not need it

    found: Standings = defaultdict(dict)
    rows = database.fetch(_STANDINGS, (json.dumps(sorted(scenario_ids)),))
    for scenario_id, reads_id, name, measured, broken, total in rows:
        found[scenario_id, reads_id][from_stored(name)] = MetricSum(measured, broken, total)
    return dict(found)


def read_sample(database: Database, session: int, scenario_ids: Iterable[int]) -> list[SessionSample]:
    """Return what these scenarios did in one session, by scenario, reads and arm; infrastructure errors left out."""
    from pytest_causal.model.signal import MetricSum, SessionSample

    first, last = next(iter(database.fetch(_RANGE, (session,))), (None, None))
    if first is None:
        return []
    wanted = json.dumps(sorted(scenario_ids))
    place = {"first": first, "last": last, "session": session, "wanted": wanted}
    metrics: dict[tuple[int, int, str], list[tuple[str, MetricSum]]] = defaultdict(list)
    for scenario_id, reads_id, arm, name, *sums in database.fetch(_METRICS, place):
        metrics[scenario_id, reads_id, arm].append((from_stored(name), MetricSum(*sums)))
    return [
        SessionSample(
            scenario_id,
            reads_id,
            from_stored(arm) or "control",
            runs,
            failures,
            timeouts,
            tuple(metrics.get((scenario_id, reads_id, arm), ())),
        )
        for scenario_id, reads_id, arm, runs, failures, timeouts in database.fetch(_SAMPLE, place)
    ]
