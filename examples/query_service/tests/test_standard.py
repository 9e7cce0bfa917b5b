"""Standard questions: the reports that people wait for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from query_service import catalogue, dataset
from query_service.budget import Budget, RowsExceededError
from query_service.catalogue import Tier
from query_service.engine import Engine
from query_service.load import run_load
from query_service.service import QueryService

Metric = Callable[[str, float], None]


@pytest.mark.scenario("heavy-report", tags=["report"])
def test_a_year_of_revenue(engine: Engine, causal_policy: Any, causal_metric: Metric) -> None:
    budget = Budget.of(causal_policy, Tier.STANDARD)
    answers = [engine.answer(catalogue.revenue(region, days=365), budget) for region in dataset.REGIONS]
    causal_metric("slowest_ms", max(answer.elapsed_ms for answer in answers))
    assert [len(answer.rows) for answer in answers] == [len(dataset.CATEGORIES)] * 4


@pytest.mark.parametrize("region", dataset.REGIONS)
def test_revenue_of_a_quarter(region: str, engine: Engine, causal_policy: Any) -> None:
    budget = Budget.of(causal_policy, Tier.STANDARD)
    quarter = engine.answer(catalogue.revenue(region, days=91), budget).rows
    year = engine.answer(catalogue.revenue(region, days=365), budget).rows
    assert 0 < sum(row[2] for row in quarter) < sum(row[2] for row in year)


@pytest.mark.scenario("customer-ranking", tags=["report", "memory"])
def test_ranking_within_its_memory(engine: Engine, causal_policy: Any, causal_metric: Metric) -> None:
    answer = engine.answer(catalogue.ranking(), Budget.of(causal_policy, Tier.STANDARD))
    causal_policy.observe("standard.cache_kib", answer.cache_kib)
    causal_metric("elapsed_ms", answer.elapsed_ms)
    spent = [row[1] for row in answer.rows]
    assert spent == sorted(spent, reverse=True)


@pytest.mark.scenario("export", tags=["report"])
def test_exports_up_to_the_row_budget(engine: Engine, causal_policy: Any, causal_metric: Metric) -> None:
    budget = Budget.of(causal_policy, Tier.STANDARD)
    exported = []
    for days in (7, 14, 28, 56, 112, 224):
        try:
            exported.append(len(engine.answer(catalogue.export(days=days), budget).rows))
        except RowsExceededError:
            break
    causal_metric("finished_ratio", len(exported) / 6)
    causal_metric("largest_rows", max(exported, default=0))
    assert len(exported) >= 3, "a month must fit the budget"


@pytest.mark.xfail(
    raises=pytest.fail.Exception, reason="max_rows counts rows, not bytes: one row may hold the whole table"
)
@pytest.mark.scenario("one-huge-row", tags=["report", "memory"])
def test_one_huge_row_is_refused(engine: Engine, causal_policy: Any) -> None:
    with pytest.raises(RowsExceededError):
        engine.answer(catalogue.sold_list(days=365), Budget.of(causal_policy, Tier.STANDARD))


@pytest.mark.scenario("reports-under-load", tags=["report", "load"])
def test_reports_under_load(shop: Path, causal_policy: Any, causal_metric: Metric) -> None:
    queries = [catalogue.revenue(region, days=days) for days in (30, 90, 365) for region in dataset.REGIONS]
    with QueryService(shop, causal_policy) as service:
        report = run_load(service, [*queries, catalogue.ranking()], clients=4)
    report.record(causal_metric)
    assert not report.refusals
