"""The queue: the longer it is, the fewer customers are turned away, and the longer the last one waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from query_service import catalogue, dataset
from query_service.budget import QueueFullError
from query_service.engine import Answer
from query_service.service import QueryService

Metric = Callable[[str, float], None]

BURST = 50
"""Customers who ask for their card at one moment."""

PATIENCE_SECONDS = 1.0
"""How long a customer waits."""


# Each run has data and customers of its own seed, so that each is evidence of its own: `unit="run"`.
@pytest.mark.scenario("burst-of-cards", tags=["pool"], unit="run")
@pytest.mark.parametrize("seed", range(8))
def test_a_burst_of_cards(seed: int, tmp_path: Path, causal_policy: Any, causal_metric: Metric) -> None:
    dataset.build(tmp_path / "shop.db", seed=seed, orders=200)
    waits: list[float] = []
    turned_away = 0
    started = time.perf_counter()

    def note(_: Future[Answer]) -> None:
        waits.append(time.perf_counter() - started)

    with QueryService(tmp_path / "shop.db", causal_policy) as service:
        taken = []
        for customer in range(1, BURST + 1):
            try:
                taken.append(service.submit(catalogue.customer_card(customer)))
            except QueueFullError:
                turned_away += 1
            else:
                taken[-1].add_done_callback(note)
        for future in taken:
            assert future.result().rows is not None
    causal_metric("taken_ratio", 1 - turned_away / BURST)
    causal_metric("longest_wait_seconds", max(waits))
    assert max(waits) < PATIENCE_SECONDS, "the last customer had to wait too long"
