"""A market maker's day in a few formulas: the workload of a soak that needs no market.

Its KPIs are a stated function of the policy values that it *reads*, plus noise, so that a tuner which changes
nothing, the wrong thing or the wrong way can be told from one that works.

The values come together in four quantities, each 1 at an ordinary setting:

    pace     = (60 / min_interval_ms + replace_rate_per_min / 260) / 2      how often quotes are renewed
    size     = (impact_cap_ratio / 0.10 + max_delta_ratio / 0.14) / 2       how much is held
    width    = base_spread_bps_delta / 0.16                                 how far from the middle it quotes
    patience = tail_age_ms / 650                                            how long an order may stand

Each mode has its best pace, size, width and patience. With p, z, w, h the four over their best, and
load = z p / sqrt(w), the KPIs without noise are

    net_bps           = peak - 15 ln(p)^2 - 15 ln(z)^2 - 4 ln(w)^2 - 5 ln(h)^2
    risk_ratio        = 0.375 load                  adverse_bps_p95  = adverse z load
    maker_taker_ratio = 0.92 + 0.2 ln(w)            slippage_bps_p95 = 2.25 / w
    p95_latency_ms    = 300 p / h                   order_age_p95_ms = 310 h^0.3 / p
    cancel_ratio      = 0.42 p / sqrt(w)            ws_lag_p95_ms    = 75 p

so the optimum is known in closed form: p = z = w = h = 1, where net_bps is the mode's peak.

Beyond two edges everything collapses. Where size pace / sqrt(width) passes 2, a holding can no longer be closed
before the price has moved; above 322 replacements a minute the venue throttles, and stale quotes are picked off.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError
from pytest_causal.settings.scalars import shown

SPREAD = "quoting.base_spread_bps_delta"
INTERVAL = "quoting.min_interval_ms"
REPLACE_RATE = "quoting.replace_rate_per_min"
IMPACT = "impact.impact_cap_ratio"
MAX_DELTA = "impact.max_delta_ratio"
TAIL_AGE = "engine.tail_age_ms"
PATHS = (SPREAD, INTERVAL, REPLACE_RATE, IMPACT, MAX_DELTA, TAIL_AGE)
"""Every value that the market reads, as dotted paths of the policy."""

LOAD_LIMIT = 2.0
REPLACE_RATE_LIMIT_PER_MIN = 322.0


class Mode(StrEnum):
    """What kind of day it is."""

    CALM = "calm"
    VOLATILE = "volatile"
    SPIKE = "spike"


class Stance(NamedTuple):
    """How the market maker behaves under a set of values: the four quantities, and its messages to the venue."""

    pace: float
    size: float
    width: float
    patience: float
    replace_rate_per_min: float

    @property
    def margin(self) -> float:
        """The distance to the nearer edge, as a share of its limit; beyond the edge it is not positive."""
        load = self.size * self.pace / math.sqrt(self.width)
        return min(1.0 - load / LOAD_LIMIT, 1.0 - self.replace_rate_per_min / REPLACE_RATE_LIMIT_PER_MIN)


class Optimum(NamedTuple):
    """Values (dotted path -> number) at which ``net_bps`` is highest, and how high it is there without noise."""

    values: Mapping[str, float]
    net_bps: float


class _Day(NamedTuple):
    """A mode: its best quantities, its peak in bps, and the standard deviation of each KPI's noise.

    The noise of net, adverse and risk is that of the predecessor's plan, whose "+-" is read as two standard
    deviations. A spike (net 1, adverse 8, risk 0.70) and a gap (-10 bps) take over an iteration with their chance.
    """

    best: tuple[float, float, float, float]
    peak_bps: float
    adverse_bps: float
    net_noise_bps: float
    adverse_noise_bps: float
    risk_noise: float
    other_noise_ratio: float
    spike_chance: float = 0.0
    gap_chance: float = 0.0


_DAYS = {
    Mode.CALM: _Day((1.10, 0.95, 1.00, 1.00), 3.6, 2.0, 0.25, 0.15, 0.025, 0.01),
    Mode.VOLATILE: _Day((1.07, 0.91, 1.12, 1.00), 3.4, 2.6, 0.75, 0.50, 0.075, 0.03),
    Mode.SPIKE: _Day((1.10, 0.95, 1.00, 1.00), 3.6, 2.0, 0.25, 0.15, 0.025, 0.01, 0.05, 0.02),
}


def stance(values: Mapping[str, Any]) -> Stance:
    """Return the behaviour under a nested mapping of policy values, reading each of :data:`PATHS` through it.

    Raises :class:`ConfigError` where a value is missing or is no positive number.
    """
    read = {path: _read(values, path) for path in PATHS}
    return Stance(
        pace=(60.0 / read[INTERVAL] + read[REPLACE_RATE] / 260.0) / 2,
        size=(read[IMPACT] / 0.10 + read[MAX_DELTA] / 0.14) / 2,
        width=read[SPREAD] / 0.16,
        patience=read[TAIL_AGE] / 650.0,
        replace_rate_per_min=read[REPLACE_RATE],
    )


def expected(mode: Mode, values: Mapping[str, Any]) -> dict[str, float]:
    """Return each KPI without noise, by the formulas of this module. Raises as :func:`stance`."""
    day, now = _DAYS[mode], stance(values)
    pace, size, width, patience = (mine / best for mine, best in zip(now[:4], day.best, strict=True))
    load = size * pace / math.sqrt(width)
    lost = 15 * math.log(pace) ** 2 + 15 * math.log(size) ** 2
    lost += 4 * math.log(width) ** 2 + 5 * math.log(patience) ** 2
    kpis = {
        "net_bps": day.peak_bps - lost,
        "risk_ratio": 0.375 * load,
        "adverse_bps_p95": day.adverse_bps * size * load,
        "maker_taker_ratio": 0.92 + 0.2 * math.log(width),
        "slippage_bps_p95": 2.25 / width,
        "p95_latency_ms": 300.0 * pace / patience,
        "order_age_p95_ms": 310.0 * patience**0.3 / pace,
        "cancel_ratio": 0.42 * pace / math.sqrt(width),
        "ws_lag_p95_ms": 75.0 * pace,
    }
    return _in_range(kpis if now.margin > 0 else _collapsed(kpis))


def optimum(mode: Mode) -> Optimum:
    """Return where ``net_bps`` is highest.

    Of the values that make the best pace and size, those are named at which the two parts of each are equal.
    """
    pace, size, width, patience = _DAYS[mode].best
    values = {
        SPREAD: 0.16 * width,
        INTERVAL: 60.0 / pace,
        REPLACE_RATE: 260.0 * pace,
        IMPACT: 0.10 * size,
        MAX_DELTA: 0.14 * size,
        TAIL_AGE: 650.0 * patience,
    }
    return Optimum(values, _DAYS[mode].peak_bps)


class MockMarket:
    """A seeded day: the noise of an iteration depends on seed, mode and iteration alone, and resuming repeats it."""

    def __init__(self, mode: Mode, seed: int) -> None:
        """Take the mode and any whole number as seed."""
        self.mode = mode
        self.seed = seed

    def expected(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Return each KPI without noise. Raises as :func:`stance`."""
        return expected(self.mode, values)

    def measure(self, values: Mapping[str, Any], iteration: int) -> dict[str, float]:
        """Return the KPIs of one iteration under a nested mapping of policy values. Raises as :func:`stance`."""
        day = _DAYS[self.mode]
        chance = random.Random(f"{self.seed}/{self.mode}/{iteration}")  # noqa: S311  # noise, not a secret
        kpis = self.expected(values)
        noise = {
            "net_bps": day.net_noise_bps,
            "adverse_bps_p95": day.adverse_noise_bps,
            "risk_ratio": day.risk_noise,
            "maker_taker_ratio": 0.01,
        }
        for name in kpis:  # in the order of the formulas, so that equal seeds draw equal numbers
            kpis[name] += chance.gauss(0.0, noise.get(name, day.other_noise_ratio * kpis[name]))
        if chance.random() < day.spike_chance:
            kpis |= {"net_bps": 1.0, "adverse_bps_p95": 8.0, "risk_ratio": 0.70}
        if chance.random() < day.gap_chance:
            kpis["net_bps"] -= 10.0
        return _in_range(kpis)


def _read(values: Mapping[str, Any], path: str) -> float:
    found: Any = values
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            raise ConfigError(
                f"the mock market reads {path}, and the policy has none", "use a shipped profile"
            )
        found = found[key]
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if not is_number or not (math.isfinite(found) and found > 0):
        raise ConfigError(f"{path} is {shown(found)}", "the mock market needs a positive number")
    return float(found)


def _collapsed(kpis: Mapping[str, float]) -> dict[str, float]:
    """Return what is left beyond the edge."""
    ruin = {"net_bps": -12.0, "risk_ratio": 0.95, "adverse_bps_p95": 20.0, "maker_taker_ratio": 0.40}
    return {**kpis, **ruin, "p95_latency_ms": 900.0}


def _in_range(kpis: Mapping[str, float]) -> dict[str, float]:
    """Return ratios between 0 and 1 and times that are not negative."""
    ratios = {"risk_ratio", "maker_taker_ratio", "cancel_ratio"}
    return {
        name: value if name == "net_bps" else min(1.0, max(0.0, value)) if name in ratios else max(0.0, value)
        for name, value in kpis.items()
    }
