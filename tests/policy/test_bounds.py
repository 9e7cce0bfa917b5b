from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError
from pytest_causal.policy.bounds import Bound, read_bounds

numbers = st.none() | st.integers(-5, 5).map(float)
bounds = st.builds(Bound, min=numbers, max=numbers)


@pytest.mark.parametrize(
    ("bound", "inside", "outside", "text"),
    [
        (Bound(min=1, max=2), (1, 1.5, 2), (0.999, 2.001), "1 to 2"),
        (Bound(min=1), (1, 1e300), (0.5,), "at least 1"),
        (Bound(max=2), (-1e300, 2), (2.5,), "at most 2"),
        (Bound(step=1), (-1e300, 1e300), (), "any number"),
    ],
)
def test_a_bound_holds_its_ends_and_never_nan(
    bound: Bound, inside: tuple[float, ...], outside: tuple[float, ...], text: str
) -> None:
    assert all(bound.holds(value) for value in inside)
    assert not any(bound.holds(value) for value in (*outside, float("nan")))
    assert str(bound) == text


@given(bounds, bounds, st.integers(-6, 6))
def test_what_lies_within_two_bounds_is_what_both_hold(first: Bound, second: Bound, value: int) -> None:
    assert first.within(second).holds(value) == (first.holds(value) and second.holds(value))


def test_a_bound_within_another_names_both_places_and_keeps_its_step() -> None:
    both = Bound(min=1, step=2, place="a:1").within(Bound(max=3, step=5, place="b:2"))
    assert both == Bound(min=1, max=3, step=2, place="a:1 and b:2")


def test_bounds_are_read_with_their_places() -> None:
    read = read_bounds({"a.b": {"min": 1, "max": 2.5, "step": 0.5}}, lambda key: f"f:{key}")
    assert read == {"a.b": Bound(min=1.0, max=2.5, step=0.5, place="f:('a.b',)")}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"min": 2, "max": 1}, "min 2 is above max 1"),
        ({"step": 0}, "step is 0"),
        ({"step": -1}, "step is -1"),
        ({"min": float("nan")}, "min is nan"),
        ({"max": float("inf")}, "max is inf"),
        ({"min": True}, "min is True"),
        ({"min": "1"}, "min is '1'"),
        ({"mim": 1}, "did you mean 'min'"),
        ({}, "expected"),
        ([1, 2], "expected"),
    ],
)
def test_f5_bounds_that_hold_nothing_or_are_mistyped_are_errors(table: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        read_bounds({"a.b": table}, lambda key: "f:3")
    assert str(caught.value).startswith("f:3: bounds of a.b")
