from __future__ import annotations

import math

import pytest

from pytest_causal.model.signal import MetricSum


@pytest.mark.parametrize(
    ("sums", "mean"),
    [
        (MetricSum(4, 0, 10.0), 2.5),
        (MetricSum(4, 9, 10.0), 2.5),
        (MetricSum(0, 3, 0.0), None),
        (MetricSum(2, 0, math.inf), None),
        (MetricSum(2, 0, math.nan), None),
    ],
)
def test_the_mean_is_a_number_or_nothing(sums: MetricSum, mean: float | None) -> None:
    assert sums.mean == mean
