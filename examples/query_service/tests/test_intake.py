"""New orders come in while the service answers."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from query_service import catalogue, dataset
from query_service.budget import IntakeBusyError
from query_service.intake import Intake
from query_service.service import QueryService

Metric = Callable[[str, float], None]

WRITERS = 4
ORDERS_EACH = 25


def count_orders(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM orders").fetchone()[0])


# Writers queue for one lock and SQLite is not fair to them: once in a while one of them never gets its turn.
@pytest.mark.scenario("intake-contention", tags=["intake", "load"])
def test_intake_contention(small_shop: Path, causal_policy: Any, causal_metric: Metric) -> None:
    before = count_orders(small_shop)

    def write(seed: int) -> int:
        rng = random.Random(seed)
        with closing(Intake(small_shop, causal_policy)) as intake:
            orders = [list(dataset.draw_lines(rng, 20)) for _ in range(ORDERS_EACH)]
            return sum(intake.append(seed + 1, 364, lines) for lines in orders)

    with ThreadPoolExecutor(WRITERS) as writers:
        retries = sum(writers.map(write, range(WRITERS)))
    causal_metric("retries", retries)
    assert count_orders(small_shop) == before + WRITERS * ORDERS_EACH


@pytest.mark.scenario("reading-while-writing", tags=["intake", "light"])
def test_answers_follow_the_orders_that_come_in(small_shop: Path, causal_policy: Any) -> None:
    rng = random.Random(7)
    card = catalogue.customer_card(1, limit=150)
    with (
        QueryService(small_shop, causal_policy) as service,
        closing(Intake(small_shop, causal_policy)) as intake,
    ):
        seen = [len(service.submit(card).result().rows)]
        for _ in range(30):
            asked = [service.submit(card) for _ in range(2)]
            intake.append(1, 0, list(dataset.draw_lines(rng, 20)))
            seen += sorted(len(future.result().rows) for future in asked)
    assert seen == sorted(seen), "an order that was seen is never unseen"
    assert seen[0] + 29 <= seen[-1] <= seen[0] + 30


# No policy here: this holds at any budget, and its record must survive every change of them.
@pytest.mark.scenario("intake-is-atomic", tags=["intake"])
def test_an_order_with_a_bad_line_leaves_nothing(small_shop: Path) -> None:
    before = count_orders(small_shop)
    patient = {"retry": {"limit": 0, "wait_ms": 0}}
    with closing(Intake(small_shop, patient)) as intake:
        with pytest.raises(sqlite3.IntegrityError):
            intake.append(1, 0, [(1, 1, 100), (2, 0, 100)])
        intake.append(1, 0, [(1, 1, 100)])
    assert count_orders(small_shop) == before + 1


def test_a_writer_gives_up_after_its_tries(small_shop: Path, causal_policy: Any) -> None:
    with closing(Intake(small_shop, causal_policy)) as intake, closing(sqlite3.connect(small_shop)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(IntakeBusyError, match=f"each of {causal_policy['retry']['limit'] + 1} tries"):
            intake.append(1, 0, [(1, 1, 100)])
