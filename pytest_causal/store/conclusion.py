"""The end of a session: its tallies, and the running states they are folded into, inside one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from pytest_causal.model.evidence import Evidence, Tally
from pytest_causal.store.identities import Identities
from pytest_causal.store.rows import evidence_from, evidence_row
from pytest_causal.store.signals import add_session
from pytest_causal.store.units import UnitCounter, find_counted

_MAKE_PRESENT = "CREATE TEMP TABLE IF NOT EXISTS present (id INTEGER PRIMARY KEY) STRICT"
_CLEAR_PRESENT = "DELETE FROM temp.present"
_FILL_PRESENT = """
    INSERT OR IGNORE INTO temp.present
    SELECT coalesce(scenarios.alias_of, scenarios.id)
    FROM runs JOIN scenarios ON scenarios.id = runs.scenario_id
    WHERE runs.id BETWEEN :first AND :last AND runs.session = :session
"""
_OVERLAPPING = """
    SELECT DISTINCT present.id
    FROM sessions AS mine
    JOIN sessions AS other
      ON other.key = mine.key AND other.number <> mine.number AND other.ord IS NOT NULL AND other.is_trusted = 1
    JOIN runs ON runs.id BETWEEN other.first_run AND other.last_run AND runs.session = other.number
    JOIN scenarios ON scenarios.id = runs.scenario_id
    JOIN temp.present ON present.id = coalesce(scenarios.alias_of, scenarios.id)
    WHERE mine.number = ?
"""
_STATES = """
    SELECT evidence.* FROM json_each(?) AS wanted
    CROSS JOIN evidence ON evidence.criteria_id = ? AND evidence.scenario_id = wanted.value
"""
_WITHOUT_STATE = """
    SELECT present.id FROM temp.present JOIN scenarios ON scenarios.id = present.id
    WHERE scenarios.first_concluded IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM evidence WHERE evidence.criteria_id = ? AND evidence.scenario_id = present.id
    )
"""
_COUNTED_FIRST = """
    UPDATE scenarios SET first_concluded = ?
    WHERE first_concluded IS NULL AND id IN (SELECT id FROM temp.present)
"""
_PUT_STATE = "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP_STATES = (
    "DELETE FROM evidence WHERE criteria_id = ? AND scenario_id IN (SELECT value FROM json_each(?))"
)


class SqliteLedger:
    """Running states as read and written inside a write transaction, and the units they are computed from."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities) -> None:
        self._connection = connection
        self._identities = identities
        self._counter = UnitCounter(connection, identities.reads.learn)

    def units(self, scenario_ids: Iterable[int]) -> Iterator[Tally]:
        """Yield, from the runs, every unit of these scenarios in history order (sessions of one key merged)."""
        return self._counter.units(scenario_ids)

    def put_evidence(self, criteria_key: str, states: Sequence[Evidence]) -> None:
        """Write running states, each replacing what was kept for its (scenario, reads)."""
        criteria_id = self._criteria_id(criteria_key)
        self._connection.executemany(_PUT_STATE, [evidence_row(criteria_id, state) for state in states])

    def drop_evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> None:
        """Remove all running states of these scenarios under these criteria, before they are written anew."""
        self._connection.execute(
            _DROP_STATES, (self._criteria_id(criteria_key), json.dumps(sorted(scenario_ids)))
        )

    def _criteria_id(self, criteria_key: str) -> int:
        self._identities.criteria.learn(self._connection, [criteria_key])
        return self._identities.criteria[criteria_key]


class SqliteConclusion(SqliteLedger):
    """The view inside the transaction that concludes one session."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities, session: int) -> None:
        super().__init__(connection, identities)
        self._session = find_counted(connection, session)
        connection.execute(_MAKE_PRESENT)
        connection.execute(_CLEAR_PRESENT)
        if self._session is not None:
            place = {"first": self._session.first_run, "last": self._session.last_run, "session": session}
            connection.execute(_FILL_PRESENT, place)

    def tallies(self) -> Iterator[Tally]:
        """Yield one tally per (scenario, reads) of the session being concluded, by scenario then reads."""
        if self._session is not None:
            yield from self._counter.tallies([self._session])

    def overlapping_scenarios(self) -> frozenset[int]:
        """Return scenarios of this session that another concluded session of the same key also ran."""
        return self._ids(_OVERLAPPING, self._session.number) if self._session else frozenset()

    def evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> Iterator[Evidence]:
        """Yield all running states of these scenarios under these criteria."""
        wanted = json.dumps(sorted(scenario_ids))
        rows = self._connection.execute(_STATES, (wanted, self._criteria_id(criteria_key))).fetchall()
        return map(evidence_from, rows)

    def scenarios_without_state(self, criteria_key: str) -> frozenset[int]:
        """Return scenarios of this session that have older concluded units but no state under these criteria."""
        return self._ids(_WITHOUT_STATE, self._criteria_id(criteria_key))

    def finish(self) -> None:
        """Note which scenarios have been counted for the first time, and add up the metrics."""
        session = self._session
        if session is None:
            return
        self._connection.execute(_COUNTED_FIRST, (session.number,))
        if session.may_vouch:
            add_session(self._connection, session.number, session.first_run, session.last_run)

    def _ids(self, query: str, parameter: int) -> frozenset[int]:
        return frozenset(id_ for (id_,) in self._connection.execute(query, (parameter,)))
