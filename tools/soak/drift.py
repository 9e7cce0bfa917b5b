"""Whether something that should stay level grows: memory, descriptors, threads, disk.

The rule: it grows if all of these hold of the values in order of time:

1. Kendall's rank test finds a rise, in the whole run (one-sided p at most 0.01) and in its second half (p at most
   0.05): what fills up once and then stays level is no leak;
2. the rise over the whole run, by the slope of Theil and Sen (the median of the slopes of all pairs), is at least a
   tenth of where the run began, and at least so much that it matters (:data:`MATTERS`).

Neither asks how the noise is distributed, and single peaks move neither. Both take the noise of one point as
independent of its neighbours'; where it is not, p is too small, and the second condition carries the rule.
Fewer than 20 points say nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import NormalDist, median
from typing import NamedTuple

FEWEST_POINTS = 20
ALPHA = 0.01
ALPHA_OF_SECOND_HALF = 0.05
MIN_RATIO = 0.10
MATTERS: Mapping[str, float] = {
    "memory_bytes": 8 * 2**20,
    "descriptors": 8,
    "threads": 4,
    "disk_bytes": 64 * 2**20,
}
"""Resource -> the rise over a whole run below which nobody minds."""


class DriftVerdict(StrEnum):
    """What is said of a resource over a run."""

    LEVEL = "level"
    GROWS = "grows"
    INSUFFICIENT = "insufficient"


class Drift(NamedTuple):
    """The verdict on a resource, and what it rests on.

    ``start`` is the level at the beginning and ``rise`` the growth over the whole run, both by Theil and Sen, in the
    unit of the values; ``probability`` is Kendall's one-sided p of the whole run; ``points`` is how many were judged.
    """

    verdict: DriftVerdict
    points: int
    start: float | None = None
    rise: float | None = None
    probability: float | None = None


class Trace:
    """A series of any length in bounded memory: beyond its capacity, neighbours are merged into their mean."""

    def __init__(self, capacity: int = 128) -> None:
        """Take the most points to keep, an even number of at least 2 (else ValueError)."""
        if capacity < 2 or capacity % 2:
            raise ValueError(f"a trace of {capacity} points; expected an even number, at least 2")
        self._capacity = capacity
        self._points: list[float] = []
        self._values_a_point = 1
        self._sum = 0.0
        self._waiting = 0

    def add(self, value: float | None) -> None:
        """Take the next value; one that is missing, NaN or infinite is left out."""
        if value is None or not math.isfinite(value):
            return
        self._sum += value
        self._waiting += 1
        if self._waiting < self._values_a_point:
            return
        self._points.append(self._sum / self._waiting)
        self._sum, self._waiting = 0.0, 0
        if len(self._points) == self._capacity:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [(first + second) / 2 for first, second in pairs]
            self._values_a_point *= 2

    @property
    def points(self) -> tuple[float, ...]:
        """The series, oldest first, each point the mean of equally many values."""
        return tuple(self._points)


def judge_drift(points: Sequence[float], matters: float) -> Drift:
    """Return whether a series in order of time grows by the rule of this module.

    ``matters`` is the smallest rise of interest, in the unit of the points.
    """
    if len(points) < FEWEST_POINTS:
        return Drift(DriftVerdict.INSUFFICIENT, len(points))
    slope = theil_sen_slope(points)
    start = median(value - slope * place for place, value in enumerate(points))
    rise = slope * (len(points) - 1)
    probability = rising_probability(points)
    grows = (
        probability <= ALPHA
        and rising_probability(points[len(points) // 2 :]) <= ALPHA_OF_SECOND_HALF
        and rise >= max(matters, MIN_RATIO * abs(start))
    )
    verdict = DriftVerdict.GROWS if grows else DriftVerdict.LEVEL
    return Drift(verdict, len(points), start, rise, probability)


def theil_sen_slope(points: Sequence[float]) -> float:
    """Return the median slope of all pairs, per point (Sen, JASA 63, 1968). Needs two points."""
    return median(
        (later - earlier) / (distance)
        for at, earlier in enumerate(points)
        for distance, later in enumerate(points[at + 1 :], start=1)
    )


def rising_probability(points: Sequence[float]) -> float:
    """Return the one-sided p of Kendall's test (Mann's test of a trend) that so many pairs rise without a trend.

    By its normal approximation with the correction for ties, which is good from ten points on.
    """
    count = len(points)
    score = sum(
        (later > earlier) - (later < earlier)
        for at, earlier in enumerate(points)
        for later in points[at + 1 :]
    )
    tied = sum(ties * (ties - 1) * (2 * ties + 5) for ties in Counter(points).values())
    variance = (count * (count - 1) * (2 * count + 5) - tied) / 18
    if variance <= 0:
        return 1.0
    return 1.0 - NormalDist().cdf((score - 1) / math.sqrt(variance)) if score > 0 else 1.0
