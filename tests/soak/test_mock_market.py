from __future__ import annotations

import math
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError
from pytest_causal.policy.mapping import PolicyMapping
from pytest_causal.policy.profiles import load_profile, shipped_profiles
from pytest_causal.policy.tree import nest
from tools.soak.mock_market import (
    IMPACT,
    INTERVAL,
    LOAD_LIMIT,
    MAX_DELTA,
    PATHS,
    REPLACE_RATE,
    SPREAD,
    TAIL_AGE,
    MockMarket,
    Mode,
    expected,
    optimum,
    stance,
)

PROFILES = ("steady_safe", "ultra_safe", "aggressive")
BOUNDS = load_profile("steady_safe", (shipped_profiles(),)).bounds
SAFE: dict[str, Any] = {
    SPREAD: 0.16, INTERVAL: 60, REPLACE_RATE: 260, IMPACT: 0.10, MAX_DELTA: 0.14, TAIL_AGE: 650,
}  # fmt: skip
inside = st.fixed_dictionaries({path: st.floats(BOUNDS[path].min, BOUNDS[path].max) for path in PATHS})


def kpis(mode: Mode = Mode.CALM, **changed: float) -> dict[str, float]:
    return expected(
        mode, nest({**SAFE, **{PATHS[NAMES.index(name)]: value for name, value in changed.items()}})
    )


NAMES = ("spread", "interval", "replace_rate", "impact", "max_delta", "tail_age")


def test_ordinary_settings_have_every_quantity_at_one() -> None:
    assert stance(nest(SAFE))[:4] == (1.0, 1.0, 1.0, 1.0)


def test_the_market_reads_what_it_says_and_nothing_else() -> None:
    policy = PolicyMapping.of({**SAFE, "other.value": 1})
    MockMarket(Mode.CALM, 1).measure(policy, 1)
    assert {read.path for read in policy.reads()} == set(PATHS)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("path", PATHS)
def test_d3_every_value_that_is_read_moves_the_kpis(mode: Mode, path: str) -> None:
    before, after = (
        MockMarket(mode, 3).measure(nest(values), 5) for values in (SAFE, {**SAFE, path: SAFE[path] * 1.05})
    )
    assert before != after
    assert expected(mode, nest(SAFE)) != expected(mode, nest({**SAFE, path: SAFE[path] * 1.05}))


@pytest.mark.parametrize("mode", Mode)
def test_the_optimum_is_inside_the_bounds_and_worth_what_it_says(mode: Mode) -> None:
    best = optimum(mode)
    assert all(BOUNDS[path].min < value < BOUNDS[path].max for path, value in best.values.items())  # type: ignore[operator]  # both are stated
    assert expected(mode, nest(best.values))["net_bps"] == pytest.approx(best.net_bps)
    assert stance(nest(best.values)).margin > 0


@pytest.mark.parametrize("mode", Mode)
@given(values=inside)
def test_nothing_is_better_than_the_optimum(mode: Mode, values: dict[str, float]) -> None:
    assert expected(mode, nest(values))["net_bps"] <= optimum(mode).net_bps + 1e-9


@pytest.mark.parametrize("mode", Mode)
def test_a_search_finds_the_optimum_that_is_stated(mode: Mode) -> None:
    chance, values = random.Random(1), dict(SAFE)
    net = expected(mode, nest(values))["net_bps"]
    for step in (0.1, 0.03, 0.01, 0.003):
        for _ in range(400):
            tried = {path: value * (1 + chance.gauss(0, step)) for path, value in values.items()}
            if (found := expected(mode, nest(tried))["net_bps"]) > net:
                values, net = tried, found
    assert net == pytest.approx(optimum(mode).net_bps, abs=0.01)


def test_each_kpi_goes_the_way_its_rule_takes_it_to() -> None:
    base = kpis()
    assert kpis(interval=50)["order_age_p95_ms"] < base["order_age_p95_ms"]
    assert kpis(replace_rate=300)["order_age_p95_ms"] < base["order_age_p95_ms"]
    assert kpis(impact=0.12)["risk_ratio"] > base["risk_ratio"]
    assert kpis(impact=0.12)["adverse_bps_p95"] > base["adverse_bps_p95"]
    assert kpis(spread=0.2)["slippage_bps_p95"] < base["slippage_bps_p95"]
    assert kpis(spread=0.2)["maker_taker_ratio"] > base["maker_taker_ratio"]
    assert kpis(tail_age=700)["p95_latency_ms"] < base["p95_latency_ms"]
    assert kpis(interval=50)["cancel_ratio"] > base["cancel_ratio"]


@pytest.mark.parametrize("mode", Mode)
def test_beyond_the_load_everything_collapses(mode: Mode) -> None:
    hot = {**SAFE, IMPACT: 0.12, MAX_DELTA: 0.16, INTERVAL: 42, REPLACE_RATE: 320, SPREAD: 0.09}
    here = stance(nest(hot))
    assert here.size * here.pace / math.sqrt(here.width) > LOAD_LIMIT
    assert here.margin < 0
    assert all(BOUNDS[path].holds(value) for path, value in hot.items())  # the edge is within the bounds
    assert expected(mode, nest(hot))["net_bps"] == -12.0


def test_beyond_the_venues_limit_everything_collapses() -> None:
    assert kpis(replace_rate=322)["net_bps"] < -10
    assert kpis(replace_rate=BOUNDS[REPLACE_RATE].max)["net_bps"] > 0  # type: ignore[arg-type]  # it is stated


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("mode", Mode)
def test_no_profile_starts_over_the_edge(name: str, mode: Mode) -> None:
    assert stance(nest(load_profile(name, (shipped_profiles(),)).leaves)).margin > 0


@given(inside, st.sampled_from(Mode), st.integers(), st.integers(1, 10**6))
def test_every_kpi_is_a_number_in_its_range(
    values: dict[str, float], mode: Mode, seed: int, iteration: int
) -> None:
    found = MockMarket(mode, seed).measure(nest(values), iteration)
    assert all(math.isfinite(value) for value in found.values())
    assert all(0 <= found[name] <= 1 for name in ("risk_ratio", "maker_taker_ratio", "cancel_ratio"))
    assert all(value >= 0 for name, value in found.items() if name != "net_bps")


def test_k24_the_noise_is_that_of_seed_mode_and_iteration_in_any_order() -> None:
    market, again = MockMarket(Mode.SPIKE, 42), MockMarket(Mode.SPIKE, 42)
    forwards = [market.measure(nest(SAFE), iteration) for iteration in range(1, 20)]
    backwards = [again.measure(nest(SAFE), iteration) for iteration in range(19, 0, -1)]
    assert forwards == backwards[::-1]
    assert forwards != [
        MockMarket(Mode.SPIKE, 43).measure(nest(SAFE), iteration) for iteration in range(1, 20)
    ]
    assert len({kpi["ws_lag_p95_ms"] for kpi in forwards}) == 19


def test_k24_another_process_with_another_hash_seed_measures_the_same() -> None:
    program = (
        "from tools.soak.mock_market import MockMarket, Mode;"
        f"from pytest_causal.policy.tree import nest;print(MockMarket(Mode.VOLATILE, 7).measure(nest({SAFE!r}), 3))"
    )
    root = Path(__file__).parents[2]
    told = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=root, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert told == {repr(MockMarket(Mode.VOLATILE, 7).measure(nest(SAFE), 3))}


@pytest.mark.parametrize(("mode", "net", "risk"), [(Mode.CALM, 0.25, 0.025), (Mode.VOLATILE, 0.75, 0.075)])
def test_the_noise_is_as_large_as_stated_and_has_no_lean(mode: Mode, net: float, risk: float) -> None:
    true = expected(mode, nest(SAFE))
    found = [MockMarket(mode, 5).measure(nest(SAFE), iteration) for iteration in range(1, 2001)]
    for name, noise in (("net_bps", net), ("risk_ratio", risk)):
        values = [kpi[name] for kpi in found]
        assert statistics.stdev(values) == pytest.approx(noise, rel=0.08)
        assert statistics.fmean(values) == pytest.approx(true[name], abs=4 * noise / math.sqrt(2000))


def test_spikes_and_gaps_come_as_often_as_stated() -> None:
    found = [MockMarket(Mode.SPIKE, 5).measure(nest(SAFE), iteration) for iteration in range(1, 4001)]
    spikes = sum(kpi["adverse_bps_p95"] == 8.0 for kpi in found) / 4000
    gaps = sum(kpi["net_bps"] < -4.0 for kpi in found) / 4000
    assert spikes == pytest.approx(0.05, abs=0.012)
    assert gaps == pytest.approx(0.02, abs=0.008)


@pytest.mark.parametrize("value", [None, "60", True, 0, -1, math.nan, math.inf, {"deeper": 1}])
def test_a_value_the_market_cannot_use_is_named(value: object) -> None:
    values = nest(SAFE)
    values["quoting"]["min_interval_ms"] = value
    with pytest.raises(ConfigError, match=r"quoting\.min_interval_ms"):
        MockMarket(Mode.CALM, 1).measure(values, 1)


def test_a_policy_without_the_values_is_named() -> None:
    with pytest.raises(ConfigError, match=r"reads quoting\.base_spread_bps_delta, and the policy has none"):
        MockMarket(Mode.CALM, 1).measure({}, 1)
