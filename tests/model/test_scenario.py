"""What a scenario's author declares replaces the general criteria, field by field."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.scenario import Declaration

OTHER = Criteria(
    min_runs=1,
    min_sessions=3,
    max_failure_rate=0.5,
    rule=Rule.THRESHOLD,
    alpha=0.1,
    unit=Unit.RUN,
    max_age_days=1.0,
    max_incomplete_rate=0.2,
    flaky_weight=0.5,
)
"""Differs from the default in every field."""


def test_without_criteria_the_general_ones_are_in_force() -> None:
    assert Declaration(scenario="a", tags=("t",)).criteria_over(OTHER) is OTHER


@given(fields=st.sets(st.sampled_from(Criteria._fields)))
def test_each_declared_field_and_no_other_is_replaced(fields: set[str]) -> None:
    general = Criteria()
    declared = Declaration(
        scenario="a", criteria=tuple((field, getattr(OTHER, field)) for field in sorted(fields))
    )
    merged = declared.criteria_over(general)
    for field in Criteria._fields:
        source = OTHER if field in fields else general
        assert getattr(merged, field) == getattr(source, field)
    assert general == Criteria()
