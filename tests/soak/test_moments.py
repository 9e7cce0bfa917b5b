from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.soak.moments import Moments, student_quantile


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=50))
def test_the_stream_gives_what_the_list_gives(values: list[float]) -> None:
    moments = Moments()
    for value in values:
        moments = moments.with_value(value)
    assert moments.samples == len(values)
    assert moments.mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert moments.squares / (len(values) - 1) == pytest.approx(
        statistics.variance(values), rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize(
    ("freedom", "exact"),
    [(2, 4.302653), (3, 3.182446), (4, 2.776445), (6, 2.446912), (10, 2.228139), (30, 2.042272), (1000, 1.962339)],
)  # fmt: skip
def test_quantiles_agree_with_the_tables(freedom: int, exact: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(exact, rel=0.002)


def test_fewer_than_three_numbers_have_no_interval() -> None:
    assert Moments().with_value(1.0).with_value(2.0).interval() == (None, None)
    with pytest.raises(ValueError, match="at least 2 are needed"):
        student_quantile(0.975, 1)


def test_the_interval_of_three_numbers_is_the_one_of_the_books() -> None:
    low, high = Moments().with_value(1.0).with_value(2.0).with_value(3.0).interval()
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))


def test_the_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    chance, held = random.Random(7), 0
    for _ in range(2000):
        moments = Moments()
        for _ in range(8):
            moments = moments.with_value(chance.gauss(5.0, 2.0))
        low, high = moments.interval()
        assert low is not None
        assert high is not None
        held += low <= 5.0 <= high
    assert 0.935 <= held / 2000 <= 0.965
