from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.rules.completeness import (
    PLACES,
    complete_units_needed,
    incomplete_share,
    moved,
    newest_units,
)

windows = st.lists(st.sampled_from([None, False, False, True]), max_size=PLACES)
"""Places, newest first: no unit, a complete one, an incomplete one."""


def fields(window: list[bool | None]) -> tuple[int, int]:
    incomplete = sum(1 << place for place, unit in enumerate(window) if unit)
    units = sum(1 << place for place, unit in enumerate(window) if unit is not None)
    return incomplete, units


@given(windows)
def test_the_newest_twenty_units_count(window: list[bool | None]) -> None:
    newest = [unit for unit in window if unit is not None][:20]
    assert newest_units(*fields(window)) == (sum(newest), len(newest))
    assert incomplete_share(*fields(window)) == (sum(newest) / len(newest) if newest else 0.0)


@given(windows, st.integers(0, 200))
def test_moving_on_leaves_places_without_units(window: list[bool | None], places: int) -> None:
    later = ([None] * places + window)[:PLACES]
    assert tuple(moved(field, places) for field in fields(window)) == fields(later)


@given(windows, st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0]))
def test_complete_units_needed_is_the_least_number(window: list[bool | None], allowed: float) -> None:
    needed = complete_units_needed(*fields(window), allowed)
    assert needed is not None

    def share(more: int) -> float:
        return incomplete_share(*fields(([False] * more + window)[:PLACES]))

    assert share(needed) <= allowed
    assert all(share(fewer) > allowed for fewer in range(needed))


def test_what_no_complete_unit_can_reach() -> None:
    assert complete_units_needed(0b1, 0b1, -0.1) is None
    assert complete_units_needed(0b1, 0b1, float("nan")) is None
