from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.views.times import duration, stamp_or_none, utc_minutes, utc_stamp


def test_stamps_are_utc_with_microseconds() -> None:
    assert utc_stamp(1_700_000_000_000_001) == "2023-11-14T22:13:20.000001Z"
    assert utc_minutes(1_700_000_000_000_001) == "2023-11-14 22:13"
    assert stamp_or_none(1) == "1970-01-01T00:00:00.000001Z"
    assert stamp_or_none(0) is None


@given(st.integers(min_value=-(10**15), max_value=10**17))
def test_a_stamp_is_the_time_it_was_made_from(microseconds: int) -> None:
    moment = datetime.fromisoformat(utc_stamp(microseconds))
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) // moment.resolution == microseconds


@given(st.tuples(st.integers(0, 10**17), st.integers(0, 10**17)))
def test_stamps_sort_as_times_do(pair: tuple[int, int]) -> None:
    assert sorted(map(utc_stamp, pair)) == list(map(utc_stamp, sorted(pair)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 ms"),
        (0.00042, "0.4 ms"),
        (0.00994, "9.9 ms"),
        (0.00996, "10 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1m 00s"),
        (245.4, "4m 05s"),
        (3599.6, "1h 00m"),
        (7_800, "2h 10m"),
        (360_000, "100h 00m"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@given(st.floats(min_value=0, max_value=359_999))
def test_a_duration_fits_its_column(seconds: float) -> None:
    words = duration(seconds)
    assert len(words) <= 7
    assert re.fullmatch(r"[\d.]+ m?s|\d+m [0-5]\ds|\d+h [0-5]\dm", words)
