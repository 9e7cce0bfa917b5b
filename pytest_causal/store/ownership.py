"""Whose file it is: looked at before SQLite may change a byte of it.

What must be known is read past locks and log (``immutable``), so that another program's database is not touched in the
least. Such a look sees the main file alone, which is whole only while no log is being folded into it: what it finds is
true, but where it finds damage, a proper read decides.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from pytest_causal.errors import StoreCorruptError, StoreRefusedError
from pytest_causal.store.database import PAST_LOG, Database, Row, is_no_database, translated
from pytest_causal.store.location import FileIdentity, companion
from pytest_causal.store.migrations import (
    APPLICATION_ID,
    CURRENT_SCHEMA_SHA256,
    Migration,
    expected_schema,
    load_migrations,
    read_schema,
    schema_digest,
)

_HEADER_BYTES = 100


def check_owner(path: Path, file: FileIdentity, *, busy_seconds: float) -> None:
    """Raise StoreRefusedError if the file is another program's database, StoreCorruptError if it is none at all."""
    if file.size_bytes < _HEADER_BYTES:  # SQLite takes a single byte for an empty file
        raise StoreCorruptError(
            f"the history store {path} is damaged ({file.size_bytes} bytes)",
            "the next recording sets it aside and begins a new one",
        )
    try:
        found = _application_id(path, PAST_LOG, busy_seconds)
    except StoreCorruptError as error:
        if is_no_database(error):
            raise
        found = _application_id(path, "ro", busy_seconds)
    if found != APPLICATION_ID:
        raise StoreRefusedError(
            f"{path} is a SQLite database of another program", "choose another path for the history store"
        )


def check_log(path: Path, *, busy_seconds: float) -> None:
    """Raise StoreRefusedError if the write-ahead log beside the store belongs to another one."""
    if not has_log(path):
        return
    try:
        without_log = _origin(path, PAST_LOG, busy_seconds)
    except StoreCorruptError:
        return  # nothing to compare with: a store that is being made, or into which a log is being folded
    try:
        is_foreign = _origin(path, "ro", busy_seconds) != without_log
    except StoreCorruptError:
        is_foreign = True
    if is_foreign:
        log = companion(path, "-wal")
        raise StoreRefusedError(
            f"the write-ahead log {log} does not belong to the history store beside it",
            "move it away, or put back the database that it came with",
        )


def has_log(path: Path) -> bool:
    """Whether something is in the write-ahead log beside a database."""
    try:
        return companion(path, "-wal").stat().st_size > 0
    except OSError:
        return False


def check_schema(database: Database, steps: tuple[Migration, ...]) -> None:
    """Raise StoreRefusedError unless the schema is what these migrations make."""
    with translated(database.path):
        schema = read_schema(database.connection)
    if steps is load_migrations() and schema_digest(schema) == CURRENT_SCHEMA_SHA256:
        return
    if schema != expected_schema(steps):
        raise StoreRefusedError(
            f"the tables of {database.path} are not those of a history store (altered, or with triggers or views)",
            "move it away, or choose another store",
        )


def check_not_a_document(path: Path) -> None:
    """Raise StoreRefusedError for text: a damaged store never looks like it, a file named by mistake does."""
    with path.open("rb") as file:
        start = file.read(4096)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
        is_text = b"\0" not in start
    except UnicodeDecodeError:
        is_text = False
    if is_text:
        raise StoreRefusedError(
            f"{path} is a text file, not a history store", "choose another path for the history store"
        )


def _application_id(path: Path, mode: str, busy_seconds: float) -> int:
    database = Database(path, mode=mode, busy_seconds=busy_seconds)
    try:
        return int(database.value("PRAGMA application_id"))
    finally:
        database.close()


def _origin(path: Path, mode: str, busy_seconds: float) -> Row:
    """Return the uid of a store. Raises StoreCorruptError if it has none."""
    database = Database(path, mode=mode, busy_seconds=busy_seconds)
    try:
        tables = database.fetch("SELECT name FROM sqlite_master WHERE name = 'origin'")
        found = database.fetch("SELECT uid FROM origin") if tables else []
    finally:
        database.close()
    if len(found) != 1:
        raise StoreCorruptError(
            f"the history store {path} does not say which it is", "restore it from a backup"
        )
    return found[0]
