"""Lengths of time as people write them; what is none is a usage error."""

from __future__ import annotations

import click
import pytest

from tools.soak.seconds import Seconds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        (" 15m ", 900),
        ("1.5h", 5400),
        ("72h", 259_200),
        ("2d", 172_800),
        ("0", 0),
        (5, 5),
    ],
)
def test_a_length_of_time(written: str | int, seconds: float) -> None:
    assert Seconds().convert(written, None, None) == seconds


@pytest.mark.parametrize(
    "written", ["", "-1", "nan", "inf", "1e3", "5 m", "5w", "s", "1h30m", "٣", "10000000000", "400d"]
)
def test_k20_what_is_no_length_of_time_is_refused(written: str) -> None:
    with pytest.raises(click.BadParameter):
        Seconds().convert(written, None, None)
