"""The pool: how many work, how many wait, and who is turned away."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from query_service import catalogue, dataset
from query_service.budget import QueueFullError, WallTimeExceededError
from query_service.load import run_load
from query_service.service import QueryService

Metric = Callable[[str, float], None]


def fill(service: QueryService) -> int:
    """Submit endless queries until one is turned away, and return how many were taken."""
    taken = 0
    with suppress(QueueFullError):
        while True:
            service.submit(catalogue.forgotten_join())
            taken += 1
    return taken


@pytest.mark.scenario("queue-is-bounded", tags=["pool"])
def test_the_queue_turns_away_what_it_cannot_hold(
    shop: Path, causal_policy: Any, causal_metric: Metric
) -> None:
    with QueryService(shop, causal_policy) as service:
        taken = fill(service)
    causal_metric("taken", taken)
    assert taken == causal_policy["pool"]["size"] + causal_policy["pool"]["queue_limit"]


@pytest.mark.scenario("burst", tags=["pool", "load"])
def test_a_burst_of_reports(shop: Path, causal_policy: Any, causal_metric: Metric) -> None:
    queries = [catalogue.revenue(region, days=365) for region in dataset.REGIONS] * 4
    with QueryService(shop, causal_policy) as service:
        report = run_load(service, queries, clients=16)
    report.record(causal_metric)
    assert report.refusals[WallTimeExceededError] == 0
    assert report.asked == len(queries)


@pytest.mark.skipif((os.cpu_count() or 1) < 8, reason="needs 8 CPUs, so that 8 workers do not share one")
@pytest.mark.scenario("pool-scales", tags=["pool", "load"])
def test_eight_workers_are_faster_than_two(shop: Path, causal_policy: Any, causal_metric: Metric) -> None:
    rates = {}
    for size in (2, 8):
        policy = {**causal_policy, "pool": {"size": size, "queue_limit": 16, "memory_kib": 65_536}}
        with QueryService(shop, policy) as service:
            rates[size] = run_load(service, [catalogue.ranking()] * 32, clients=size).answers_per_second
    causal_metric("speedup", rates[8] / rates[2])
    assert rates[8] > rates[2]
