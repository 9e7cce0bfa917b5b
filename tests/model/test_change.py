from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.change import Candidate, Change, Step, matches

numbers = st.integers() | st.floats(allow_nan=False)


@given(numbers, numbers)
def test_a_number_goes_up_or_down_or_stays(before: float, after: float) -> None:
    expected = {True: True, False: False}[after > before] if after != before else None
    assert Step("a", before, after).is_upward is expected


@pytest.mark.parametrize(("before", "after"), [(False, True), ("a", "b"), ((1,), (2,)), (1, "2"), (0, True)])
def test_what_is_no_number_has_no_direction(before: Any, after: Any) -> None:
    assert Step("a", before, after).is_upward is None


@given(st.dictionaries(st.text(min_size=1), st.tuples(numbers, numbers), max_size=4))
def test_the_inverse_takes_a_change_back(values: dict[str, tuple[float, float]]) -> None:
    change = Change(tuple(Step(path, *pair) for path, pair in sorted(values.items())))
    inverse = change.inverse()
    assert (inverse.before, inverse.after) == (change.after, change.before)
    assert inverse.inverse() == change
    assert inverse.paths == change.paths


@pytest.mark.parametrize(
    ("name", "pattern", "is_named"),
    [
        ("load", "load", True),
        ("load", "Load", False),
        ("load", "lo*", True),
        ("load", "lo", False),
        ("test_it[a]", "test_it[a]", True),  # taken literally first
        ("test_ita", "test_it[a]", True),  # and then as a glob
        ("test_it[b]", "test_it[a]", False),
        ("a/b", "*", True),
    ],
)
def test_a_scenario_is_named_literally_or_by_a_glob(name: str, pattern: str, is_named: bool) -> None:
    assert matches(name, pattern) is is_named
    candidate = Candidate("x", ("nobody", pattern), Change(()))
    assert candidate.is_gated_by(name) is is_named


def test_the_arm_of_a_candidate_holds_its_name() -> None:
    assert Candidate("more", (), Change(())).arm == "candidate:more"
