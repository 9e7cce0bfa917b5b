"""Takes new orders in while the service answers. SQLite has one writer at a time; the others wait and try again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from query_service.budget import IntakeBusyError, Policy
from query_service.dataset import Line


class Intake:
    """A connection for writing, for one thread.

    An append waits up to ``retry.wait_ms`` for other writers, and then tries ``retry.limit`` times more.
    """

    def __init__(self, path: Path, policy: Policy) -> None:
        retry = policy["retry"]
        self._retries: int = retry["limit"]
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=retry["wait_ms"] / 1000)

    def append(self, customer: int, day: int, lines: Sequence[Line]) -> int:
        """Store one order, whole or not at all, and return how many tries were needed beyond the first.

        Raises IntakeBusyError when every try found the database taken, sqlite3.IntegrityError for a bad line.
        """
        for tries in range(self._retries + 1):
            if self._begin():
                self._write(customer, day, lines)
                return tries
        raise IntakeBusyError(f"the database was taken at each of {self._retries + 1} tries")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _begin(self) -> bool:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def _write(self, customer: int, day: int, lines: Sequence[Line]) -> None:
        try:
            order = self._connection.execute(
                "INSERT INTO orders (customer_id, day) VALUES (?, ?)", (customer, day)
            ).lastrowid
            self._connection.executemany(
                "INSERT INTO order_lines VALUES (?, ?, ?, ?)", [(order, *line) for line in lines]
            )
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
