"""The health of a SQLite store, in figures and in words."""

from __future__ import annotations

from pytest_causal.errors import StoreError
from pytest_causal.store.database import Database
from pytest_causal.store.interface import StoreHealth
from pytest_causal.store.location import companion
from pytest_causal.store.quarantine import quarantined
from pytest_causal.store.sqlite_opening import Opened

_MOST_PROBLEMS = 20
_SOUND = "ok"


def examine_health(opened: Opened, *, location: str, deep: bool) -> StoreHealth:
    """Check a store; ``deep`` also compares indexes with tables and rows with what they refer to."""
    database = opened.database
    path = database.path
    try:
        size_bytes = sum(file.stat().st_size for file in (path, companion(path, "-wal")) if file.exists())
        put_aside = quarantined(path)
    except OSError as error:
        raise StoreError(
            f"the folder of {path} cannot be read ({error.strerror})", "check its permissions"
        ) from error
    return StoreHealth(
        location=location,
        schema_version=opened.schema_version,
        size_bytes=size_bytes,
        sessions=database.value("SELECT count(*) FROM sessions"),
        runs=database.value("SELECT coalesce(max(id), 0) FROM runs"),
        scenarios=database.value("SELECT count(*) FROM scenarios WHERE alias_of IS NULL"),
        running=database.value("SELECT count(*) FROM sessions WHERE state = 'running'"),
        quarantined=tuple(str(each) for each in put_aside),
        problems=(*opened.notices, *_problems(database, deep)),
    )


def _problems(database: Database, deep: bool) -> list[str]:
    check = f"PRAGMA {'integrity_check' if deep else 'quick_check'}({_MOST_PROBLEMS})"
    try:
        found = [str(line) for (line,) in database.fetch(check) if line != _SOUND]
        if deep:
            found += [
                f"row {row} of {table} refers to a row of {parent} that is not there"
                for table, row, parent, _ in database.fetch("PRAGMA foreign_key_check")[:_MOST_PROBLEMS]
            ]
    except StoreError as error:
        found = [str(error)]
    return found
