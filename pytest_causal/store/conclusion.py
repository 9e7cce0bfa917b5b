"""The end of a session: its tallies, and the running states they are folded into, inside one transaction.

The runs of a session lie close together, so they are read by a range of ids, and counted here: for SQLite to sort
them into groups costs twice as much as to hand them over. In one unit, the runs of a scenario in one arm are taken to
have read what any of them read; where they contradict each other (one path, two values), each set of reads is counted
apart. Runs that end up with the same reads are one tally, whatever their arm: they are evidence for the same policies,
and a unit must be counted once only.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from pytest_causal.model.evidence import Evidence, Tally
from pytest_causal.model.run import Outcome
from pytest_causal.store.database import Row
from pytest_causal.store.identities import Identities, load_reads, unite
from pytest_causal.store.rows import evidence_from, evidence_row
from pytest_causal.store.runs import CAUSE_INFRASTRUCTURE, CAUSE_NONE, CAUSE_OTHER
from pytest_causal.store.text import from_stored

# An execution that passed on rerun is flaky unless infrastructure alone was to blame for the attempts before.
_RUNS = """
    WITH excused AS (
        SELECT scenario_id, node_id, occurrence, arm FROM runs
        WHERE id BETWEEN :first AND :last AND session = :session AND is_superseded = 1
        GROUP BY 1, 2, 3, 4 HAVING min(cause) = 2
    )
    SELECT coalesce(scenarios.alias_of, scenarios.id), runs.arm, runs.reads_id, runs.outcome, runs.cause,
           runs.is_superseded,
           runs.attempt > 1 AND (runs.scenario_id, runs.node_id, runs.occurrence, runs.arm) NOT IN excused,
           runs.started_us
    FROM runs JOIN scenarios ON scenarios.id = runs.scenario_id
    WHERE runs.id BETWEEN :first AND :last AND runs.session = :session
      AND (:wanted IS NULL OR coalesce(scenarios.alias_of, scenarios.id) IN (SELECT value FROM json_each(:wanted)))
"""
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
    SELECT evidence.* FROM temp.present JOIN evidence ON evidence.scenario_id = present.id
    WHERE evidence.criteria_id = ?
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
_CONCLUDED = """
    SELECT number, key, ord, CASE is_dirty WHEN 0 THEN commit_id ELSE '' END,
           state = 'finished' AND broken = '', first_run, last_run
    FROM sessions WHERE ord IS NOT NULL AND is_trusted = 1 AND first_run IS NOT NULL
"""
_ONE_CONCLUDED = f"{_CONCLUDED} AND number = ?"
_CONCLUDED_IN_ORDER = f"{_CONCLUDED} ORDER BY ord"
_PUT_STATE = "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP_STATES = (
    "DELETE FROM evidence WHERE criteria_id = ? AND scenario_id IN (SELECT value FROM json_each(?))"
)


@dataclass(frozen=True, slots=True)
class _Session:
    """A concluded, trusted session that has runs."""

    number: int
    key: str
    order: int
    commit: str
    may_vouch: int
    first_run: int
    last_run: int


class _Group:
    """The growing count of one scenario under one set of reads in one unit. Lean: there is one for every scenario."""

    __slots__ = ("counts", "last_run_us", "may_vouch", "newest")

    def __init__(self, session: _Session) -> None:
        self.newest = session
        self.may_vouch = session.may_vouch
        self.counts = [0] * len(_COUNTED)
        self.last_run_us = 0

    def add(self, session: _Session, kind: int, is_rerun: int, started_us: int) -> None:
        """Count one execution, given by its final run; sessions come in their order."""
        self.counts[kind] += 1
        if kind <= _SPEAKS and started_us > self.last_run_us:
            self.last_run_us = started_us
        if is_rerun and kind == _PASSED:
            self.counts[_FLAKY] += 1
        if session is not self.newest:
            self.newest = session
            self.may_vouch &= session.may_vouch

    def absorb(self, other: _Group) -> None:
        """Count what another group counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.newest = max(self.newest, other.newest, key=_order)
        self.may_vouch &= other.may_vouch
        self.last_run_us = max(self.last_run_us, other.last_run_us)

    def tally(self, scenario_id: int, reads_id: int) -> Tally:
        """Return the count as it stands; the fields of a tally stand in the order of ``_COUNTED``."""
        newest = self.newest
        unit = (newest.order, newest.number, newest.commit, self.last_run_us)
        return Tally._make((scenario_id, reads_id, *unit, *self.counts, bool(self.may_vouch)))


class Ledger:
    """Running states as read and written inside a write transaction, and the units they are computed from."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities) -> None:
        self._connection = connection
        self._identities = identities
        self._reads_id = identities.reads.learn

    def units(self, scenario_ids: Iterable[int]) -> Iterator[Tally]:
        """Yield, from the runs, every unit of these scenarios in history order (sessions of one key merged).

        A unit of a scenario has the place of the newest of its sessions that ran the scenario. Reads all runs once,
        and holds in memory only units that overlap in time.
        """
        wanted = json.dumps(sorted(scenario_ids))
        by_key: dict[str, list[_Session]] = defaultdict(list)
        for row in self._connection.execute(_CONCLUDED_IN_ORDER).fetchall():
            session = _session_from(row)
            by_key[session.key].append(session)
        units = list(by_key.values())  # in the order of their first sessions
        held: list[Tally] = []
        for number, sessions in enumerate(units, 1):
            held += self._tallies(sessions, wanted)
            if number < len(units):
                ready_below = units[number][0].order  # no later unit can come before this
                held.sort(key=_order)
                ready = [tally for tally in held if tally.order < ready_below]
                held = held[len(ready) :]
            else:
                ready, held = held, []
            yield from sorted(ready, key=_order)

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

    def _tallies(self, sessions: Sequence[_Session], wanted: str | None) -> Iterator[Tally]:
        """Count one unit: the sessions of one key in their order, and those scenarios that are asked about."""
        groups: dict[tuple[int, str, int], _Group] = {}
        for session in sessions:
            self._count(session, wanted, groups)
        united = self._united_reads(groups)
        found: dict[tuple[int, int], _Group] = {}
        for (scenario_id, arm, reads_id), group in groups.items():
            place = (scenario_id, united.get((scenario_id, arm), reads_id))
            if found.setdefault(place, group) is not group:
                found[place].absorb(group)
        return (group.tally(*place) for place, group in found.items() if any(group.counts))

    def _count(
        self, session: _Session, wanted: str | None, groups: dict[tuple[int, str, int], _Group]
    ) -> None:
        """Count the runs of a session, by scenario, arm and reads."""
        place = {
            "first": session.first_run,
            "last": session.last_run,
            "session": session.number,
            "wanted": wanted,
        }
        for (
            scenario_id,
            arm,
            reads_id,
            outcome,
            cause,
            is_superseded,
            is_rerun,
            started_us,
        ) in self._connection.execute(_RUNS, place):
            key = (scenario_id, arm, reads_id)
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group(session)
            if not is_superseded:  # an attempt that was rerun says what was read, and no more
                group.add(session, _KINDS[outcome, cause], is_rerun, started_us)

    def _united_reads(self, groups: Iterable[tuple[int, str, int]]) -> dict[tuple[int, str], int]:
        """Return the reads id for each (scenario, arm) whose runs took different leaves that do not contradict."""
        reads_in: dict[tuple[int, str], list[int]] = {}
        for scenario_id, arm, reads_id in groups:
            reads_in.setdefault((scenario_id, arm), []).append(reads_id)
        united: dict[tuple[int, str], int] = {}
        for place, ids in reads_in.items():
            if len(ids) > 1:
                union = unite(load_reads(self._connection, each) for each in sorted(ids))
                if union is not None:
                    united[place] = self._reads_id(self._connection, union)
        return united


class UnitReader(Ledger):
    """Reads units outside a write transaction; a set of reads that is not stored gets an id for the while."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities) -> None:
        super().__init__(connection, identities)
        self._reads_id = identities.reads.recall


class SqliteConclusion(Ledger):
    """The view inside the transaction that concludes one session."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities, session: int) -> None:
        super().__init__(connection, identities)
        row = connection.execute(_ONE_CONCLUDED, (session,)).fetchone()
        self._session = _session_from(row) if row else None  # none: nothing in it counts
        connection.execute(_MAKE_PRESENT)
        connection.execute(_CLEAR_PRESENT)
        if self._session is not None:
            place = {"first": self._session.first_run, "last": self._session.last_run, "session": session}
            connection.execute(_FILL_PRESENT, place)

    def tallies(self) -> Iterator[Tally]:
        """Yield one tally per (scenario, reads) of the session being concluded, with its order already given out."""
        if self._session is not None:
            yield from self._tallies([self._session], None)

    def overlapping_scenarios(self) -> frozenset[int]:
        """Return scenarios of this session that another concluded session of the same key also ran."""
        return self._ids(_OVERLAPPING, self._session.number) if self._session else frozenset()

    def evidence(self, criteria_key: str) -> Iterator[Evidence]:
        """Yield all running states, under these criteria, of the scenarios of the session being concluded."""
        rows = self._connection.execute(_STATES, (self._criteria_id(criteria_key),)).fetchall()
        return map(evidence_from, rows)

    def scenarios_without_state(self, criteria_key: str) -> frozenset[int]:
        """Return scenarios of this session that have older concluded units but no state under these criteria."""
        return self._ids(_WITHOUT_STATE, self._criteria_id(criteria_key))

    def finish(self) -> None:
        """Note which scenarios have been counted for the first time."""
        if self._session is not None:
            self._connection.execute(_COUNTED_FIRST, (self._session.number,))

    def _ids(self, query: str, parameter: int) -> frozenset[int]:
        return frozenset(id_ for (id_,) in self._connection.execute(query, (parameter,)))


_COUNTED = ("passed", "failed", "errors", "flaky", "skipped", "missing", "infrastructure")
_PASSED, _FAILED, _ERRORS, _FLAKY, _SKIPPED, _MISSING, _INFRASTRUCTURE = range(len(_COUNTED))
_SPEAKS = _ERRORS
"""Kinds up to this one say something about the scenario."""


def _session_from(row: Row) -> _Session:
    number, key, order, commit, may_vouch, first_run, last_run = row
    return _Session(number, key, order, from_stored(commit), may_vouch, first_run, last_run)


def _kind(outcome: Outcome, cause: int) -> int:
    """Return what an execution is counted as, by its final run and the cause of that."""
    match outcome:
        case Outcome.PASSED | Outcome.XFAILED:
            return _PASSED
        case Outcome.SKIPPED:
            return _SKIPPED
        case Outcome.MISSING:
            return _MISSING
        case Outcome.XPASSED if cause == CAUSE_NONE:
            return _PASSED
        case _ if cause == CAUSE_INFRASTRUCTURE:
            return _INFRASTRUCTURE
        case Outcome.FAILED | Outcome.XPASSED:
            return _FAILED
    return _ERRORS


_KINDS = {
    (outcome.value, cause): _kind(outcome, cause)
    for outcome in Outcome
    for cause in (CAUSE_NONE, CAUSE_OTHER, CAUSE_INFRASTRUCTURE)
}
_order = attrgetter("order")
