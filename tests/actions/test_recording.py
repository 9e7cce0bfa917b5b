"""Runs reach a real store in batches; a store that is busy, full, damaged or interrupted costs no more than it must."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pytest_causal import clock
from pytest_causal.actions import recording as module
from pytest_causal.actions.recording import BATCH_RUNS, BATCH_SECONDS, RETRY_SECONDS, Recording
from pytest_causal.errors import StoreBusyError, StoreError
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.run import Outcome, Run
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store import sqlite
from pytest_causal.store.opening import open_store

NOW_US = 1_763_700_000_000_000
FACTS = SessionFacts(uid="u", key="u", started_us=NOW_US)
ENDING = SessionEnding(state=SessionState.FINISHED, finished_us=NOW_US + 1)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


class Ticker:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def ticker(monkeypatch) -> Ticker:
    ticker = Ticker()
    monkeypatch.setattr(clock, "monotonic_seconds", ticker)
    return ticker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "history.db"


@pytest.fixture
def record(path: Path) -> Iterator[Callable[..., Recording]]:
    made: list[Recording] = []

    def begin(place: Path = path, *, busy_seconds: float = 0.1, facts: SessionFacts = FACTS) -> Recording:
        recording = Recording(
            lambda: open_store(str(place), busy_seconds=busy_seconds), facts, busy_seconds=busy_seconds
        )
        made.append(recording)
        recording.start()
        return recording

    yield begin
    for recording in made:
        recording.close()


def run(number: int) -> Run:
    name = f"f.py::test_{number}"
    return Run(scenario=name, nodeid=name, outcome=Outcome.PASSED, started_us=NOW_US)


def ask(path: Path, sql: str = "SELECT count(*) FROM runs") -> Any:
    """What another process would see, with nothing but SQLite."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchone()[0]
    finally:
        connection.close()


def hold(path: Path) -> sqlite3.Connection:
    """Take the store's write lock; it is released by closing."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    return holder


def conclude(recording: Recording) -> SessionEnding:
    ending, _ = recording.conclude(ENDING, Criteria(), [])
    return ending


def test_a_full_batch_is_committed_at_once_and_seen_by_others(record, path, ticker) -> None:
    recording = record()
    for number in range(BATCH_RUNS - 1):
        recording.add(run(number))
    assert ask(path) == 0
    recording.add(run(BATCH_RUNS))
    assert ask(path) == BATCH_RUNS == recording.recorded


def test_a_run_waits_for_others_only_so_long(record, path, ticker) -> None:
    recording = record()
    recording.add(run(1))
    ticker.seconds += BATCH_SECONDS * 0.9
    recording.add_all([run(2)])
    assert ask(path) == 0
    ticker.seconds += BATCH_SECONDS * 0.2
    recording.add_all([run(3)])
    assert ask(path) == 3
    recording.add_all([run(4)])
    assert ask(path) == 3, "the wait begins anew with each commit"


@pytest.mark.parametrize(
    ("seconds_a_run", "most"), [(0.0, 10_000 // BATCH_RUNS), (BATCH_SECONDS / 20, 10_000 // 20)]
)
def test_p32_ten_thousand_runs_take_one_transaction_a_batch(
    record, path, ticker, seconds_a_run, most
) -> None:
    recording = record()
    statements: Counter[str] = Counter()
    recording.store._database.connection.set_trace_callback(lambda sql: statements.update([sql.split()[0]]))
    for number in range(10_000):
        ticker.seconds += seconds_a_run
        recording.add_all([run(number)])
    assert ask(path) > 9_900
    assert most * 0.9 <= statements["COMMIT"] <= most + 1
    assert statements["BEGIN"] == statements["COMMIT"]


def test_what_waits_is_committed_when_the_session_is_concluded(record, path, ticker) -> None:
    recording = record()
    recording.add(run(1))
    ending, judgements = recording.conclude(
        ENDING, Criteria(min_runs=1), [Declaration(scenario="f.py::test_1", tags=("slow",))]
    )
    assert ending == ENDING
    assert ask(path) == 1
    assert ask(path, "SELECT state FROM sessions") == "finished"
    assert sum(judgements.counts.values()) == 1
    assert (recording.lost, recording.problems) == (0, [])
    assert recording.store is not None
    (scenario,) = recording.store.scenarios()
    assert scenario.declaration.tags == ("slow",)


def test_a_busy_store_is_left_alone_for_a_while_and_loses_nothing(record, path, ticker) -> None:
    recording = record()
    holder = hold(path)
    try:
        with closing(open_store(str(path), busy_seconds=0)) as other, pytest.raises(StoreBusyError):
            other.begin_session(FACTS._replace(uid="proof"))
        for number in range(BATCH_RUNS):
            recording.add(run(number))
        assert ask(path) == 0
    finally:
        holder.close()
    recording.add(run(BATCH_RUNS))
    assert ask(path) == 0, "not tried again at once: each try holds up the tests"
    ticker.seconds += RETRY_SECONDS
    recording.add(run(BATCH_RUNS + 1))
    assert ask(path) == BATCH_RUNS + 2
    assert (recording.lost, recording.problems) == (0, [])


def test_c2_a_store_that_stays_busy_is_an_error_that_counts_what_is_lost(record, path, ticker) -> None:
    recording = record()
    recording.add(run(1))
    holder = hold(path)
    try:
        with pytest.raises(StoreBusyError):
            conclude(recording)
    finally:
        holder.close()
    assert recording.lost == 1
    assert ask(path) == 0


def test_while_tests_run_a_commit_waits_less_than_at_the_end(record, path) -> None:
    recording = record(busy_seconds=7.0)
    assert recording.store is not None
    assert recording.store.busy_seconds == module.BUSY_SECONDS_WHILE_TESTING
    conclude(recording)
    assert recording.store.busy_seconds == 7.0
    assert record(busy_seconds=0.01, facts=FACTS._replace(uid="v")).store.busy_seconds == 0.01


def damage(path: Path) -> None:
    """Write as another process, so that no page is taken from memory, then overwrite all but the first."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE sessions SET key = key")
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    other.close()
    with pytest.raises(sqlite3.DatabaseError):
        ask(path)


def test_p6_a_store_damaged_on_the_way_is_set_aside_and_the_session_goes_on(record, path, ticker) -> None:
    recording = record(busy_seconds=3.0)
    for number in range(BATCH_RUNS):
        recording.add(run(number))
    damage(path)
    for number in range(BATCH_RUNS):
        recording.add(run(1000 + number))
    assert ask(path) == BATCH_RUNS
    aside = min(path.parent.glob("history.db.corrupt-*"))
    (problem,) = recording.problems
    assert "damaged" in problem
    assert str(aside) in problem
    assert recording.lost == BATCH_RUNS
    assert recording.store.busy_seconds == module.BUSY_SECONDS_WHILE_TESTING
    assert conclude(recording).state is SessionState.INTERRUPTED, "half a session cannot vouch"
    assert ask(path, "SELECT state FROM sessions") == "interrupted"


def test_p6_where_no_new_store_can_be_begun_the_rest_is_lost_and_counted(record, path, ticker) -> None:
    recording = record()
    for number in range(BATCH_RUNS):
        recording.add(run(number))
    damage(path)
    opener, recording._opener = recording._opener, refuse
    for number in range(BATCH_RUNS):
        recording.add(run(1000 + number))
    assert [problem for problem in recording.problems if "no place" in problem]
    recording.add(run(5000))
    with pytest.raises(StoreError):
        conclude(recording)
    assert recording.lost == 2 * BATCH_RUNS + 1
    opener().close()


def refuse() -> Any:
    raise StoreError("there is no place for a store")


@pytest.mark.fault
@needs_root
@pytest.mark.parametrize("size_kib", sorted(random.Random(1).sample(range(700, 2400), 10)))
def test_s1_a_disk_that_fills_on_the_way_is_tried_again(record, tmp_path, ticker, size_kib: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    store = disk / "history.db"
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(disk), "-o"]
    subprocess.run([*mount, f"size={size_kib}k"], check=True)
    try:
        recording = record(store)
        total = 40 * BATCH_RUNS
        for number in range(total):
            recording.add(run(number))
            ticker.seconds += RETRY_SECONDS / BATCH_RUNS
        assert ask(store) == recording.recorded < total
        (problem,) = recording.problems
        assert "disk is full" in problem
        subprocess.run([*mount, "remount,size=64m"], check=True)
        conclude(recording)
        assert ask(store) == ask(store, "SELECT count(DISTINCT scenario_id) FROM runs") == total
        assert ask(store, "PRAGMA integrity_check") == "ok"
        assert recording.lost == 0
    finally:
        recording.close()
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.fault
@needs_root
def test_s3_a_disk_that_is_full_at_the_end_is_told_by_its_own_error(record, tmp_path, ticker) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], check=True)
    try:
        recording = record(disk / "history.db")
        with pytest.raises(OSError, match="No space"):
            (disk / "filler").write_bytes(b"x" * 10_000_000)
        for number in range(BATCH_RUNS - 1):
            recording.add(run(number)._replace(nodeid="n" * 4000 + str(number)))
        with pytest.raises(StoreError, match="disk is full") as told:
            conclude(recording)
        assert "ROLLBACK" not in repr(told.value.__cause__)
        assert "rollback" not in str(told.value)
        assert recording.lost == BATCH_RUNS - 1
        assert ask(disk / "history.db") == 0
    finally:
        recording.close()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_s7_a_store_that_was_moved_is_told_at_the_end(record, path, ticker) -> None:
    recording = record()
    path.rename(path.with_name("elsewhere.db"))
    conclude(recording)
    (problem,) = recording.problems
    assert f"{path} was moved or deleted" in problem


def test_a_store_that_cannot_be_opened_is_an_error_at_the_start(record, tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        record(tmp_path / "file" / "history.db")


def test_without_a_store_runs_are_counted_as_lost(path) -> None:
    recording = Recording(lambda: open_store(str(path)), FACTS, busy_seconds=0.1)
    recording.add(run(1))
    assert conclude(recording) == ENDING
    assert recording.lost == 1
    assert recording.session == 0


def test_dead_sessions_are_concluded_beside_ones_own(record, path, ticker) -> None:
    dead = FACTS._replace(uid="dead", host=os.uname().nodename, process="999999999:1")
    record(facts=dead).close()
    conclude(record())
    assert ask(path, "SELECT group_concat(state, ' ') FROM (SELECT state FROM sessions ORDER BY number)") == (
        "abandoned finished"
    )


def test_closing_twice_is_closing_once(record) -> None:
    recording = record()
    recording.close()
    recording.close()
    assert recording.store is None


TRACED = {module.__file__, sqlite.__file__}


def interrupt_at(place: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that raises Ctrl-C as the ``place``-th line of ours is reached; the files say where."""
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            seen += 1
            if seen == place:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    return trace


def test_p11_ctrl_c_at_any_line_of_a_commit_neither_loses_nor_doubles_a_run(tmp_path, ticker) -> None:
    before = sys.gettrace()
    is_interrupted = True
    place = 0
    while is_interrupted:
        place += 1
        path = tmp_path / f"{place}.db"
        recording = Recording(partial(open_store, str(path)), FACTS, busy_seconds=0.1)
        recording.start()
        for number in range(BATCH_RUNS - 1):
            recording.add(run(number))
        is_interrupted = False
        sys.settrace(interrupt_at(place))
        try:
            recording.add(run(BATCH_RUNS))
        except KeyboardInterrupt:
            is_interrupted = True
        finally:
            sys.settrace(before)
        conclude(recording)
        recording.close()
        assert BATCH_RUNS - 1 <= ask(path) <= BATCH_RUNS, f"interrupted at line {place} of the commit"
        assert ask(path, "SELECT count(DISTINCT scenario_id) FROM runs") == ask(path)
    assert place > 10, "the interruption fell nowhere"
