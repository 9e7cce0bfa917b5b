"""Running states are kept apart by the criteria that shape them, and shared by all others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.criteria import Criteria, Rule, Unit

SHAPING: dict[str, Any] = {
    "max_failure_rate": 0.1,
    "alpha": 0.01,
    "unit": Unit.RUN,
    "flaky_weight": 0.5,
}
APPLIED_LATER: dict[str, Any] = {
    "min_runs": 3,
    "min_sessions": 5,
    "rule": Rule.THRESHOLD,
    "max_age_days": 1.0,
    "max_incomplete_rate": 0.3,
}


def test_every_criterion_either_shapes_the_state_or_is_applied_later() -> None:
    assert set(SHAPING) | set(APPLIED_LATER) == set(Criteria._fields)


@pytest.mark.parametrize("field", SHAPING)
def test_what_shapes_the_state_changes_its_key(field: str) -> None:
    assert Criteria()._replace(**{field: SHAPING[field]}).state_key != Criteria().state_key


def test_what_is_applied_later_does_not() -> None:
    assert Criteria()._replace(**APPLIED_LATER).state_key == Criteria().state_key


rates = st.floats(0, 1, exclude_min=True, exclude_max=True)
shapes = st.tuples(rates, rates, st.sampled_from(Unit), st.floats(0, 1))


@given(one=shapes, two=shapes)
def test_no_two_shapes_share_a_key(one, two) -> None:
    keys = {Criteria(**dict(zip(SHAPING, shape, strict=True))).state_key for shape in (one, two)}
    assert (len(keys) == 1) == (one == two)


def test_a_unit_as_text_has_the_key_of_the_unit() -> None:
    # The store keeps what a marker declared as text.
    stored: Any = "run"
    assert Criteria()._replace(unit=stored).state_key == Criteria(unit=Unit.RUN).state_key
