from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.cli.since import since_us

NOW_US = 1_795_000_000_000_000
DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3d", NOW_US - 3 * DAY_US),
        ("2w", NOW_US - 14 * DAY_US),
        ("12h", NOW_US - DAY_US // 2),
        ("30m", NOW_US - DAY_US // 48),
        ("1.5 d", NOW_US - DAY_US * 3 // 2),
        (" 0d ", NOW_US),
        ("1970-01-02", DAY_US),
        ("1970-01-01T00:00:01", 1_000_000),
        ("1970-01-01 00:00:01Z", 1_000_000),
        ("1970-01-01T02:00:01+02:00", 1_000_000),
        ("1969-12-31", -DAY_US),
    ],
)
def test_forms(text: str, expected: int) -> None:
    assert since_us(text, NOW_US) == expected


@pytest.mark.parametrize(
    "text", ["", "d", "3", "3 years", "-3d", "٣d", "1e3d", "tomorrow", "2026-02-30", "3d4h"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        since_us(text, NOW_US)


@given(st.datetimes(timezones=st.sampled_from([UTC])))
def test_what_is_written_as_iso_is_read_back(moment: datetime) -> None:
    microseconds = since_us(moment.isoformat(), NOW_US)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds) == moment
