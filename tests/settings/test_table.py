from __future__ import annotations

import pytest

from pytest_causal.model.criteria import Criteria
from pytest_causal.settings.sources import Settings
from pytest_causal.settings.table import CRITERIA, RESERVED_ENV, SETTINGS, Interval, Kind

NOT_SETTINGS = {"root", "config", "origins", "criteria"}


def test_every_row_has_a_field_and_every_field_a_row() -> None:
    general = {setting.name for setting in SETTINGS if setting.section != CRITERIA}
    criteria = {setting.name for setting in SETTINGS if setting.section == CRITERIA}
    assert general == set(Settings._fields) - NOT_SETTINGS
    assert criteria == set(Criteria._fields)


def test_names_flags_and_variables_are_unique_and_prefixed() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.flag.startswith("--causal-") for setting in SETTINGS)
    assert all(setting.env.startswith("CAUSAL_") and setting.env not in RESERVED_ENV for setting in SETTINGS)


def test_every_row_is_explained_in_a_sentence() -> None:
    for setting in SETTINGS:
        assert setting.help[0].isupper()
        assert setting.help.endswith(".")


def test_numbers_have_a_unit_and_an_interval_that_holds_the_default() -> None:
    numbers = [setting for setting in SETTINGS if setting.kind in (Kind.COUNT, Kind.NUMBER)]
    assert numbers
    for setting in numbers:
        assert setting.unit
        assert isinstance(setting.default, int | float)
        assert setting.interval is not None
        assert setting.interval.holds(setting.default)
        assert not setting.interval.holds(float("nan"))


@pytest.mark.parametrize(
    ("interval", "inside", "outside", "text"),
    [
        (Interval(low=0, high=1), (0, 0.5, 1), (-0.1, 1.1), "[0, 1]"),
        (Interval(low=0, high=1, is_low_open=True, is_high_open=True), (0.001, 0.999), (0, 1), "(0, 1)"),
    ],
)
def test_an_interval_holds_its_closed_ends_only(
    interval: Interval, inside: tuple[float, ...], outside: tuple[float, ...], text: str
) -> None:
    assert all(interval.holds(number) for number in inside)
    assert not any(interval.holds(number) for number in outside)
    assert str(interval) == text
