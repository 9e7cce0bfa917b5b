"""Light questions: customer cards, by the hundred, within a quarter of a second each."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from query_service import catalogue, dataset
from query_service.budget import Budget, RowsExceededError
from query_service.catalogue import Tier
from query_service.engine import Engine
from query_service.load import percentile, run_load
from query_service.service import QueryService

Metric = Callable[[str, float], None]


# Each run has data and questions of its own seed, so that each is evidence of its own: `unit="run"`.
@pytest.mark.scenario("customer-card", tags=["light"], unit="run")
@pytest.mark.parametrize("seed", range(8))
def test_customer_card(seed: int, tmp_path: Path, causal_policy: Any, causal_metric: Metric) -> None:
    dataset.build(tmp_path / "shop.db", seed=seed, orders=500)
    rng = random.Random(seed)
    budget = Budget.of(causal_policy, Tier.LIGHT)
    with closing(Engine(tmp_path / "shop.db")) as engine:
        cards = [engine.answer(catalogue.customer_card(rng.randint(1, 100)), budget) for _ in range(100)]
    assert any(card.rows for card in cards)
    causal_metric("p95_latency_ms", percentile([card.elapsed_ms for card in cards], 0.95))


@pytest.mark.scenario("customer-cards-under-load", tags=["light", "load"])
def test_customer_cards_under_load(shop: Path, causal_policy: Any, causal_metric: Metric) -> None:
    with QueryService(shop, causal_policy) as service:
        report = run_load(service, map(catalogue.customer_card, range(1, 401)), clients=4)
    report.record(causal_metric)
    assert not report.refusals
    assert len(report.latencies_ms) == 400


@pytest.mark.scenario("bulk-export-is-not-light", tags=["light"])
def test_bulk_export_under_a_light_budget_is_refused(engine: Engine, causal_policy: Any) -> None:
    budget = Budget.of(causal_policy, Tier.LIGHT)
    with pytest.raises(RowsExceededError):
        engine.answer(catalogue.export(days=365, tier=Tier.LIGHT), budget)
    assert engine.answer(catalogue.customer_card(1, limit=100), budget).rows
