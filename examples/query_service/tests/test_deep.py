"""Deep questions: useful, costly, and sometimes a mistake that must not take the service down."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from query_service import catalogue
from query_service.budget import Budget, WallTimeExceededError
from query_service.catalogue import Tier
from query_service.engine import Engine
from query_service.load import percentile, run_load
from query_service.service import QueryService

Metric = Callable[[str, float], None]

PATIENCE_MS = 3_000
"""How long a client waits for a customer card before it gives up."""


@pytest.mark.scenario("similar-customers", tags=["deep"])
def test_similar_customers(engine: Engine, causal_policy: Any, causal_metric: Metric) -> None:
    budget = Budget.of(causal_policy, Tier.DEEP)
    finished = []
    for days in (3, 10, 30, 90, 180):
        try:
            finished.append(engine.answer(catalogue.similar_customers(days=days), budget).elapsed_ms)
        except WallTimeExceededError:
            break
    causal_metric("finished_ratio", len(finished) / 5)
    assert finished, "three days must fit the budget"


@pytest.mark.scenario("deep-cache", tags=["deep", "memory"])
def test_a_worker_has_the_cache_that_the_policy_promises(
    shop: Path, causal_policy: Any, causal_metric: Metric
) -> None:
    with QueryService(shop, causal_policy) as service:
        answer = service.submit(catalogue.similar_customers(days=2)).result()
    causal_policy.observe("deep.cache_kib", answer.cache_kib)
    causal_metric("elapsed_ms", answer.elapsed_ms)


@pytest.mark.scenario("runaway", tags=["deep"])
def test_a_runaway_query_is_stopped(engine: Engine, causal_policy: Any, causal_metric: Metric) -> None:
    budget = Budget.of(causal_policy, Tier.DEEP)
    started = time.perf_counter()
    with pytest.raises(WallTimeExceededError):
        engine.answer(catalogue.forgotten_join(), budget)
    causal_metric("stopped_after_ms", (time.perf_counter() - started) * 1000)
    assert engine.answer(catalogue.similar_customers(days=1), budget).rows, "the engine works on"


@pytest.mark.scenario("cards-behind-runaways", tags=["deep", "light", "load"])
def test_cards_behind_runaways(shop: Path, causal_policy: Any, causal_metric: Metric) -> None:
    with QueryService(shop, causal_policy) as service:
        runaways = [service.submit(catalogue.forgotten_join()) for _ in range(causal_policy["pool"]["size"])]
        report = run_load(service, map(catalogue.customer_card, range(1, 101)), clients=4)
        stopped = [isinstance(runaway.exception(), WallTimeExceededError) for runaway in runaways]
    report.record(causal_metric)
    assert all(stopped)
    assert not report.refusals
    assert percentile(report.latencies_ms, 1.0) < PATIENCE_MS
