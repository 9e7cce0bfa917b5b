"""What ``--explain`` says of a run that is not begun."""

from __future__ import annotations

import pytest

from pytest_causal.errors import ConfigError
from tools.soak.explain import explain
from tools.soak.guards import Guard


def told(bench, **changes) -> str:
    return "".join(explain(bench.plan(**changes), bench.out))


def test_the_run_its_limits_and_every_guard_in_its_order(bench) -> None:
    text = told(bench, iterations=24, sleep_seconds=300.0, warmup=2, auto_tune=True, kpi_set="production")
    assert "soak:mock/steady_safe" in text
    assert "24 iterations, 2 of them warm-up" in text
    assert "net_bps" in text
    rows = [line.split()[0] for line in text.splitlines() if " refuse: " in line]
    assert rows == [str(guard) for guard in Guard]
    assert not bench.out.exists(), "nothing was begun"


def test_d27_what_can_never_happen_is_said_with_the_reason(bench) -> None:
    def row(guard: Guard, **changes: object) -> str:
        lines = told(bench, auto_tune=True, kpi_set="production", **changes).splitlines()
        return next(line for line in lines if line.split()[0] == guard)

    assert "can never refuse" in row(Guard.HARD_KPI, iterations=2)
    assert "can refuse" in row(Guard.HARD_KPI, iterations=24)
    assert "can never refuse" in row(Guard.FREEZE, iterations=2)


def test_without_tuning_no_guard_is_asked(bench) -> None:
    text = told(bench, iterations=3)
    assert "nothing is tuned" in text
    assert " refuse: " not in text


def test_what_could_not_be_begun_is_refused_as_beginning_it_would(bench) -> None:
    with pytest.raises(ConfigError, match="no KPI set 'nightly'"):
        told(bench, kpi_set="nightly")
