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
from functools import cache
from itertools import groupby
from operator import add, attrgetter, itemgetter
from typing import NamedTuple

from pytest_causal.model.evidence import Tally
from pytest_causal.model.run import NO_READS, Outcome, Read
from pytest_causal.store.database import Row
from pytest_causal.store.identities import load_reads, unite
from pytest_causal.store.runs import CAUSE_INFRASTRUCTURE, CAUSE_NONE
from pytest_causal.store.text import from_stored

ReadsId = Callable[[sqlite3.Connection, tuple[Read, ...]], int]
_GroupKey = tuple[int, str, int]
"""Scenario, arm and reads."""
_Counts = tuple[int, ...]
"""The counts of a tally in the order of its fields, then when the last run began that says something. A bare tuple:
there is one for every scenario, and objects that the garbage collector follows would cost more than counting does."""

_RUNS_OF = ("first", "last", "session", "wanted")
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
_CONCLUDED = """
    SELECT number, key, ord, CASE is_dirty WHEN 0 THEN commit_id ELSE '' END,
           state = 'finished' AND broken = '', first_run, last_run
    FROM sessions WHERE ord IS NOT NULL AND is_trusted = 1 AND first_run IS NOT NULL
"""
_ONE_CONCLUDED = f"{_CONCLUDED} AND number = ?"
_CONCLUDED_IN_ORDER = f"{_CONCLUDED} AND ord > ? ORDER BY ord"

_COUNTED = ("passed", "failed", "errors", "flaky", "skipped", "missing", "infrastructure")
_NOTHING = (0,) * len(_COUNTED)


class CountedSession(NamedTuple):
    """A concluded session that counts: it is trusted and has runs."""

    number: int
    key: str
    order: int
    commit: str
    may_vouch: bool
    first_run: int
    last_run: int

    def tally_of_pass(self, scenario_id: int, started_us: int) -> Tally:
        """Return the tally of a scenario that ran once in this session, read nothing, and simply passed."""
        unit = (self.order, self.number, self.commit, started_us)
        return Tally(scenario_id, NO_READS, *unit, passed=1, may_vouch=self.may_vouch)


def find_counted(connection: sqlite3.Connection, number: int) -> CountedSession | None:
    """Return a session if it counts."""
    row = connection.execute(_ONE_CONCLUDED, (number,)).fetchone()
    return _counted_session(row) if row else None


class UnitCounter:
    """Counts units inside one transaction or snapshot; ``reads_id`` gives the id of a union of reads."""

    def __init__(self, connection: sqlite3.Connection, reads_id: ReadsId) -> None:
        self._connection = connection
        self._reads_id = reads_id

    def units(self, scenario_ids: Iterable[int], after_order: int = 0) -> Iterator[Tally]:
        """Yield every unit of these scenarios in history order (sessions of one key merged).

        Only sessions with a place after ``after_order`` are counted. A unit of a scenario has the place of the newest
        of its sessions that ran the scenario. Reads all runs once, and holds in memory only units that overlap in
        time.
        """
        wanted = json.dumps(sorted(scenario_ids))
        by_key: dict[str, list[CountedSession]] = defaultdict(list)
        for row in self._connection.execute(_CONCLUDED_IN_ORDER, (after_order,)).fetchall():
            session = _counted_session(row)
            by_key[session.key].append(session)
        units = list(by_key.values())  # in the order of their first sessions
        next_starts = [*(sessions[0].order for sessions in units[1:]), math.inf]
        held: list[Tally] = []
        for sessions, next_start in zip(
            units, next_starts, strict=False
        ):  # where nothing ran, there is one start
            held += self.tallies(sessions, wanted)
            held.sort(key=_order)
            ready = bisect_left(held, next_start, key=_order)
            yield from held[:ready]
            del held[:ready]

    def tallies(self, sessions: Sequence[CountedSession], wanted: str | None = None) -> Iterator[Tally]:
        """Count one unit: the sessions of one key in their order; ``wanted`` is a JSON array of scenario ids.

        Tallies come by scenario, then reads.
        """
        counted = [self._count(session, wanted) for session in sessions]
        united = self._united_reads(key for groups in counted for key in groups)
        parts = sorted(
            (scenario_id, united.get((scenario_id, arm), reads_id), place, counts)
            for place, groups in enumerate(counted)
            for (scenario_id, arm, reads_id), counts in groups.items()
        )
        for (scenario_id, reads_id), members in groupby(parts, key=_scenario_and_reads):
            (_, _, place, counts), *others = members
            may_vouch = sessions[place].may_vouch
            for _, _, place, more in others:
                counts = _sum(counts, more)
                may_vouch = may_vouch and sessions[place].may_vouch
            if any(counts):
                newest = sessions[place]
                unit = (newest.order, newest.number, newest.commit, counts[-1])
                yield Tally._make((scenario_id, reads_id, *unit, *counts[:-1], may_vouch))

    def _count(self, session: CountedSession, wanted: str | None) -> dict[_GroupKey, _Counts]:
        """Count the runs of a session, by scenario, arm and reads."""
        groups: dict[_GroupKey, _Counts] = {}
        place = (session.first_run, session.last_run, session.number)
        for row in self._connection.execute(_RUNS, dict(zip(_RUNS_OF, (*place, wanted), strict=True))):
            said, is_evidence = _said(*row[3:7])
            counts = (*said, row[7] if is_evidence else 0)
            before = groups.setdefault(row[:3], counts)
            if before is not counts:
                groups[row[:3]] = _sum(before, counts)
        return groups

    def _united_reads(self, groups: Iterable[_GroupKey]) -> dict[tuple[int, str], int]:
        """Return the reads id for each (scenario, arm) whose runs took different leaves that do not contradict."""
        reads_in: dict[tuple[int, str], int] = {}
        several: dict[tuple[int, str], set[int]] = {}
        for scenario_id, arm, reads_id in groups:
            first = reads_in.setdefault((scenario_id, arm), reads_id)
            if first != reads_id:
                several.setdefault((scenario_id, arm), {first}).add(reads_id)
        united: dict[tuple[int, str], int] = {}
        for place, ids in several.items():
            union = unite(load_reads(self._connection, each) for each in sorted(ids))
            if union is not None:
                united[place] = self._reads_id(self._connection, union)
        return united


def _counted_session(row: Row) -> CountedSession:
    number, key, order, commit, may_vouch, first_run, last_run = row
    return CountedSession(number, key, order, from_stored(commit), bool(may_vouch), first_run, last_run)


def _sum(one: _Counts, other: _Counts) -> _Counts:
    return (*map(add, one[:-1], other[:-1]), max(one[-1], other[-1]))


def _kind(outcome: Outcome, cause: int) -> str:
    """Return what an execution is counted as, by its final run and the cause of that."""
    match outcome:
        case Outcome.PASSED | Outcome.XFAILED:
            return "passed"
        case Outcome.SKIPPED | Outcome.MISSING:
            return outcome.value
        case Outcome.XPASSED if cause == CAUSE_NONE:
            return "passed"
        case _ if cause == CAUSE_INFRASTRUCTURE:
            return "infrastructure"
        case Outcome.FAILED | Outcome.XPASSED:
            return "failed"
    return "errors"


@cache
def _said(outcome: str, cause: int, is_superseded: int, is_rerun: int) -> tuple[tuple[int, ...], bool]:
    """Return what one run adds to each count, and whether it speaks for or against the scenario.

    It is given as it is stored: outcome, cause, whether it was superseded, and whether it passed only on rerun. An
    attempt that was rerun says what was read, and no more.
    """
    if is_superseded:
        return _NOTHING, False
    kind = _kind(Outcome(outcome), cause)
    kinds = {kind, "flaky"} if is_rerun and kind == "passed" else {kind}
    return tuple(int(name in kinds) for name in _COUNTED), kind in {"passed", "failed", "errors"}


_order = attrgetter("order")
_scenario_and_reads = itemgetter(0, 1)
