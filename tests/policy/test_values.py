from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.policy.tree import thawed
from pytest_causal.policy.values import conform, parse

leaves = st.one_of(
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.lists(st.integers(-9, 9) | st.text(max_size=3), max_size=4).map(tuple),
)


@given(leaves)
def test_a_value_conforms_to_itself_and_is_read_back_from_its_text(leaf: Any) -> None:
    assert conform(leaf, leaf) == leaf
    text = leaf if isinstance(leaf, str) else json.dumps(thawed(leaf))
    read = parse(text, leaf)
    assert (read, type(read)) == (leaf, type(leaf))


@given(leaves, leaves)
def test_a_value_of_another_type_is_refused_except_between_numbers(value: Any, like: Any) -> None:
    are_numbers = not isinstance(value, bool) and not isinstance(like, bool)
    if type(value) is type(like):
        assert conform(value, like) == value
    elif are_numbers and isinstance(value, int) and isinstance(like, float):
        assert conform(value, like) == float(value)
    elif are_numbers and isinstance(value, float) and isinstance(like, int) and value.is_integer():
        if abs(value) < 2**53:
            assert conform(value, like) == value
            assert type(conform(value, like)) is int
    else:
        with pytest.raises(ValueError, match=r"expected .*found"):
            conform(value, like)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("1_000", 1), ("yes", 1), ("1.5", 1), ("", 1), ("NaN", 1.0), ("1e999", 1.0), ("0,5", 1.0), ("", 1.0),
        ("2", True), ("", True), ("[1", (1,)), ("1", (1,)), ('{"a": 1}', (1,)), ("[null]", (1,)), ("[NaN]", (1,)),
        ("", (1,)),
    ],
)  # fmt: skip
def test_f5_text_is_never_guessed(text: str, like: Any) -> None:
    with pytest.raises(ValueError, match=r"expected .*found"):
        parse(text, like)


def test_text_is_taken_as_it_stands() -> None:
    assert parse(" yes ", "x") == " yes "
    assert parse("", "x") == ""
