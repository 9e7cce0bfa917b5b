"""The mechanics of one SQLite connection: pragmas, transactions, time limits, and errors in words.

Writers always take the write lock first (``BEGIN IMMEDIATE``): a transaction that reads before it writes cannot wait
for another writer and fails at once. The write-ahead log with ``synchronous=NORMAL`` keeps every commit through the
death of the process; only a loss of power can cost the last ones, never the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pytest_causal.errors import StoreBusyError, StoreCorruptError, StoreError

Row = tuple[Any, ...]
Parameters = Sequence[object] | Mapping[str, object]
_Answer = TypeVar("_Answer")

LOG_LIMIT_BYTES = 16 * 1024 * 1024
"""What a write-ahead log is cut down to once it was folded into the main file."""

_SETTINGS = (
    "PRAGMA synchronous=NORMAL",
    "PRAGMA trusted_schema=OFF",  # a prepared file gets no functions to run
    "PRAGMA cell_size_check=ON",  # damage is noticed earlier
    "PRAGMA cache_size=-1000",  # KiB: half of the default, in every test run; the system caches the file besides
    "PRAGMA temp_store=MEMORY",  # sorting needs no disk, which may be full or read-only
    f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}",
)


PAST_LOG = "ro&immutable=1"
"""A mode that reads the main file alone, without locks and log, and leaves no trace."""


class Database:
    """An open SQLite file. Not shared between threads; unusable in a forked child.

    ``on_rollback`` is called whenever a transaction was undone, so that nothing learnt in it is believed.
    """

    def __init__(self, path: Path, *, mode: str, busy_seconds: float) -> None:
        """Open ``path``; ``mode`` is ``rw``, ``ro`` or ``PAST_LOG``. Raises StoreError and its kin."""
        self.path = path
        self.on_rollback: Callable[[], None] = _nothing
        self._pid = os.getpid()
        with translated(path):
            self._connection: sqlite3.Connection | None = _connect(path, mode, busy_seconds)
        self._busy_seconds = busy_seconds

    @property
    def busy_seconds(self) -> float:
        """How long to wait for another process that holds the store."""
        return self._busy_seconds

    @busy_seconds.setter
    def busy_seconds(self, seconds: float) -> None:
        with translated(self.path):
            self.connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")
        self._busy_seconds = seconds

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, in the process that opened it. Raises StoreError elsewhere and after closing."""
        if self._pid != os.getpid():
            raise StoreError(
                f"the history store {self.path} was opened by another process (fork)",
                "open it again in this one",
            )
        if self._connection is None:
            raise StoreError(f"the history store {self.path} is closed", "open it again")
        return self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a write transaction: all of the block is committed, or none of it."""
        connection = self.connection
        with _sqlite_errors(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has undone the transaction already; another ROLLBACK would hide the first error.
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                self.on_rollback()
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Let a block read what was there at one moment, whatever is written meanwhile."""
        connection = self.connection
        with translated(self.path):
            is_inside = connection.in_transaction  # of a writer, which is of one moment itself
            if not is_inside:
                connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if not is_inside:
                    with suppress(sqlite3.Error):  # nothing was written
                        connection.execute("ROLLBACK")

    def fetch(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query."""
        connection = self.connection
        with translated(self.path):
            return connection.execute(sql, parameters).fetchall()

    def ask(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Return what a reader makes of the connection."""
        connection = self.connection
        with translated(self.path):
            return question(connection)

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """Return the first column of the first row."""
        return self.fetch(sql, parameters)[0][0]

    def close(self) -> None:
        """Close the connection; twice is once. In a forked child the parent's connection is left alone."""
        if self._connection is None:
            return
        if self._pid != os.getpid():
            _left_to_parent.append(self._connection)
            self._connection = None
            return
        connection, self._connection = self._connection, None
        with translated(self.path):
            connection.close()


def _connect(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=busy_seconds
    )
    try:
        for setting in _SETTINGS:
            connection.execute(setting)  # may read the file, and find it damaged
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite, and of values that it cannot take, into ours: words that name the file and what to do."""
    try:
        with _sqlite_errors(path):
            yield
    except (OverflowError, UnicodeError) as error:
        raise StoreError(f"a value cannot be stored in {path}: {error}", "please report this") from error


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(path, error) from error


def is_no_database(error: StoreCorruptError) -> bool:
    """Whether SQLite said that the file is no database, rather than a damaged one."""
    return getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB


def _in_words(path: Path, error: sqlite3.Error) -> StoreError:
    # Errors of the module itself, such as use from another thread, carry no code of SQLite's.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusyError(
            f"the history store {path} is in use by another process ({error})",
            "wait for it to finish, or raise the store's busy timeout",
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreCorruptError(
            f"the history store {path} is damaged ({error})",
            "the next recording sets it aside and begins a new one",
        )
    what, remedy = _TROUBLES.get(code, ("failed", "run `causal doctor`"))
    return StoreError(f"the history store {path} {what} ({error})", remedy)


_TROUBLES = {
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "free some space"),
    sqlite3.SQLITE_READONLY: (
        "cannot be written: it is read-only",
        "make it writable or choose another store",
    ),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check the disk"),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "check that the folder exists and that you may write to it",
    ),
    sqlite3.SQLITE_PERM: ("may not be accessed", "check its permissions"),
    sqlite3.SQLITE_NOMEM: ("needs more memory than there is", "free some memory"),
}

_left_to_parent: list[sqlite3.Connection] = []
"""Connections inherited by fork. Closing one here could take locks from the parent, so they are kept from the
garbage collector."""


def _nothing() -> None:
    pass
