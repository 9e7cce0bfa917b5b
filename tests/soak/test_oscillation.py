from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.soak.oscillation import oscillates

NAN = math.nan


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0, 1.0],
        [1.0, 2.0, 1.0 + 1e-9],  # within the tolerance
        [5.0, 1.0, 2.0, 1.0],
        [0.3, -0.3, 0.3],
        [1.0, 2.0, 2.0, 1.0],  # a plateau between
        [1.0, NAN, 2.0, None, 1.0],  # and gaps
    ],
)
def test_k8_d8_back_where_it_was_is_an_oscillation(values: list[float | None]) -> None:
    assert oscillates(values)


def test_d13_a_drifting_oscillation_is_one() -> None:
    assert oscillates([1.0, 2.0, 1.1, 2.1, 1.2])
    assert oscillates([1.0, 2.0, 1.1, 2.1])


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1.0],
        [1.0, 2.0],
        [1.0, 1.1, 1.2, 1.3, 1.4],
        [1.4, 1.3, 1.2, 1.0],
        [2.0, 2.0, 2.0, 2.0],
        [1.0, 2.0, 1.5],  # one correction
        [1.0, 2.0, 1.5, 1.2],
        [1.0, 2.0, 1.1, 2.1, 3.0, 4.0],  # it was one, and has gone on since
        [NAN, NAN, NAN],
        [1.0, NAN, 2.0, NAN, 3.0],
    ],
)
def test_d12_ramps_plateaus_and_single_corrections_are_none(values: list[float | None]) -> None:
    assert not oscillates(values)


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=20), st.sampled_from([1, -1]))
def test_d12_no_monotone_series_oscillates(steps: list[float], sign: int) -> None:
    values = [0.0]
    for step in steps:
        values.append(values[-1] + sign * step)
    assert not oscillates(values)


@given(st.floats(-100, 100), st.floats(0.1, 10), st.integers(3, 9))
def test_every_swing_between_two_values_oscillates(start: float, width: float, count: int) -> None:
    assert oscillates([start + width * (index % 2) for index in range(count)])


@given(st.lists(st.floats(-100, 100), max_size=8), st.sampled_from([None, math.nan]))
def test_k8_gaps_change_nothing(values: list[float], gap: float | None) -> None:
    with_gaps = [each for value in values for each in (gap, value, gap)]
    assert oscillates(with_gaps) == oscillates(values)
