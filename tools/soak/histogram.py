"""A histogram of durations in constant memory, however many are added.

Buckets grow by 2 % each, so that a quantile is right to 1 % of itself. What is shorter than a microsecond counts as
one, what is longer than an hour as an hour. (The idea is that of HdrHistogram, with the logarithm for its index.)
"""

from __future__ import annotations

import math
from array import array

_GROWTH = 1.02
_LEAST_SECONDS = 1e-6
_MOST_SECONDS = 3600.0
_BUCKETS = math.ceil(math.log(_MOST_SECONDS / _LEAST_SECONDS, _GROWTH)) + 1


class Histogram:
    """Counts of durations by size."""

    def __init__(self) -> None:
        self.count = 0
        self._counts = array("Q", bytes(8 * _BUCKETS))

    def add(self, seconds: float) -> None:
        """Count one duration. Raises ValueError for NaN."""
        if math.isnan(seconds):
            raise ValueError("NaN is no duration")
        bounded = min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS)
        self._counts[round(math.log(bounded / _LEAST_SECONDS, _GROWTH))] += 1
        self.count += 1

    def quantile(self, share: float) -> float | None:
        """Return the nearest-rank quantile in seconds, to 1 %; ``None`` of nothing."""
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return float(_LEAST_SECONDS * _GROWTH**bucket)
        return None
