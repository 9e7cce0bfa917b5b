"""The sequential test: wealth won by betting that a scenario fails less often than its limit.

Let Z in [0, 1] be the badness of one unit of evidence (0 clean, 1 failed, or the failed fraction) and p0 the
limit. Each of seven players believes in a failure rate q below p0 and multiplies its weight, unit after unit, by
``1 + lam * (p0 - Z)`` with ``lam = (p0 - q) / (p0 * (1 - p0))``: by ``(1 - q) / (1 - p0)`` after a clean unit, by
``q / p0`` after a failed one. While the true rate is p0 or more, each factor averages at most 1 given all that
went before, however the units depend on each other, so the mean weight E is a non-negative supermartingale that
starts at 1, and ``P(E ever reaches 1 / alpha) <= alpha`` (Ville, *Étude critique de la notion de collectif*, 1939;
betting on bounded means: Waudby-Smith and Ramdas, arXiv 2010.09686). One may therefore look after every unit, for
ever, and stop at the first success. Five mirrored players bet that the rate is above the limit ("ruin").

E is capped at ``10 / alpha``. Discarding wealth keeps the guarantee, and a scenario that goes bad loses its
standing within a few units instead of living off its past.

No floor is put under the weights. Lifting them would hand out wealth that nobody won, and the guarantee would
weaken with each lift; nor would a mended scenario gain by it, since its failure rate must come down to the limit
as well. Weights that underflow only lose wealth, which is the safe direction. Sums use ``math.fsum``, so that the
same history gives the same bits on every version of Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

_HOPES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
"""Rates that the players of wealth believe in, as parts of the limit."""

_FEARS = (1.5, 2.0, 3.0, 5.0, 8.0)
"""Rates that the players of ruin believe in, as multiples of the limit."""

_HIGHEST_FEAR = 0.9
_ALMOST_ONE = math.nextafter(1.0, 0.0)
_CAP_IN_THRESHOLDS = 10.0
_LARGEST_WEALTH = 1e250
"""Keeps products finite at a vanishing alpha, whose threshold is then out of reach."""

_MEMO_SIZE = 1024
"""Most scenarios of a suite share their history to the bit, so that few answers of a session differ."""

Weights = tuple[float, ...]

NEW_WEALTH: Weights = (1.0,) * len(_HOPES)
NEW_RUIN: Weights = (1.0,) * len(_FEARS)


def bet(weights: Weights, badness: float, limit: float, alpha: float) -> Weights:
    """Return the seven weights of wealth after one more unit, capped.

    ``badness`` is the unit's failed fraction, ``limit`` the failure rate p0 that it is tried against. Raises
    ValueError for a badness outside [0, 1], a limit or an alpha outside (0, 1), or NaN.
    """
    # Written out, because this is done for every scenario of every session, and a loop takes three times as long.
    a, b, c, d, e, f, g = weights
    p, q, r, s, t, u, v = _hopeful_factors(badness, limit)
    return _capped((a * p, b * q, c * r, d * s, e * t, f * u, g * v), alpha)


def bet_on_ruin(weights: Weights, badness: float, limit: float, alpha: float) -> Weights:
    """Return the five weights of ruin after one more unit, capped, so that a mended scenario can recover.

    Arguments and errors are those of :func:`bet`.
    """
    a, b, c, d, e = weights
    p, q, r, s, t = _fearful_factors(badness, limit)
    return _capped((a * p, b * q, c * r, d * s, e * t), alpha)


@lru_cache(maxsize=64)
def threshold(alpha: float) -> float:
    """Return the e-value that is proof, ``1 / alpha``. Raises ValueError for an alpha outside (0, 1)."""
    _cap(alpha)
    return 1.0 / alpha


def e_value(weights: Weights) -> float:
    """Return the evidence that weights stand for: their mean."""
    return math.fsum(weights) / len(weights)


@lru_cache(maxsize=_MEMO_SIZE)
def clean_units_needed(wealth: Weights, limit: float, alpha: float) -> int | None:
    """Return the least number of clean units after which the wealth reaches ``1 / alpha``; 0 if it has.

    ``None`` where none would do: no weight that is left can grow. After k clean units the logarithm of E is
    ``log(mean(w * g**k))``, convex and increasing in k, so that Newton's method started above the root comes down
    to it without stepping over. Raises ValueError as :func:`bet` does.
    """
    growth = [math.log(factor) for factor in _hopeful_factors(0.0, limit)]
    _cap(alpha)
    target = math.log(len(wealth)) - math.log(alpha)
    start = [
        (math.log(weight), rate)
        for weight, rate in zip(wealth, growth, strict=True)
        if 0.0 < weight < math.inf and rate > 0.0
    ]
    if not start:
        return None
    units = min((target - log_weight) / rate for log_weight, rate in start)
    step = math.inf
    while units > 0.0 and step > 1e-9 * units:
        logs = [log_weight + units * rate for log_weight, rate in start]
        height = _log_sum(logs)
        slope = math.fsum(math.exp(log - height) * rate for log, (_, rate) in zip(logs, start, strict=True))
        step = (height - target) / slope
        units -= step
    return max(0, math.ceil(units - 1e-9))


def replay(stretches: Iterable[tuple[float, float]], limit: float, alpha: float) -> tuple[Weights, Weights]:
    """Return the wealth and ruin that a history leaves of which only stretches are known, oldest first.

    A stretch is (units, badness summed over them); both may be fractions, and its badness is taken to be spread
    evenly. The factors are those of counts, ``(q/p0)**f * ((1-q)/(1-p0))**(n-f)``, which never exceed what bets win
    (see :func:`failure_rate_upper`). The cap is applied after each stretch; within one, E is convex in time, so that
    it can only pass the cap at the end.
    """
    wealth, ruin = [0.0] * len(_HOPES), [0.0] * len(_FEARS)
    hopeful = _logs_of_factors(tuple(hope * limit for hope in _HOPES), limit)
    fearful = _logs_of_factors(_fearful_rates(limit), limit)
    for units, badness in stretches:
        for logs, players in ((wealth, hopeful), (ruin, fearful)):
            logs[:] = [
                log + badness * failed + (units - badness) * clean
                for log, (failed, clean) in zip(logs, players, strict=True)
            ]
            excess = _log_sum(logs) - math.log(len(logs) * _cap(alpha))
            if excess > 0.0:
                logs[:] = [log - excess for log in logs]
    return tuple(map(math.exp, wealth)), tuple(map(math.exp, ruin))


@lru_cache(maxsize=_MEMO_SIZE)
def failure_rate_upper(units: int, badness: float, alpha: float) -> float:
    """Return a bound that the true failure rate exceeds with probability at most alpha, at all times together.

    ``units`` counts units of evidence and ``badness`` sums their failed fractions. The bound is the least limit
    that the evidence would have proven, found by bisection (E grows with the limit, as every player's factors do)
    and rounded up. E is taken from the counts, ``mean((q/p0)**f * ((1-q)/(1-p0))**(n-f))``: for a fractional Z that
    is a weighted geometric mean of the two factors of a bet, where the bet itself is their arithmetic mean, so it
    never exceeds the E that was really won, and the bound is never too low.
    Raises ValueError for a badness outside [0, units], or an alpha outside (0, 1).
    """
    if not 0.0 <= badness <= units:
        raise ValueError(f"badness must be in [0, {units}], not {badness!r}")
    _cap(alpha)
    target = math.log(len(_HOPES)) - math.log(alpha)
    from_failures = [badness * math.log(hope) for hope in _HOPES]
    clean = units - badness
    low, high = 0.0, 1.0
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        base = math.log1p(-middle)
        logs = [
            lost + clean * (math.log1p(-hope * middle) - base)
            for hope, lost in zip(_HOPES, from_failures, strict=True)
        ]
        if _log_sum(logs) >= target:
            high = middle
        else:
            low = middle
    return high


@lru_cache(maxsize=_MEMO_SIZE)
def _hopeful_factors(badness: float, limit: float) -> Weights:
    """Return what the weight of each player of wealth is multiplied by after a unit of this badness."""
    return _factors(tuple(hope * limit for hope in _HOPES), badness, limit)


@lru_cache(maxsize=_MEMO_SIZE)
def _fearful_factors(badness: float, limit: float) -> Weights:
    """Return the same for the players of ruin."""
    return _factors(_fearful_rates(limit), badness, limit)


def _fearful_rates(limit: float) -> tuple[float, ...]:
    """Return rates below 1, and above the limit also where that is itself beyond the highest fear."""
    highest = max(_HIGHEST_FEAR, (1.0 + limit) / 2)
    return tuple(min(fear * limit, highest) for fear in _FEARS)


def _factors(rates: tuple[float, ...], badness: float, limit: float) -> Weights:
    _check_limit(limit)
    if not 0.0 <= badness <= 1.0:
        raise ValueError(f"a unit's badness must be in [0, 1], not {badness!r}")
    return tuple(
        (1.0 - badness) * ((1.0 - rate) / (1.0 - limit)) + badness * (rate / limit) for rate in rates
    )


@lru_cache(maxsize=64)
def _logs_of_factors(rates: tuple[float, ...], limit: float) -> tuple[tuple[float, float], ...]:
    """Return the logarithms of what a failed and a clean unit do to each player's weight; finite ones."""
    _check_limit(limit)
    return tuple(
        (
            math.log(max(rate, 5e-324)) - math.log(limit),
            math.log1p(-min(rate, _ALMOST_ONE)) - math.log1p(-limit),
        )
        for rate in rates
    )


def _check_limit(limit: float) -> None:
    if not 0.0 < limit < 1.0:
        raise ValueError(f"a limit on the failure rate must lie between 0 and 1, not {limit!r}")


@lru_cache(maxsize=64)
def _cap(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha!r}")
    return min(_CAP_IN_THRESHOLDS / alpha, _LARGEST_WEALTH)


def _capped(weights: Weights, alpha: float) -> Weights:
    mean = math.fsum(weights) / len(weights)
    if mean > _cap(alpha):
        share = _cap(alpha) / mean
        return tuple([weight * share for weight in weights])
    return weights


def _log_sum(logs: list[float]) -> float:
    """Return ``log(sum(exp(x)))`` without overflow."""
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs))
