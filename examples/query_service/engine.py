"""One connection that answers one query at a time, within a budget that SQLite itself enforces."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from query_service.budget import Budget, RowsExceededError, WallTimeExceededError
from query_service.catalogue import Query

_STEPS_BETWEEN_LOOKS = 5_000
"""Instructions of SQLite's virtual machine between two looks at the clock: well under a millisecond."""

_ROWS_A_FETCH = 256

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole result, how long it took, and the page cache in KiB that SQLite says it had."""

    rows: list[Row]
    elapsed_ms: float
    cache_kib: int


class Engine:
    """A connection for reading. It may be handed from thread to thread, but not shared.

    ``answered`` and ``fetched_rows`` count what it has done so far, also for queries that were refused midway.
    """

    def __init__(self, path: Path) -> None:
        self.answered = 0
        self.fetched_rows = 0
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only = ON")

    def answer(self, query: Query, budget: Budget) -> Answer:
        """Run a query to its end.

        Raises WallTimeExceededError or RowsExceededError where its budget does not reach; the engine can be used again.
        """
        self._connection.execute(f"PRAGMA cache_size = {-budget.cache_kib:d}")
        time.sleep(_disk_seconds())
        started = time.perf_counter()
        is_late = _clock(started + budget.max_wall_time_ms / 1000)
        self._connection.set_progress_handler(is_late, _STEPS_BETWEEN_LOOKS)
        try:
            rows = self._fetch(query, budget)
        except sqlite3.OperationalError as error:
            if is_late():
                raise _too_slow(query, budget) from error
            raise
        finally:
            self._connection.set_progress_handler(None, 0)
        if is_late():  # too short a query for SQLite to have looked at the clock
            raise _too_slow(query, budget)
        elapsed_ms = (time.perf_counter() - started) * 1000
        self.answered += 1
        return Answer(rows=rows, elapsed_ms=elapsed_ms, cache_kib=self._cache_kib())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _fetch(self, query: Query, budget: Budget) -> list[Row]:
        rows: list[Row] = []
        with closing(self._connection.execute(query.sql, query.parameters)) as cursor:
            while batch := cursor.fetchmany(_ROWS_A_FETCH):
                rows += batch
                self.fetched_rows += len(batch)
                if len(rows) > budget.max_rows:
                    raise RowsExceededError(f"{query.name} has more than {budget.max_rows} rows")
        return rows

    def _cache_kib(self) -> int:
        (size,) = self._connection.execute("PRAGMA cache_size").fetchone()
        return -int(size)  # SQLite tells a size in KiB as a negative number


def _disk_seconds() -> float:
    """Return how long the disk takes to come to a query: 0, unless ``SHOP_DISK_MS`` says that it has grown slow."""
    return float(os.environ.get("SHOP_DISK_MS", "0")) / 1000


def _clock(deadline: float) -> Callable[[], bool]:
    return lambda: time.perf_counter() > deadline


def _too_slow(query: Query, budget: Budget) -> WallTimeExceededError:
    return WallTimeExceededError(f"{query.name} took longer than {budget.max_wall_time_ms} ms")
