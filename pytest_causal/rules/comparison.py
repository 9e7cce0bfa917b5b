"""Comparing control and candidate round by round: failures and metrics, three-valued, against a noise floor.

Two errors are bounded by alpha. A quantity is called ``worse`` (or ``better``) where the sign-flip test says so at
alpha divided by the number of quantities judged, *and* the difference is as large as the smallest that matters, *and*
it is larger than what two halves of the control arm differ by. It is called ``not_worse`` where a harm as large as the
smallest that matters is ruled out at alpha; as all quantities must pass, no division is needed there. What is neither
is inconclusive, and so is what was not measured often enough.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pytest_causal.model.trial import Better, Comparison, Finding, Lack
from pytest_causal.rules.sign_flip import fewest_pairs, sign_flip

Pair = tuple[float | None, float | None]
"""The value of one round in the control arm and in the candidate's; ``None`` where there is none."""

SPLITS = 200
"""Random halves of the control arm that the noise floor is the mean over."""
_FEWEST_FOR_HALVES = 4
_LARGEST = 1e100
"""A number beyond this is no measurement: sums of such lose what they are made of."""


class Demands(NamedTuple):
    """How sure one must be, of how large a difference. ``judged`` quantities are judged side by side."""

    alpha: float
    min_effect: float
    judged: int = 1

    @property
    def alpha_each(self) -> float:
        """The alpha of a single quantity, so that all of them together keep to ``alpha`` (Bonferroni)."""
        return self.alpha / max(1, self.judged)


def compare_failures(pairs: Sequence[Pair], demands: Demands, rng: random.Random) -> Comparison:
    """Compare failed fractions, round by round, each in [0, 1].

    The bounds need no model: a mean difference is at most the chance of a round in which the candidate failed more
    often, which Clopper and Pearson's limit bounds. Rounds without any failure thus prove no more than their number
    can: 14 of them rule out a harm of 20 % at alpha 0.05.
    """
    whole = _whole(pairs)
    seen = _seen(whole, demands, rng)._replace(better=Better.LOWER, minimum=demands.min_effect)
    if seen.difference is None:
        return seen
    harmful = sum(candidate > control for control, candidate in whole)
    helpful = sum(candidate < control for control, candidate in whole)
    high = share_bound(harmful, len(whole), demands.alpha)
    seen = seen._replace(low=-share_bound(helpful, len(whole), demands.alpha), high=high)
    judged = _judged(seen, demands, lambda: high <= demands.min_effect)
    if judged.lack is Lack.TOO_NOISY and not harmful:
        return judged._replace(lack=Lack.TOO_FEW_ROUNDS)  # nothing varied: only their number is too small
    return judged


def compare_metric(pairs: Sequence[Pair], better: Better, demands: Demands, rng: random.Random) -> Comparison:
    """Compare a metric, round by round. The smallest difference that matters is a share of the control's mean."""
    whole = _whole(pairs)
    seen = _seen(whole, demands, rng)._replace(better=better)
    if seen.control is None:
        return seen
    sign = 1 if better is Better.LOWER else -1

    def is_harm_ruled_out() -> bool:
        # The share is taken round by round: of the mean it would be of one that is itself only estimated.
        beyond = [
            sign * (candidate - control) - demands.min_effect * abs(control) for control, candidate in whole
        ]
        high = sign_flip(beyond, demands.alpha, rng).high
        return high is not None and high <= 0

    seen = seen._replace(minimum=demands.min_effect * abs(seen.control))
    return _judged(seen, demands, is_harm_ruled_out)


def share_bound(hits: int, total: int, alpha: float) -> float:
    """Return the upper limit of a share of which ``hits`` of ``total`` were seen, with confidence 1 - alpha.

    Clopper and Pearson (1934), one-sided, by bisection: the share at which so few hits have the chance alpha.
    """
    if hits >= total:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        few = math.fsum(
            math.comb(total, count) * middle**count * (1 - middle) ** (total - count)
            for count in range(hits + 1)
        )
        low, high = (middle, high) if few > alpha else (low, middle)
    return high


def rounds_needed(demands: Demands) -> int:
    """Return how many rounds it takes at least: to tell arms apart, and to rule a harm out where no round fails."""
    clean = (
        math.ceil(math.log(demands.alpha) / math.log1p(-demands.min_effect)) if demands.min_effect < 1 else 1
    )
    return max(clean, fewest_pairs(demands.alpha_each), _FEWEST_FOR_HALVES)


def noise_floor(values: Sequence[float], rng: random.Random) -> float | None:
    """Return how far the means of two random halves lie apart, on average; ``None`` for fewer than four values."""
    if len(values) < _FEWEST_FOR_HALVES:
        return None
    half = len(values) // 2
    shuffled, distances = list(values), []
    for _ in range(SPLITS):
        rng.shuffle(shuffled)
        distances.append(abs(_mean(shuffled[:half]) - _mean(shuffled[half:])))
    return _mean(distances)


def _seen(whole: Sequence[tuple[float, float]], demands: Demands, rng: random.Random) -> Comparison:
    """Return what was measured, not judged yet; without bounds and p-values where there are too few rounds."""
    nothing = Comparison(
        rounds=len(whole), better=Better.UNKNOWN, finding=Finding.INCONCLUSIVE, lack=Lack.NO_DATA
    )
    if not whole:
        return nothing
    differences = [candidate - control for control, candidate in whole]
    test = sign_flip(differences, demands.alpha, rng)
    return nothing._replace(
        lack=Lack.NONE,
        control=_mean([control for control, _ in whole]),
        candidate=_mean([candidate for _, candidate in whole]),
        difference=_mean(differences),
        low=test.low,
        high=test.high,
        noise_floor=noise_floor([control for control, _ in whole], rng),
        p_worse=test.p_above,
        p_better=test.p_below,
    )


def _judged(seen: Comparison, demands: Demands, is_harm_ruled_out: Callable[[], bool]) -> Comparison:
    """Return the comparison with its finding; the p-values of the sum become those of harm and gain."""
    if seen.better is Better.UNKNOWN:
        return seen._replace(lack=Lack.NO_DIRECTION, p_worse=None, p_better=None)
    is_lower_better = seen.better is Better.LOWER
    if not is_lower_better:
        seen = seen._replace(p_worse=seen.p_better, p_better=seen.p_worse)
    if seen.rounds < max(fewest_pairs(demands.alpha_each), _FEWEST_FOR_HALVES):
        return seen._replace(lack=Lack.TOO_FEW_ROUNDS)
    harm = (seen.difference or 0.0) * (1 if is_lower_better else -1)
    if _is_shown(harm, seen.p_worse, seen, demands):
        return seen._replace(finding=Finding.WORSE)
    if _is_shown(-harm, seen.p_better, seen, demands):
        return seen._replace(finding=Finding.BETTER)
    if is_harm_ruled_out():
        return seen._replace(finding=Finding.NOT_WORSE)
    return seen._replace(lack=Lack.TOO_NOISY)


def _is_shown(effect: float, p: float | None, seen: Comparison, demands: Demands) -> bool:
    if p is None or p > demands.alpha_each or effect <= 0:
        return False
    return effect >= (seen.minimum or 0.0) and effect > (seen.noise_floor or 0.0)


def _whole(pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """Return the rounds in which both arms gave a number that can be reckoned with."""
    return [
        (control, candidate)
        for control, candidate in pairs
        if control is not None
        and candidate is not None
        and abs(control) <= _LARGEST  # NaN is not
        and abs(candidate) <= _LARGEST
    ]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
