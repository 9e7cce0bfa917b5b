"""Running states as rows: a short one for each, and one for each history, which many of them share.

Most scenarios of a suite differ in name and time alone. So the numbers of ten thousand running states are read and
written a few hundred times, and what remains for each is whose it is and when that last ran.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping

from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.store.database import Database, Parameters, Row
from pytest_causal.store.text import from_stored, to_stored

_NUMBERS = struct.Struct("<8I d 7d 5d QQqd B2I")
"""The packed numbers of a history in the order of the fields, little-endian: 8 counts, badness, 7 weights of wealth and
5 of ruin, two windows, the newest unit (its order and badness), and what is known of flakiness (3)."""

_STATES = "SELECT scenario_id, reads_id, history_id, last_run_us FROM running_states"
_UNDER = "criteria_id = (SELECT id FROM criteria WHERE name = ?)"
_OF = "scenario_id IN (SELECT value FROM json_each(?))"
_IN_ORDER = "ORDER BY scenario_id, reads_id"
_BETWEEN = f"{_STATES} WHERE {_UNDER} AND scenario_id BETWEEN ? AND ? {_IN_ORDER}"
_AMONG = f"{_STATES} WHERE {_UNDER} AND {_OF} {_IN_ORDER}"
_ALL = f"{_STATES} {_IN_ORDER}, criteria_id"
_ALL_UNDER = f"{_STATES} WHERE {_UNDER} {_IN_ORDER}"
_HISTORIES = """
    SELECT id, verdict, commit_seen, last_session, numbers FROM histories WHERE id IN (SELECT value FROM json_each(?))
"""
_ADD_HISTORY = "INSERT INTO histories (verdict, commit_seen, last_session, numbers) VALUES (?, ?, ?, ?)"
_PUT_STATE = "INSERT OR REPLACE INTO running_states VALUES (?, ?, ?, ?, ?)"
_DROP = "DELETE FROM running_states WHERE criteria_id = ? AND scenario_id IN (SELECT value FROM json_each(?))"
# More histories than running states: some of them are nobody's.
_IS_CROWDED = "SELECT (SELECT count(*) FROM histories) > (SELECT count(*) FROM running_states)"
_SWEEP = "DELETE FROM histories WHERE id NOT IN (SELECT history_id FROM running_states)"

_DENSE = 2
"""A range of ids is read where at least one in so many is wanted: that takes two thirds of the time."""
_VERDICTS = {verdict.value: verdict for verdict in Verdict}

History = tuple[Row, Row]
"""The fields of a running state between its reads and the time of the last run, and those behind that."""


class StateWriter:
    """Writes running states inside one transaction, in which what they share is stored once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._stored: dict[Row, int] = {}

    def put(self, criteria_id: int, states: Iterable[Evidence]) -> None:
        """Write running states, each replacing what was kept for its (criteria, scenario, reads)."""
        rows = [
            (criteria_id, state.scenario_id, state.reads_id, self._history(state), state.last_run_us)
            for state in states
        ]
        self._connection.executemany(_PUT_STATE, rows)

    def put_alike(self, criteria_id: int, states: Iterable[tuple[Evidence, Mapping[int, int]]]) -> None:
        """Write running states, each for many scenarios, with the time at which each last ran, by id."""
        # In the order of the table: scenarios of many histories lie all over it, and to go through it once for each
        # history took twice as long.
        shared: dict[int, tuple[int, int, Mapping[int, int]]] = {}
        for state, last_runs_us in states:
            shared.update(dict.fromkeys(last_runs_us, (state.reads_id, self._history(state), last_runs_us)))
        self._connection.executemany(
            _PUT_STATE,
            (
                (criteria_id, id_, reads_id, history_id, last_runs_us[id_])
                for id_ in sorted(shared)
                for reads_id, history_id, last_runs_us in (shared[id_],)
            ),
        )

    def drop(self, criteria_id: int, scenario_ids: Iterable[int]) -> None:
        """Remove all running states of these scenarios under these criteria."""
        self._connection.execute(_DROP, (criteria_id, json.dumps(sorted(scenario_ids))))

    def sweep(self) -> None:
        """Remove histories that no running state refers to, once they can be many. To be called last.

        To count is cheap, to look for them is not: so there are never more of them than running states, or than one
        transaction added.
        """
        ((is_crowded,),) = self._connection.execute(_IS_CROWDED)
        if is_crowded:
            self._connection.execute(_SWEEP)

    def _history(self, state: Evidence) -> int:
        """Return the id of the history of a state, which is stored unless this transaction has done so.

        Histories of other transactions need not be searched: those name another newest session, or will be left when
        the scenario runs again.
        """
        row = history_row(state)
        known = self._stored.get(row)
        if known is None:
            known = self._stored[row] = self._connection.execute(_ADD_HISTORY, row).lastrowid or 0
        return known


def read_all(database: Database, criteria_key: str | None = None) -> Iterator[Evidence]:
    """Yield all running states, of these criteria where they are given, by scenario then reads."""
    if criteria_key is None:
        return _read(database, _ALL, ())
    return _read(database, _ALL_UNDER, (criteria_key,))


def read_of(database: Database, criteria_key: str, scenario_ids: Iterable[int]) -> Iterator[Evidence]:
    """Yield all running states of these scenarios under these criteria, by scenario then reads."""
    return _read(database, _AMONG, (criteria_key, json.dumps(sorted(scenario_ids))))


def rows_of(
    connection: sqlite3.Connection, criteria_key: str, scenario_ids: Collection[int]
) -> Iterator[Row]:
    """Yield (scenario, reads, history, last run) of these scenarios, and maybe of others, by scenario then reads."""
    if scenario_ids:
        first, last = min(scenario_ids), max(scenario_ids)
        if last - first < _DENSE * len(scenario_ids):
            yield from connection.execute(_BETWEEN, (criteria_key, first, last))
        else:
            yield from connection.execute(_AMONG, (criteria_key, json.dumps(sorted(scenario_ids))))


def load_histories(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, History]:
    """Return these histories, by id."""
    found = connection.execute(_HISTORIES, (json.dumps(list(ids)),))
    return {id_: _history_from(*rest) for id_, *rest in found}


def states_from(rows: Iterable[Row], histories: Mapping[int, History]) -> Iterator[Evidence]:
    """Yield the running states that rows of (scenario, reads, history, last run) stand for."""
    new = tuple.__new__  # what Evidence._make calls as well, to count the fields
    for scenario_id, reads_id, history_id, last_run_us in rows:
        before, after = histories[history_id]
        yield new(Evidence, (scenario_id, reads_id, *before, last_run_us, *after))


def history_row(state: Evidence) -> Row:
    """Return the history of a running state as a row of ``histories``, without its id."""
    numbers = _NUMBERS.pack(
        *state[2:11],
        *state.wealth,
        *state.ruin,
        state.recent,
        state.recent_units,
        state.last_order,
        state.last_badness,
        state.commit_marks,
        state.contradictions,
        state.flaky_since,
    )
    return state.verdict.value, to_stored(state.commit_seen), state.last_session, numbers


def _history_from(verdict: str, commit: str, session: int, packed: bytes) -> History:
    numbers = _NUMBERS.unpack(packed)
    recent, recent_units, order, last_badness, *flakiness = numbers[21:]
    before = (*numbers[:9], numbers[9:16], numbers[16:21], recent, recent_units, order, session, last_badness)
    return before, (from_stored(commit), *flakiness, _VERDICTS[verdict])


def _read(database: Database, sql: str, parameters: Parameters) -> Iterator[Evidence]:
    with database.reading() as connection:
        rows = connection.execute(sql, parameters).fetchall()
        histories = load_histories(connection, {row[2] for row in rows})
    return states_from(rows, histories)
