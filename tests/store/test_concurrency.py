"""Many processes at one store: writers, readers, the stopped, the killed and the forked."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter

import pytest

from pytest_causal import clock
from pytest_causal.errors import StoreBusyError
from pytest_causal.store.database import LOG_LIMIT_BYTES
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store

AT_ONCE = 8


def let_go(processes) -> list[str]:
    """Start all processes at once and return what each said; each must end well."""
    for process in processes:
        process.stdin.close()
        process.stdin = None
    told = [process.communicate(timeout=120) for process in processes]
    assert [complaint for _, complaint in told] == [""] * len(processes)
    return [said.strip() for said, _ in told]


@pytest.mark.slow
@pytest.mark.fault
def test_c1_eight_writers_lose_and_double_nothing(store_path, child):
    sessions, runs = 40, 20
    let_go([child("sessions.py", store_path, name, sessions, runs) for name in range(AT_ONCE)])
    store = open_store(str(store_path))
    found = store.sessions()
    assert {session.facts.uid for session in found} == {
        f"{name}-{n}" for name in range(AT_ONCE) for n in range(sessions)
    }
    assert len(found) == AT_ONCE * sessions
    assert len({session.order for session in found}) == AT_ONCE * sessions
    assert {session.runs for session in found} == {runs}
    of_session = Counter(record.session for record in store.history(HistoryQuery()))
    assert of_session == {session.number: runs for session in found}
    assert [len(list(store.units([scenario.id]))) for scenario in store.scenarios()] == [
        AT_ONCE * sessions
    ] * runs
    assert store.health(deep=True).problems == ()
    store.close()


@pytest.mark.fault
def test_c2_a_writer_that_is_stopped_is_waited_for_and_not_for_ever(store, store_path, child, make):
    number = store.begin_session(make.facts())
    holder = child("hold.py", store_path)
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGSTOP)
    store.busy_seconds = 0.3
    before = clock.monotonic_seconds()
    with pytest.raises(StoreBusyError, match=r"history\.db is in use by another process"):
        store.add_runs(number, [make.run("a")])
    assert clock.monotonic_seconds() - before >= 0.3
    assert store.sessions()[0].number == number  # reading goes on
    os.kill(holder.pid, signal.SIGCONT)
    holder.stdin.close()
    store.busy_seconds = 60.0
    store.add_runs(number, [make.run("a")])
    assert store.session(number).runs == 1


@pytest.mark.fault
def test_c3_a_killed_writer_leaves_no_lock(store, store_path, child, make):
    holder = child("hold.py", store_path)
    assert holder.stdout.readline() == "held\n"
    store.busy_seconds = 0.0
    with pytest.raises(StoreBusyError):
        store.begin_session(make.facts())
    holder.kill()
    holder.wait()
    assert store.begin_session(make.facts()) == 1


def test_c4_a_reader_in_the_middle_of_the_history_does_not_let_the_log_grow(store, store_path, make):
    number = store.begin_session(make.facts())
    store.add_runs(number, [make.run(str(place)) for place in range(600)])
    reader = open_store(str(store_path), readonly=True)
    history = reader.history(HistoryQuery())
    next(history)
    for _ in range(1000):
        store.add_runs(number, [make.run("a") for _ in range(25)])
    log = store_path.with_name("history.db-wal")
    assert log.stat().st_size < 6 * 1024 * 1024
    assert len(list(history)) == 599
    reader.close()


@pytest.mark.slow
def test_c4_a_log_that_a_foreign_reader_let_grow_is_cut_when_it_lets_go(store, store_path, make):
    number = store.begin_session(make.facts())
    foreign = sqlite3.connect(store_path, isolation_level=None)
    foreign.execute("BEGIN")
    foreign.execute("SELECT count(*) FROM runs").fetchall()
    log = store_path.with_name("history.db-wal")
    runs = [make.run(str(place)) for place in range(500)]
    while log.stat().st_size < LOG_LIMIT_BYTES * 1.2:
        store.add_runs(number, runs)
    foreign.execute("COMMIT")
    foreign.close()
    for _ in range(3):
        store.add_runs(number, runs)
    assert log.stat().st_size <= LOG_LIMIT_BYTES


def test_p24_a_forked_child_can_neither_use_nor_harm_the_store(store_path, child):
    process = child("fork.py", store_path)
    said, complaint = process.communicate(timeout=60)
    assert (complaint, process.returncode) == ("", 0)
    assert said.splitlines() == ["child: was opened by another process", "parent: 2 runs, no problems"]


@pytest.mark.fault
def test_a_store_whose_log_is_being_folded_is_never_taken_for_damaged(store_path, child):
    open_store(str(store_path)).close()
    writer = child("fold_for_ever.py", store_path)
    assert writer.stdout.readline() == "folding\n"
    for _ in range(200):
        store = open_store(str(store_path))
        assert store.notices == ()
        store.close()
        open_store(str(store_path), readonly=True).close()
    assert writer.poll() is None
