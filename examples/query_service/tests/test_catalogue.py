"""What holds whatever the policy says: the data is the same everywhere, and light questions use an index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from query_service import catalogue, dataset


@pytest.mark.scenario("data-is-seeded", tags=["data"])
def test_the_same_seed_gives_the_same_shop(tmp_path: Path) -> None:
    shops = []
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        dataset.build(tmp_path / name, seed=seed, orders=200)
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            shops.append(connection.execute("SELECT * FROM order_lines ORDER BY rowid").fetchall())
    assert shops[0] == shops[1] != shops[2]


@pytest.mark.scenario("light-uses-an-index", tags=["data", "light"])
def test_customer_cards_use_an_index(shop: Path) -> None:
    query = catalogue.customer_card(1)
    with closing(sqlite3.connect(shop)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", query.parameters).fetchall()
    assert any("USING INDEX orders_by_customer" in step[3] for step in plan)
