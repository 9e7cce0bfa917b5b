"""The end of a session: its tallies, and the running states they are folded into, inside one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping

from pytest_causal.model.evidence import Alike, Evidence, Tally
from pytest_causal.model.run import NO_READS
from pytest_causal.store.database import Row
from pytest_causal.store.identities import Identities
from pytest_causal.store.presence import NOBODY, presence
from pytest_causal.store.signals import add_session
from pytest_causal.store.states import StateWriter, load_histories, rows_of, states_from
from pytest_causal.store.units import UnitCounter, find_counted

_OVERLAPPING = """
    SELECT DISTINCT coalesce(scenarios.alias_of, scenarios.id)
    FROM sessions AS mine
    JOIN sessions AS other
      ON other.key = mine.key AND other.number <> mine.number AND other.ord IS NOT NULL AND other.is_trusted = 1
    JOIN runs ON runs.id BETWEEN other.first_run AND other.last_run AND runs.session = other.number
    JOIN scenarios ON scenarios.id = runs.scenario_id
    WHERE mine.number = ?
"""
# A scenario is made with the session that makes it as the first to count for it. That holds once this is concluded; if
# another is concluded before, it takes that place. To write all of them at the end cost 2 us a scenario more.
_WITHOUT_STATE = """
    SELECT scenarios.id FROM json_each(:among) AS among JOIN scenarios ON scenarios.id = among.value
    WHERE scenarios.first_concluded <> :session
      AND EXISTS (SELECT 1 FROM sessions WHERE number = scenarios.first_concluded AND ord IS NOT NULL)
      AND NOT EXISTS (
        SELECT 1 FROM running_states AS state WHERE state.criteria_id = :criteria AND state.scenario_id = scenarios.id
    )
"""
_COUNTED_FIRST = """
    UPDATE scenarios SET first_concluded = :session
    WHERE id IN (SELECT value FROM json_each(:among)) AND (first_concluded IS NULL OR (
        first_concluded <> :session
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE number = first_concluded AND ord IS NOT NULL)
    ))
"""
_KEYS = "SELECT name FROM criteria"
_HOLDERS = "SELECT DISTINCT scenario_id FROM running_states WHERE criteria_id = ?"


class SqliteLedger:
    """Running states as read and written inside a write transaction, and the units they are computed from."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities) -> None:
        self._connection = connection
        self._identities = identities
        self._counter = UnitCounter(connection, identities.reads.learn)
        self._writer = StateWriter(connection)

    def units(self, scenario_ids: Iterable[int]) -> Iterator[Tally]:
        """Yield, from the runs, every unit of these scenarios in history order (sessions of one key merged)."""
        return self._counter.units(scenario_ids)

    def put_evidence(self, criteria_key: str, states: Iterable[Evidence]) -> None:
        """Write running states, each replacing what was kept for its (scenario, reads)."""
        self._writer.put(self._criteria_id(criteria_key), states)

    def put_alike(self, criteria_key: str, states: Iterable[tuple[Evidence, Mapping[int, int]]]) -> None:
        """Write running states, each for many scenarios, with the time at which each last ran, by id."""
        self._writer.put_alike(self._criteria_id(criteria_key), states)

    def drop_evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> None:
        """Remove all running states of these scenarios under these criteria, before they are written anew."""
        self._writer.drop(self._criteria_id(criteria_key), scenario_ids)

    def finish(self) -> None:
        """Do what is left to do before the transaction ends."""
        self._writer.sweep()

    def _criteria_id(self, criteria_key: str) -> int:
        self._identities.criteria.learn(self._connection, [criteria_key])
        return self._identities.criteria[criteria_key]


class SqliteConclusion(SqliteLedger):
    """The view inside the transaction that concludes one session."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities, session: int) -> None:
        super().__init__(connection, identities)
        self._session = find_counted(connection, session)
        self._present = NOBODY
        self._counted_before: set[int] = set()
        if found := self._session:
            self._present = presence(connection, session, found.first_run, found.last_run)

    def tallies(self, besides: Collection[int] = ()) -> Iterator[Tally]:
        """Yield one tally per (scenario, reads) of the session being concluded, by scenario then reads."""
        if self._session is not None:
            if not besides:
                yield from self._counter.tallies([self._session])
            elif others := self._present.ids().difference(besides):
                yield from self._counter.tallies([self._session], json.dumps(sorted(others)))

    def alike(self, criteria_key: str) -> list[Alike]:
        """Return the scenarios of this session that are alike, under these criteria."""
        passed_us = self._present.passed_us
        if self._session is None or not passed_us:
            return []
        groups: dict[int, tuple[Row, dict[int, int]]] = {}
        met: set[int] = set()
        others: set[int] = set()
        for row in rows_of(self._connection, criteria_key, passed_us.keys()):
            id_, reads_id, history_id, _ = row
            started_us = passed_us.get(id_)
            if started_us is None:
                continue
            if reads_id != NO_READS:
                others.add(id_)  # its evidence is the union of several streams
                continue
            group = groups.get(history_id)
            if group is None:
                group = groups[history_id] = (row, {})
            group[1][id_] = started_us
        for _, last_runs_us in groups.values():
            met.update(last_runs_us)
            for id_ in others.intersection(last_runs_us):
                del last_runs_us[id_]
        self._counted_before |= met
        olds = states_from([row for row, _ in groups.values()], load_histories(self._connection, groups))
        states: list[tuple[Evidence | None, dict[int, int]]] = [
            (old, last_runs_us)
            for old, (_, last_runs_us) in zip(olds, groups.values(), strict=True)
            if last_runs_us
        ]
        if len(met | others) < len(passed_us):
            new = {id_: us for id_, us in passed_us.items() if id_ not in met and id_ not in others}
            states.insert(0, (None, new))
        pass_of = self._session.tally_of_pass
        return [
            Alike(pass_of(*next(iter(last_runs_us.items()))), state, last_runs_us)
            for state, last_runs_us in states
        ]

    def drop_unused(self, usual_key: str, other_keys: Mapping[int, Collection[str]]) -> None:
        """Remove the running states of this session's scenarios under criteria that are not in use for them.

        ``other_keys`` are the keys in use, by scenario id, where these are not the usual one alone.
        """
        keys = [key for (key,) in self._connection.execute(_KEYS)]
        if keys == [usual_key]:
            return
        present = self._present.ids()
        for key in keys:
            if key == usual_key:
                unused = {id_ for id_ in present & other_keys.keys() if key not in other_keys[id_]}
            else:
                holders = {id_ for (id_,) in self._connection.execute(_HOLDERS, (self._criteria_id(key),))}
                unused = {id_ for id_ in present & holders if key not in other_keys.get(id_, ())}
            if unused:
                self.drop_evidence(key, unused)

    def overlapping_scenarios(self) -> frozenset[int]:
        """Return scenarios of this session that another concluded session of the same key also ran."""
        if self._session is None:
            return frozenset()
        found = self._connection.execute(_OVERLAPPING, (self._session.number,))
        return frozenset(self._present.ids().intersection(id_ for (id_,) in found))

    def evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> Iterator[Evidence]:
        """Yield all running states of these scenarios under these criteria."""
        wanted = set(scenario_ids)
        rows = [row for row in rows_of(self._connection, criteria_key, wanted) if row[0] in wanted]
        return states_from(rows, load_histories(self._connection, {row[2] for row in rows}))

    def scenarios_without_state(self, criteria_key: str, among: Iterable[int]) -> frozenset[int]:
        """Return which of these scenarios have older concluded units but no state under these criteria."""
        if self._session is None:
            return frozenset()
        asked = {"session": self._session.number, "among": json.dumps(list(among))}
        found = self._connection.execute(
            _WITHOUT_STATE, {**asked, "criteria": self._criteria_id(criteria_key)}
        )
        return frozenset(id_ for (id_,) in found)

    def finish(self) -> None:
        """Note which scenarios have been counted for the first time, and add up the metrics."""
        super().finish()
        session = self._session
        if session is None:
            return
        # What had a running state was counted before, by a session that is concluded.
        new = json.dumps(list(self._present.ids() - self._counted_before))
        self._connection.execute(_COUNTED_FIRST, {"session": session.number, "among": new})
        if session.may_vouch:
            add_session(self._connection, session.number, session.first_run, session.last_run)
