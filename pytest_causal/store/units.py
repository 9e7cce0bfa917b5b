"""Units of evidence, counted from the runs.

The runs of a session lie close together, so they are read by a range of ids, and counted here: for SQLite to sort
them into groups costs twice as much as to hand them over. In one unit, the runs of a scenario in one arm are taken to
have read what any of them read; where they contradict each other (one path, two values), each set of reads is counted
apart. Runs that end up with the same reads are one tally, whatever their arm: they are evidence for the same policies,
and a unit must be counted once only.
"""

from __future__ import annotations

import json
import math
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from pytest_causal.model.evidence import Tally
from pytest_causal.model.run import Outcome, Read
from pytest_causal.store.database import Row
from pytest_causal.store.identities import load_reads, unite
from pytest_causal.store.runs import CAUSE_INFRASTRUCTURE, CAUSE_NONE, CAUSE_OTHER
from pytest_causal.store.text import from_stored

ReadsId = Callable[[sqlite3.Connection, tuple[Read, ...]], int]
_GroupKey = tuple[int, str, int]

# An execution that passed on rerun is flaky unless infrastructure alone was to blame for the attempts before.
_RUNS_OF = ("first", "last", "session", "wanted")
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
_CONCLUDED = """
    SELECT number, key, ord, CASE is_dirty WHEN 0 THEN commit_id ELSE '' END,
           state = 'finished' AND broken = '', first_run, last_run
    FROM sessions WHERE ord IS NOT NULL AND is_trusted = 1 AND first_run IS NOT NULL
"""
_ONE_CONCLUDED = f"{_CONCLUDED} AND number = ?"
_CONCLUDED_IN_ORDER = f"{_CONCLUDED} ORDER BY ord"

_COUNTED = ("passed", "failed", "errors", "flaky", "skipped", "missing", "infrastructure")
"""The counts of a tally, in the order of its fields."""
_PASSED, _FAILED, _ERRORS, _FLAKY, _SKIPPED, _MISSING, _INFRASTRUCTURE = range(len(_COUNTED))
_NOT_EVIDENCE = frozenset({_SKIPPED, _MISSING, _INFRASTRUCTURE})


@dataclass(frozen=True, slots=True)
class CountedSession:
    """A concluded session that counts: it is trusted and has runs."""

    number: int
    key: str
    order: int
    commit: str
    may_vouch: bool
    first_run: int
    last_run: int


def find_counted(connection: sqlite3.Connection, number: int) -> CountedSession | None:
    """Return a session if it counts."""
    row = connection.execute(_ONE_CONCLUDED, (number,)).fetchone()
    return _counted_session(row) if row else None


class UnitCounter:
    """Counts units inside one transaction or snapshot; ``reads_id`` gives the id of a union of reads."""

    def __init__(self, connection: sqlite3.Connection, reads_id: ReadsId) -> None:
        self._connection = connection
        self._reads_id = reads_id

    def units(self, scenario_ids: Iterable[int]) -> Iterator[Tally]:
        """Yield every unit of these scenarios in history order (sessions of one key merged).

        A unit of a scenario has the place of the newest of its sessions that ran the scenario. Reads all runs once,
        and holds in memory only units that overlap in time.
        """
        wanted = json.dumps(sorted(scenario_ids))
        by_key: dict[str, list[CountedSession]] = defaultdict(list)
        for row in self._connection.execute(_CONCLUDED_IN_ORDER).fetchall():
            session = _counted_session(row)
            by_key[session.key].append(session)
        units = list(by_key.values())  # in the order of their first sessions
        next_starts = [*(sessions[0].order for sessions in units[1:]), math.inf]
        held: list[Tally] = []
        for sessions, next_start in zip(
            units, next_starts, strict=False
        ):  # without units, there is one start
            held += self.tallies(sessions, wanted)
            held.sort(key=_order)
            ready = bisect_left(held, next_start, key=_order)
            yield from held[:ready]
            del held[:ready]

    def tallies(self, sessions: Sequence[CountedSession], wanted: str | None = None) -> Iterator[Tally]:
        """Count one unit: the sessions of one key in their order; ``wanted`` is a JSON array of scenario ids.

        Tallies come by scenario, then reads.
        """
        groups: dict[_GroupKey, _Group] = {}
        for session in sessions:
            self._count(session, wanted, groups)
        united = self._united_reads(groups)
        found: dict[tuple[int, int], _Group] = {}
        for (scenario_id, arm, reads_id), group in groups.items():
            place = (scenario_id, united.get((scenario_id, arm), reads_id))
            if found.setdefault(place, group) is not group:
                found[place].absorb(group)
        return (
            group.tally(*place) for place, group in sorted(found.items(), key=_place) if any(group.counts)
        )

    def _count(self, session: CountedSession, wanted: str | None, groups: dict[_GroupKey, _Group]) -> None:
        """Count the runs of a session, by scenario, arm and reads."""
        place = (session.first_run, session.last_run, session.number)
        for row in self._connection.execute(_RUNS, dict(zip(_RUNS_OF, (*place, wanted), strict=True))):
            key = row[:3]
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group(session)
            group.add(session, row)

    def _united_reads(self, groups: Iterable[_GroupKey]) -> dict[tuple[int, str], int]:
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


class _Group:
    """The growing count of one scenario under one set of reads in one unit. Lean: there is one for every scenario."""

    __slots__ = ("counts", "last_run_us", "may_vouch", "newest")

    def __init__(self, session: CountedSession) -> None:
        self.newest = session
        self.may_vouch = session.may_vouch
        self.counts = [0] * len(_COUNTED)
        self.last_run_us = 0

    def add(self, session: CountedSession, row: Row) -> None:
        """Count one run; sessions come in their order."""
        _, _, _, outcome, cause, is_superseded, is_rerun, started_us = row
        if session is not self.newest:
            self.newest = session
            self.may_vouch = self.may_vouch and session.may_vouch
        if is_superseded:
            return  # an attempt that was rerun says what was read, and no more
        kind = _KINDS[outcome, cause]
        self.counts[kind] += 1
        if is_rerun and kind == _PASSED:
            self.counts[_FLAKY] += 1
        if started_us > self.last_run_us and kind not in _NOT_EVIDENCE:
            self.last_run_us = started_us

    def absorb(self, other: _Group) -> None:
        """Count what another group counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.newest = max(self.newest, other.newest, key=_order)
        self.may_vouch = self.may_vouch and other.may_vouch
        self.last_run_us = max(self.last_run_us, other.last_run_us)

    def tally(self, scenario_id: int, reads_id: int) -> Tally:
        """Return the count as it stands."""
        newest = self.newest
        unit = (newest.order, newest.number, newest.commit, self.last_run_us)
        return Tally._make((scenario_id, reads_id, *unit, *self.counts, self.may_vouch))


def _counted_session(row: Row) -> CountedSession:
    number, key, order, commit, may_vouch, first_run, last_run = row
    return CountedSession(number, key, order, from_stored(commit), bool(may_vouch), first_run, last_run)


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
_place = itemgetter(0)
