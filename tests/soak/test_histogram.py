from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.soak.histogram import Histogram


@given(
    values=st.lists(st.floats(1e-6, 3600), min_size=1, max_size=200),
    share=st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]),
)
def test_a_quantile_is_the_nearest_rank_to_one_percent(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.011)


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


def test_what_lies_outside_counts_at_the_ends() -> None:
    histogram = Histogram()
    for value in (0.0, -1.0, 1e9):
        histogram.add(value)
    assert histogram.quantile(0.5) == pytest.approx(1e-6)
    assert histogram.quantile(1.0) == pytest.approx(3600, rel=0.02)
    with pytest.raises(ValueError, match="NaN"):
        histogram.add(math.nan)


def test_a_million_values_take_no_more_room_than_one() -> None:
    histogram = Histogram()
    size = len(histogram._counts)
    for number in range(100_000):
        histogram.add(number / 1000)
    assert len(histogram._counts) == size < 1200
    assert histogram.quantile(0.5) == pytest.approx(50, rel=0.011)
