from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.settings.scalars import parse_number, parse_switch, parse_whole, shown


@given(st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1))
def test_a_whole_number_is_read_as_it_is_written(number: int) -> None:
    assert parse_whole(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_json_writes_it(number: float) -> None:
    assert parse_number(json.dumps(number)) == number


@given(st.text(max_size=12))
def test_what_json_would_not_read_as_a_number_is_refused(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        expected = None
    is_number = (
        isinstance(expected, int | float) and not isinstance(expected, bool) and math.isfinite(expected)
    )
    if is_number and text == text.strip():
        assert parse_number(text) == expected
    else:
        with pytest.raises(ValueError, match="expected a finite number"):
            parse_number(text)


@pytest.mark.parametrize(
    "text", ["1_000", "+5", "007", " 5", "5 ", "5\n", "٣", "1.0", "1e3", "", "yes", "9" * 19]
)
def test_f5_a_whole_number_is_decimal_digits_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        parse_whole(text)


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "yes", "On"])
def test_words_for_yes(text: str) -> None:
    assert parse_switch(text) is True


@pytest.mark.parametrize("text", ["0", "false", "No", "OFF"])
def test_words_for_no(text: str) -> None:
    assert parse_switch(text) is False


@pytest.mark.parametrize("text", ["", "2", "y", "t", "maybe", "yes ", "None"])
def test_f5_no_other_word_is_a_switch(text: str) -> None:
    with pytest.raises(ValueError, match="expected yes or no"):
        parse_switch(text)


@given(st.text())
def test_what_is_shown_is_printable_and_short(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text * 1000)) < 100
