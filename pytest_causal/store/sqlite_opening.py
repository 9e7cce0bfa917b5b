"""Opening a SQLite store: a file is examined before it is trusted, and made, mended or migrated under a lock."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pytest_causal.errors import MissingInputError, StoreCorruptError, StoreError, StoreRefusedError
from pytest_causal.store.database import PAST_LOG, Database, translated
from pytest_causal.store.location import FileIdentity, examine, make_empty_file, make_folder
from pytest_causal.store.migrations import (
    APPLICATION_ID,
    Migration,
    load_migrations,
    migrate,
    read_version,
)
from pytest_causal.store.ownership import check_log, check_not_a_document, check_owner, check_schema, has_log


class Opened(NamedTuple):
    """An open database that holds a store, the file it is in, and what a person should be told of the opening."""

    database: Database
    file: FileIdentity
    schema_version: int
    notices: tuple[str, ...] = ()


def open_for_writing(
    path: Path,
    *,
    busy_seconds: float,
    now_us: Callable[[], int],
    migrations: tuple[Migration, ...] | None = None,
) -> Opened:
    """Open the store at ``path``, after making, mending or migrating it where that is needed."""
    steps = load_migrations() if migrations is None else migrations
    make_folder(path.parent)
    try:
        opened = _open_ready(path, busy_seconds, steps)
    except (StoreCorruptError, StoreRefusedError):
        opened = None  # perhaps seen while another process was mending it: look again, with the folder held
    if opened is not None:
        return opened
    from pytest_causal.store.quarantine import holding  # most stores are ready

    with holding(path.parent, busy_seconds=busy_seconds):
        return _open_held(path, busy_seconds, steps, now_us())


def open_for_reading(
    path: Path, *, busy_seconds: float, migrations: tuple[Migration, ...] | None = None
) -> Opened:
    """Open the store at ``path`` as it is. A newer schema is read as far as it is understood, with a notice."""
    steps = load_migrations() if migrations is None else migrations
    file = examine(path)
    if file is None or file.size_bytes == 0:
        raise MissingInputError(f"there is no history store at {path}", "record one: pytest -p causal")
    check_owner(path, file, busy_seconds=busy_seconds)
    database = _open_readable(path, busy_seconds)
    try:
        check_log(path, busy_seconds=busy_seconds)
        version = _version(database)
        if version < len(steps):
            raise StoreRefusedError(
                f"the history store {path} has schema {version}, and this version reads schema {len(steps)}",
                "record a session into it, which brings it up to date",
            )
        notices = (_newer(path, version, len(steps)),) if version > len(steps) else ()
        if not notices:
            check_schema(database, steps)
    except BaseException:
        database.close()
        raise
    return Opened(database=database, file=file, schema_version=version, notices=notices)


def _open_ready(path: Path, busy_seconds: float, steps: tuple[Migration, ...]) -> Opened | None:
    """Open a store that is up to date; ``None`` if it has to be made or migrated first."""
    file = examine(path)
    if file is None or file.size_bytes == 0:
        return None
    check_owner(path, file, busy_seconds=busy_seconds)
    check_log(path, busy_seconds=busy_seconds)
    database = Database(path, mode="rw", busy_seconds=busy_seconds)
    is_ready = False
    try:
        version = _version(database)
        if version > len(steps):
            raise StoreRefusedError(
                _newer(path, version, len(steps)), "upgrade pytest-causal, or choose another store"
            )
        keeps_log = database.value("PRAGMA journal_mode") == "wal"
        if version == len(steps) and keeps_log and file.is_same_file(examine(path)):
            check_schema(database, steps)
            is_ready = True
            return Opened(database=database, file=file, schema_version=version)
        return None
    finally:
        if not is_ready:
            database.close()


def _open_held(path: Path, busy_seconds: float, steps: tuple[Migration, ...], now_us: int) -> Opened:
    from pytest_causal.store.quarantine import set_aside, set_aside_stray_log

    notices = []
    file = examine(path)
    try:
        opened = _open_ready(path, busy_seconds, steps)
        if opened is not None:
            return opened
    except StoreCorruptError as error:
        check_not_a_document(path)
        notices.append(
            f"{error.what}; it was set aside as {set_aside(path, file, now_us)} and a new one begun"
        )
    stray = set_aside_stray_log(path, now_us)
    if stray is not None:
        notices.append(f"a write-ahead log without its history store was set aside as {stray}-wal")
    make_empty_file(path)
    _prepare(path, busy_seconds, steps)
    opened = _open_ready(path, busy_seconds, steps)
    if opened is None:
        raise StoreError(f"the history store {path} was replaced while it was being made", "try again")
    return Opened(
        database=opened.database,
        file=opened.file,
        schema_version=opened.schema_version,
        notices=tuple(notices),
    )


def _prepare(path: Path, busy_seconds: float, steps: tuple[Migration, ...]) -> None:
    """Make an empty file a store, or an older store a current one. Killed at any point, it is done again."""
    database = Database(path, mode="rw", busy_seconds=busy_seconds)
    try:
        if path.stat().st_size == 0:
            database.fetch(f"PRAGMA application_id={APPLICATION_ID}")
        mode = database.value("PRAGMA journal_mode=WAL")
        if mode != "wal":
            raise StoreError(
                f"the file system of {path} has no shared memory for a write-ahead log",
                "keep the history store on a local disk",
            )
        with database.writing() as connection:
            check_schema(database, steps[: read_version(connection)])
            migrate(connection, steps)
        # The main file must show whose it is without its log.
        database.fetch("PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        database.close()


def _open_readable(path: Path, busy_seconds: float) -> Database:
    """Open for reading; where nothing can be written beside the file, without its (absent) log."""
    try:
        return _open_with_log(path, busy_seconds)
    except StoreError:
        if os.access(path.parent, os.W_OK):
            raise
    if has_log(path):
        raise StoreError(
            f"the history store {path} is on a read-only file system and its newest part is in {path.name}-wal",
            "copy both to a place that can be written, and read them there",
        )
    return Database(path, mode=PAST_LOG, busy_seconds=busy_seconds)


def _open_with_log(path: Path, busy_seconds: float) -> Database:
    database = Database(path, mode="ro", busy_seconds=busy_seconds)
    try:
        _version(database)
    except BaseException:
        database.close()
        raise
    return database


def _version(database: Database) -> int:
    with translated(database.path):
        return read_version(database.connection)


def _newer(path: Path, version: int, known: int) -> str:
    return f"the history store {path} is of a newer pytest-causal (schema {version}; this one knows schema {known})"
