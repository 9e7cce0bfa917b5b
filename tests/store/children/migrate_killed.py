"""Kill a migrating process at each of its statements: ``migrate_killed.py STORE FOLDER OLD-STORE``.

Prints, as JSON, which schema version was found after each kill, and after the migration that was let through.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

from pytest_causal import clock
from pytest_causal.store import database
from pytest_causal.store.migrations import (
    Migration,
    expected_schema,
    load_migrations,
    read_schema,
    read_version,
)
from pytest_causal.store.sqlite_opening import open_for_writing


def die_at_statement(count: int) -> None:
    """Make every connection of this process count statements, and die just before the given one."""
    seen = 0
    connect = sqlite3.connect

    def look(_sql: str) -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect_and_look(*given: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(look)
        return connection

    database.sqlite3.connect = connect_and_look  # type: ignore[attr-defined]


def migrate(path: Path, steps: tuple[Migration, ...]) -> None:
    opened = open_for_writing(path, busy_seconds=10.0, now_us=clock.now_us, migrations=steps)
    assert opened.notices == ()
    opened.database.close()


def version_of(path: Path, steps: tuple[Migration, ...]) -> int:
    connection = sqlite3.connect(path)
    version = read_version(connection)
    assert read_schema(connection) == expected_schema(steps[:version])
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return version


def main(path: Path, folder: Path, old: Path) -> None:
    steps = load_migrations(folder)
    found: list[int] = []
    is_killed = True
    while is_killed:
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        if old.exists():
            shutil.copy(old, path)
        pid = os.fork()
        if pid == 0:
            die_at_statement(len(found) + 1)
            migrate(path, steps)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        is_killed = os.WIFSIGNALED(status)
        assert is_killed or status == 0
        found.append(version_of(path, steps) if path.exists() else 0)
        migrate(path, steps)  # what was left can be migrated
        assert version_of(path, steps) == len(steps)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
