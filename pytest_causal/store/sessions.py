"""Sessions as rows: begun, ended with a place in the history, read back."""

from __future__ import annotations

import sqlite3
from collections import Counter

from pytest_causal.errors import DataError, MissingInputError
from pytest_causal.model.run import Outcome
from pytest_causal.model.session import Session, SessionEnding, SessionFacts
from pytest_causal.store.database import Database
from pytest_causal.store.liveness import host_name, is_alive
from pytest_causal.store.rows import facts_row, session_from
from pytest_causal.store.text import from_stored, to_stored

_BEGIN = """
    INSERT INTO sessions (
        uid, key, state, kind, started_us, finished_us, broken, commit_id, branch, is_dirty, ci_provider, ci_run,
        ci_attempt, ci_job, is_trusted, python, platform, host, process, plugin_version, pytest_version, workers,
        profile, policy_fingerprint
    ) VALUES (
        :uid, :key, :state, :kind, :started_us, 0, '', :commit_id, :branch, :is_dirty, :ci_provider, :ci_run,
        :ci_attempt, :ci_job, :is_trusted, :python, :platform, :host, :process, :plugin_version, :pytest_version,
        :workers, :profile, :policy_fingerprint
    ) ON CONFLICT (uid) DO NOTHING RETURNING number
"""
_STORED_RUNS = """
    UPDATE sessions SET first_run = coalesce(first_run, ?), last_run = ?, runs = runs + ?
    WHERE number = ? AND state = 'running'
"""
# Numbered without gaps, in the order in which sessions end: a wall clock that was set back changes nothing.
_END = """
    UPDATE sessions SET
        state = :state, finished_us = :finished_us, exit_status = :exit_status, broken = :broken,
        is_dirty = coalesce(:is_dirty, is_dirty),
        ord = (SELECT coalesce(max(ord), 0) FROM sessions) + 1
    WHERE number = :number AND ord IS NULL
"""
_ONE = "SELECT * FROM sessions WHERE number = ?"
_BY_UID = "SELECT * FROM sessions WHERE uid = ?"
_NEWEST = "SELECT * FROM sessions ORDER BY number DESC LIMIT ?"
_RUNNING = "SELECT * FROM sessions WHERE state = 'running' AND host = ? ORDER BY number"
# Passes are counted apart: in most sessions they are nearly all, and a counter is cheaper than a sorted group.
_OUTCOMES = """
    SELECT 'passed', count(*)
    FROM sessions JOIN runs ON runs.id BETWEEN sessions.first_run AND sessions.last_run
    WHERE sessions.number = :number AND runs.session = sessions.number AND runs.outcome = 'passed'
    UNION ALL
    SELECT runs.outcome, count(*)
    FROM sessions JOIN runs ON runs.id BETWEEN sessions.first_run AND sessions.last_run
    WHERE sessions.number = :number AND runs.session = sessions.number AND runs.outcome <> 'passed'
    GROUP BY 1
"""
_FAILURES = """
    SELECT 1, 'passed', '', count(*)
    FROM sessions JOIN runs ON runs.id BETWEEN sessions.first_run AND sessions.last_run
    WHERE sessions.number = :number AND runs.session = sessions.number AND runs.is_superseded = 0
      AND runs.outcome = 'passed' AND runs.cause = 0 AND runs.arm = ''
    UNION ALL
    SELECT runs.arm = '', runs.outcome, coalesce(causes.type, ''), count(*)
    FROM sessions JOIN runs ON runs.id BETWEEN sessions.first_run AND sessions.last_run
    LEFT JOIN causes ON runs.cause > 0 AND causes.run_id = runs.id
    WHERE sessions.number = :number AND runs.session = sessions.number AND runs.is_superseded = 0
      AND NOT (runs.outcome = 'passed' AND runs.cause = 0 AND runs.arm = '')
    GROUP BY 1, 2, 3
"""


def begin(connection: sqlite3.Connection, facts: SessionFacts) -> int:
    """Store a session as running; return its number."""
    begun = connection.execute(_BEGIN, facts_row(facts)).fetchone()
    if begun is None:
        raise DataError(f"session {facts.uid!r} is stored already", "record each session once")
    return int(begun[0])


def extend(connection: sqlite3.Connection, number: int, first_run: int, last_run: int) -> None:
    """Note which runs were added to a running session."""
    changed = connection.execute(_STORED_RUNS, (first_run, last_run, last_run - first_run + 1, number))
    if changed.rowcount == 0:
        raise DataError(f"session {number} is not running", "add runs between its beginning and its end")


def end(connection: sqlite3.Connection, number: int, ending: SessionEnding) -> None:
    """End a session and give it its place in the history."""
    parameters = {
        "number": number,
        "state": ending.state.value,
        "finished_us": ending.finished_us,
        "exit_status": ending.exit_status,
        "broken": to_stored(ending.broken),
        "is_dirty": ending.is_dirty,
    }
    if connection.execute(_END, parameters).rowcount == 0:
        if connection.execute(_ONE, (number,)).fetchone() is None:
            raise _no_such_session(number)
        raise DataError(f"session {number} was concluded before", "conclude each session once")


def read_session(database: Database, number: int) -> Session:
    """Return one session."""
    rows = database.fetch(_ONE, (number,))
    if not rows:
        raise _no_such_session(number)
    return session_from(rows[0])


def find_session(database: Database, uid: str) -> Session | None:
    """Return the session with this uid, if it is stored."""
    rows = database.fetch(_BY_UID, (to_stored(uid),))
    return session_from(rows[0]) if rows else None


def read_sessions(database: Database, limit: int | None) -> list[Session]:
    """Return sessions, newest first."""
    return [session_from(row) for row in database.fetch(_NEWEST, (-1 if limit is None else limit,))]


def dead_sessions(database: Database) -> list[Session]:
    """Return sessions of this machine that are marked running and whose process is gone."""
    running = [session_from(row) for row in database.fetch(_RUNNING, (to_stored(host_name()),))]
    return [session for session in running if not is_alive(session.facts.process)]


def outcome_counts(database: Database, number: int) -> dict[Outcome, int]:
    """Return how many runs of a session ended each way."""
    return {
        Outcome(outcome): count for outcome, count in database.fetch(_OUTCOMES, {"number": number}) if count
    }


def failure_kinds(database: Database, number: int) -> dict[tuple[Outcome, str], int]:
    """Return how many runs of a session ended with each (outcome, cause type); superseded runs left out.

    Where runs of candidates stand beside those under the policy in force, only the latter are counted: a candidate
    that breaks all its runs is not what befell the session.
    """
    found = [row for row in database.fetch(_FAILURES, {"number": number}) if row[-1]]
    has_control = any(is_control for is_control, *_ in found)
    kinds: Counter[tuple[Outcome, str]] = Counter()
    for is_control, outcome, type_, count in found:
        if is_control or not has_control:
            kinds[Outcome(outcome), from_stored(type_)] += count
    return dict(kinds)


def _no_such_session(number: int) -> MissingInputError:
    return MissingInputError(
        f"there is no session {number} in this history", "list them with `causal history`"
    )
