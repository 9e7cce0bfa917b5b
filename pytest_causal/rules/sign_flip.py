"""The sign-flip test of paired differences, and the interval that belongs to it.

If two arms do not differ, each pair's difference is as likely to have the other sign. The p-value is the share of all
sign patterns with a sum at least as far out as the one seen: no distribution is assumed, and no variance is estimated
from a handful of values. Flipping a set of pairs raises the sum by exactly as much as the set sums to below zero, so
that p-value and interval both come from the sums of subsets: the means of all non-empty subsets are the *typical
values* of Hartigan (1969), between any two of which the true difference lies equally often.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

EXACT_PAIRS = 16
"""Up to so many pairs every subset is looked at (65,536 of them); above, so many are drawn as ``DRAWS`` says."""
DRAWS = 10_000
_ROUNDING = 1e-12
"""Sums of floats that would be zero are this small beside what they are the sum of."""


class SignFlip(NamedTuple):
    """What the differences of ``pairs`` show.

    ``p_above`` is the chance of a sum as high or higher where the arms do not differ, ``p_below`` of one as low or
    lower. ``low`` and ``high`` are bounds of the mean difference, each at the asked-for alpha for itself; ``None``
    where there are too few pairs for a bound.
    """

    pairs: int
    p_above: float
    p_below: float
    low: float | None
    high: float | None


def fewest_pairs(alpha: float) -> int:
    """Return how many pairs it takes that a p-value can be as small as ``alpha``: with n pairs none is below 1/2^n."""
    pairs = 1
    while 0.5**pairs > alpha:
        pairs += 1
    return pairs


def sign_flip(differences: Sequence[float], alpha: float, rng: random.Random) -> SignFlip:
    """Test finite differences, and bound their mean. ``rng`` is drawn from above ``EXACT_PAIRS`` pairs only.

    Drawn p-values are (1 + hits) / (1 + draws), which keeps the test valid (Phipson and Smyth, 2010).
    """
    is_exact = len(differences) <= EXACT_PAIRS
    sums, sizes = _all_subsets(differences) if is_exact else _drawn_subsets(differences, rng)
    # Where all subsets are looked at the empty one is among them; where they are drawn it stands for what was seen.
    seen = len(sums) if is_exact else len(sums) + 1
    near_zero = _ROUNDING * sum(map(abs, differences))
    extra = 0 if is_exact else 1
    means = sorted(total / size for total, size in zip(sums, sizes, strict=True) if size)
    rank = int(alpha * seen)
    return SignFlip(
        pairs=len(differences),
        p_above=(extra + sum(total <= near_zero for total in sums)) / seen,
        p_below=(extra + sum(total >= -near_zero for total in sums)) / seen,
        low=means[rank - 1] if 1 <= rank <= len(means) else None,
        high=means[-rank] if 1 <= rank <= len(means) else None,
    )


def _all_subsets(differences: Sequence[float]) -> tuple[list[float], list[int]]:
    """Return sum and size of every subset, the empty one first."""
    sums, sizes = [0.0], [0]
    for difference in differences:
        sums += [total + difference for total in sums]
        sizes += [size + 1 for size in sizes]
    return sums, sizes


def _drawn_subsets(differences: Sequence[float], rng: random.Random) -> tuple[list[float], list[int]]:
    """Return sum and size of subsets in which each difference is as likely as not."""
    sums, sizes = [], []
    for _ in range(DRAWS):
        bits = rng.getrandbits(len(differences))
        drawn = [each for place, each in enumerate(differences) if bits >> place & 1]
        sums.append(sum(drawn))
        sizes.append(len(drawn))
    return sums, sizes
