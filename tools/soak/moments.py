"""Mean, spread and interval of a stream of numbers, in constant memory."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

_LEVEL = 0.95


class Moments(NamedTuple):
    """Number, mean and sum of squared deviations, by the update of Welford (Technometrics 4, 1962)."""

    samples: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def with_value(self, value: float) -> Moments:
        """Return the moments with one more finite number."""
        samples = self.samples + 1
        ahead = value - self.mean
        mean = self.mean + ahead / samples
        return Moments(samples, mean, self.squares + ahead * (value - mean))

    def interval(self) -> tuple[float, float] | tuple[None, None]:
        """Return the ends of the 95 % interval of the mean, or nothing for fewer than three numbers.

        It takes the numbers as independent; iterations that resemble their neighbours make it too narrow.
        """
        if self.samples < 3:
            return None, None
        error = math.sqrt(self.squares / (self.samples - 1) / self.samples)
        reach = student_quantile((1 + _LEVEL) / 2, self.samples - 1) * error
        return self.mean - reach, self.mean + reach


def student_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of Student's t with at least two degrees of freedom.

    Exact for two; else the expansion of Cornish and Fisher (Abramowitz & Stegun 26.7.5), within 1 % at three and
    0.1 % from six on, for the usual 97.5 %. Raises ValueError for fewer than two degrees.
    """
    if freedom < 2:
        raise ValueError(f"{freedom} degrees of freedom; at least 2 are needed")
    if freedom == 2:
        return (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
    z = NormalDist().inv_cdf(probability)
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))
