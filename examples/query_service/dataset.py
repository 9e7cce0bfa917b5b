"""The shop's data: seeded, skewed as real shops are (few customers order often), and the same on every machine."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

REGIONS = ("east", "north", "south", "west")
CATEGORIES = ("books", "garden", "kitchen", "music", "office", "sports", "tools", "toys")
DAYS = 365

_TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, region TEXT NOT NULL, joined_day INTEGER NOT NULL);
CREATE TABLE products (id INTEGER PRIMARY KEY, category TEXT NOT NULL, price_cents INTEGER NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, day INTEGER NOT NULL);
CREATE TABLE order_lines (
    order_id INTEGER NOT NULL, product_id INTEGER NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0), price_cents INTEGER NOT NULL
);
"""

_INDEXES = """
CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX orders_by_day ON orders (day);
CREATE INDEX lines_by_order ON order_lines (order_id);
CREATE INDEX lines_by_product ON order_lines (product_id);
"""

Line = tuple[int, int, int]
"""One line of an order: product, quantity, price in cents."""


def build(path: Path, *, seed: int, orders: int) -> None:
    """Create the database file ``path`` with about four rows for each of ``orders``.

    Raises sqlite3.OperationalError where the file already holds a shop.
    """
    rng = random.Random(seed)
    customers, products = max(1, orders // 5), max(1, orders // 20)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Readers and the writer work side by side; a test's data need not survive a power cut.
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _TABLES)
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO customers VALUES (?, ?, ?)",
            ((number, rng.choice(REGIONS), rng.randrange(DAYS)) for number in range(1, customers + 1)),
        )
        connection.executemany(
            "INSERT INTO products VALUES (?, ?, ?)",
            (
                (number, rng.choice(CATEGORIES), rng.randrange(100, 20_000))
                for number in range(1, products + 1)
            ),
        )
        placed = [(number, _skewed(rng, customers), rng.randrange(DAYS)) for number in range(1, orders + 1)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", placed)
        lines = ((number, *line) for number, _, _ in placed for line in draw_lines(rng, products))
        connection.executemany("INSERT INTO order_lines VALUES (?, ?, ?, ?)", lines)
        connection.execute("COMMIT")
        connection.executescript(_INDEXES)


def draw_lines(rng: random.Random, products: int) -> Iterator[Line]:
    """Yield the one to four lines of an order for some of the first ``products`` products."""
    for _ in range(rng.randrange(1, 5)):
        yield _skewed(rng, products), rng.randrange(1, 5), rng.randrange(100, 20_000)


def _skewed(rng: random.Random, count: int) -> int:
    """Return a number from 1 to ``count``, low ones more often: the first tenth takes about a third."""
    return 1 + int(count * rng.random() ** 2)
