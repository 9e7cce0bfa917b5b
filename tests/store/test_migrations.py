"""Migrations: every released schema becomes the current one, whole, once, and with all it holds."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from pytest_causal import clock
from pytest_causal.errors import StoreError, StoreRefusedError
from pytest_causal.model.evidence import Evidence, Verdict
from pytest_causal.model.run import Cause, Phase
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.migrations import (
    APPLICATION_ID,
    CURRENT_SCHEMA_SHA256,
    SHIPPED,
    Migration,
    expected_schema,
    load_migrations,
    read_schema,
    read_version,
    schema_digest,
)
from pytest_causal.store.opening import open_store
from pytest_causal.store.sqlite_opening import open_for_writing

NOW = len(load_migrations())
"""The current schema; the tests make the one after it."""
RELEASED = sorted((Path(__file__).parent / "released").glob("schema_*.sql"))

NEXT = """
-- A column; with a semicolon in a comment.
ALTER TABLE sessions ADD COLUMN note TEXT NOT NULL DEFAULT 'a;b';
CREATE TABLE notes (
    id INTEGER PRIMARY KEY, /* ; */
    text TEXT NOT NULL
) STRICT;
INSERT INTO notes (text) SELECT 'migrated;' || uid FROM sessions;
CREATE INDEX notes_text ON notes (text);
"""


@pytest.fixture
def next_folder(tmp_path):
    """The migrations of a version to come."""
    folder = tmp_path / "migrations"
    shutil.copytree(SHIPPED, folder)
    (folder / f"{NOW + 1:04}_next.sql").write_text(NEXT)
    return folder


@pytest.fixture
def old_store(tmp_path, make):
    """The path of a store of the current schema, which will be an old one."""
    path = tmp_path / "old.db"
    store = open_store(str(path))
    make.session(store, [make.run("kept")], uid="before")
    store.close()
    return path


def open_with(path: Path, folder: Path):
    return open_for_writing(path, busy_seconds=10.0, now_us=clock.now_us, migrations=load_migrations(folder))


def schema_of(path: Path):
    connection = sqlite3.connect(path)
    try:
        return read_version(connection), read_schema(connection)
    finally:
        connection.close()


def restored(dump: Path, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(dump.read_text("utf-8"))
    connection.close()


def test_all_migrations_make_what_a_fresh_store_is(store_path):
    open_store(str(store_path)).close()
    version, schema = schema_of(store_path)
    assert version == NOW == len(RELEASED)
    assert schema == expected_schema(load_migrations())


def test_the_digest_of_the_newest_schema_is_up_to_date() -> None:
    assert schema_digest(expected_schema(load_migrations())) == CURRENT_SCHEMA_SHA256


@pytest.mark.parametrize("dump", RELEASED, ids=lambda dump: dump.stem)
def test_a_saved_store_of_each_released_schema_opens_with_all_it_holds(tmp_path, dump):
    path = tmp_path / "released.db"
    restored(dump, path)
    store = open_store(str(path))
    assert store.notices == ()
    assert schema_of(path)[1] == expected_schema(load_migrations())
    assert [(session.facts.uid, session.ending.state, session.runs) for session in store.sessions()] == [
        ("third", "running", 1),
        ("second", "interrupted", 2),
        ("first", "finished", 6),
    ]
    oldest_first = reversed(list(store.history(HistoryQuery())))
    by_name = {record.run.nodeid: record.run for record in oldest_first}
    assert by_name["tests/test_a.py::test_flaky"].attempt == 2
    assert by_name["tests/test_a.py::test_odd\\x00[\udcff]"].cause == Cause(
        phase=Phase.CALL, type="ValueError", message="no \0 number", is_infrastructure=True
    )
    assert [metric.value for metric in by_name["tests/test_a.py::test_measured"].metrics] == [12.5, None]
    assert [read.value for read in by_name["tests/test_a.py::test_measured"].reads] == ["30000", '"fast"']
    assert [(alias.old, alias.new) for alias in store.aliases()] == [("tests/test_a.py::test_old", "renamed")]
    assert {each.scenario: dict(each.criteria) for each in store.declarations().values()} == {
        "renamed": {"min_runs": 5}
    }
    states = {
        store.scenario_names([state.scenario_id])[state.scenario_id]: state
        for state in store.all_evidence("key")
    }
    assert states["tests/test_a.py::test_flaky"].wealth == (1.0, 0.5, 1e-300, 4.0, 5.0, 6.0, 7.0)
    assert store.health(deep=True).problems == ()
    store.close()


def test_running_states_come_over_to_where_what_they_share_is_stored_once(tmp_path):
    """Until schema 2 each stood in a row of its own, with the time of its last run among its packed numbers."""
    path = tmp_path / "released.db"
    restored(Path(__file__).parent / "released" / "schema_2.sql", path)
    passed = Evidence(
        scenario_id=1, reads_id=0, passed=7, units=3, last_run_us=1_763_700_000_123_456, commit_seen="ab"
    )
    odd = Evidence(
        scenario_id=3,
        reads_id=2,
        failed=255,
        badness=1e-300,
        wealth=(0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 1e300),
        recent=2**62 - 1,
        recent_units=1,
        last_order=-1,
        last_session=9,
        last_badness=0.25,
        last_run_us=2**62 + 255,
        commit_marks=3,
        contradictions=2,
        flaky_since=4,
        verdict=Verdict.REJECTED,
    )
    states = [passed, passed._replace(scenario_id=2, last_run_us=0), odd, odd._replace(scenario_id=4)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM evidence")
        for state in states:
            numbers = (*state[2:11], *state.wealth, *state.ruin, *state[13:16], *state[17:19], *state[20:23])
            packed = struct.pack("<8I d 7d 5d QQqdq B2I", *numbers)
            row = (1, *state[:2], state.verdict.value, state.commit_seen, state.last_session, packed)
            connection.execute("INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    with closing(open_store(str(path))) as store:
        assert list(store.all_evidence()) == states
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM histories").fetchone() == (2,)


def test_every_column_says_what_it_holds():
    for migration in load_migrations():
        for table in re.findall(r"CREATE TABLE \w+ \((.*?)\n\)", migration.script, re.DOTALL):
            for line in table.strip("\n").splitlines():
                assert " -- " in line or line.strip().startswith("PRIMARY KEY"), line


def test_an_old_store_becomes_a_new_one_and_keeps_what_it_holds(old_store, next_folder):
    opened = open_with(old_store, next_folder)
    assert opened.schema_version == NOW + 1
    assert opened.database.fetch("SELECT note, uid FROM sessions") == [("a;b", "before")]
    assert opened.database.fetch("SELECT text FROM notes") == [("migrated;before",)]
    opened.database.close()
    assert schema_of(old_store) == (NOW + 1, expected_schema(load_migrations(next_folder)))
    with pytest.raises(StoreRefusedError, match="newer"):
        open_store(str(old_store))


def test_a_migration_that_fails_leaves_the_old_store(old_store, next_folder):
    (next_folder / f"{NOW + 2:04}_broken.sql").write_text(
        "CREATE TABLE good (x);\nINSERT INTO nowhere VALUES (1);\n"
    )
    before = schema_of(old_store)
    with pytest.raises(StoreError, match="nowhere"):
        open_with(old_store, next_folder)
    assert schema_of(old_store) == before
    store = open_store(str(old_store))
    assert len(store.sessions()) == 1
    store.close()


def test_a_store_that_was_altered_is_not_migrated(old_store, next_folder):
    connection = sqlite3.connect(old_store)
    connection.execute("CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END")
    connection.close()
    before = schema_of(old_store)
    with pytest.raises(StoreRefusedError, match="triggers"):
        open_with(old_store, next_folder)
    assert schema_of(old_store) == before


@pytest.mark.fault
@pytest.mark.parametrize("is_new", [False, True])
def test_p8_a_kill_at_each_statement_leaves_an_old_or_a_new_store(
    tmp_path, old_store, next_folder, child, is_new
):
    if is_new:
        old_store.unlink()
    process = child("migrate_killed.py", tmp_path / "migrated.db", next_folder, old_store)
    said, complaint = process.communicate(timeout=120)
    assert complaint == ""
    versions = json.loads(said)
    assert versions == sorted(versions)
    assert set(versions) == {0 if is_new else NOW, NOW + 1}
    assert versions.count(versions[0]) > 10


@pytest.mark.fault
@pytest.mark.parametrize("is_new", [False, True])
def test_c10_of_eight_processes_exactly_one_migrates(old_store, next_folder, child, is_new):
    if is_new:
        old_store.unlink()
    processes = [child("migrate.py", old_store, next_folder) for _ in range(8)]
    for process in processes:
        process.stdin.close()
        process.stdin = None
    told = [process.communicate(timeout=60) for process in processes]
    assert told == [(f"{NOW + 1}\n", "")] * 8
    assert schema_of(old_store) == (NOW + 1, expected_schema(load_migrations(next_folder)))
    connection = sqlite3.connect(old_store)
    assert connection.execute("SELECT count(*) FROM origin").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0 if is_new else 1,)
    connection.close()


def test_migrations_are_numbered_without_gaps(next_folder):
    (next_folder / f"{NOW + 3:04}_late.sql").write_text("")
    with pytest.raises(RuntimeError, match="_late"):
        load_migrations(next_folder)


def test_a_statement_that_is_not_finished_is_an_error_and_not_passed_over():
    script = "CREATE TABLE a (x);\nCREATE TABLE b (x"
    *_, last = Migration(number=1, name="m", script=script).statements()
    assert "TABLE b" in last
    with closing(sqlite3.connect(":memory:")) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute(last)


def test_the_file_is_marked_as_ours(store_path):
    open_store(str(store_path)).close()
    assert store_path.read_bytes()[68:72] == APPLICATION_ID.to_bytes(4, "big")
