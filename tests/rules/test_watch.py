from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.promotion import Trigger
from pytest_causal.rules.watch import FEWEST_FOR_MEAN, Fired, Health, Watched, mean, watch

RATE = Trigger("failure_rate", max=0.2)
SLOWER = Trigger("seconds", max_increase=0.5)
NOT_NUMBERS = (None, math.nan, math.inf, -math.inf)


def test_without_a_session_there_is_nothing_to_say() -> None:
    assert watch([RATE], [], {}) == Watched(Health.INSUFFICIENT)
    assert watch([], [], {}) == Watched(Health.INSUFFICIENT)


def test_a_session_within_the_limit_is_well() -> None:
    assert watch([RATE], [{"failure_rate": 0.2}], {}) == Watched(Health.OK)


def test_one_session_beyond_an_absolute_limit_is_enough() -> None:
    watched = watch([RATE], [{"failure_rate": 0.0}, {"failure_rate": 0.21}], {})
    assert watched == Watched(Health.CRITICAL, (Fired("failure_rate", "max", 0.21, 0.2),))


def test_a_limit_of_zero_is_a_limit() -> None:
    assert watch([Trigger("failure_rate", max=0.0)], [{"failure_rate": 0.01}], {}).health is Health.CRITICAL
    assert watch([Trigger("taken", min=0.0)], [{"taken": -1.0}], {}).health is Health.CRITICAL
    assert watch([Trigger("x", max=0.0, min=0.0)], [{"x": 0.0}], {}).health is Health.OK


def test_only_the_newest_session_is_held_to_an_absolute_limit() -> None:
    assert watch([RATE], [{"failure_rate": 1.0}, {"failure_rate": 0.0}], {}).health is Health.OK


def test_a_lower_limit() -> None:
    lower = Trigger("taken", min=10)
    assert watch([lower], [{"taken": 10}], {}).health is Health.OK
    assert watch([lower], [{"taken": 9}], {}).fired == (Fired("taken", "min", 9, 10),)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_a_signal_that_nobody_reported_is_no_all_clear(value: float | None) -> None:
    assert watch([RATE], [{"failure_rate": value}], {}) == Watched(
        Health.INSUFFICIENT, silent=("failure_rate",)
    )
    assert watch([RATE], [{}], {}).health is Health.INSUFFICIENT


def test_a_trigger_that_fires_outweighs_one_that_is_silent() -> None:
    watched = watch([RATE, SLOWER], [{"failure_rate": 1.0}], {})
    assert (watched.health, watched.silent) == (Health.CRITICAL, ("seconds",))


@pytest.mark.parametrize(
    ("trigger", "values", "fires"),
    [
        (Trigger("x", max_increase=0.5), (16, 16), False),
        (Trigger("x", max_increase=0.5), (16, 16, 16), True),
        (Trigger("x", max_increase=0.5), (15, 15, 15), False),
        (Trigger("x", max_increase=0.5), (99, 10, 10), True),
        (Trigger("x", max_increase=0.5), (None, 16, 16), False),
        (Trigger("x", max_decrease=0.5), (4, 4, 4), True),
        (Trigger("x", max_decrease=0.5), (5, 5, 5), False),
    ],
)
def test_relative_limits_hold_for_the_mean_from_the_third_session_on(
    trigger: Trigger, values: tuple[float | None, ...], fires: bool
) -> None:
    watched = watch([trigger], [{"x": value} for value in values], {"x": 10.0})
    assert (watched.health is Health.CRITICAL) is fires


def test_a_baseline_below_zero_is_compared_by_its_size() -> None:
    sessions = [{"x": -8.0}] * FEWEST_FOR_MEAN
    assert watch([Trigger("x", max_increase=0.1)], sessions, {"x": -10.0}).health is Health.CRITICAL
    assert watch([Trigger("x", max_increase=0.3)], sessions, {"x": -10.0}).health is Health.OK


@pytest.mark.parametrize("before", [0.0, None, math.nan])
def test_m8_without_a_baseline_to_compare_with_no_relative_limit_fires(before: float | None) -> None:
    trigger = Trigger("x", max_increase=0.1, max_decrease=0.1)
    for value in (1e9, -1e9):
        watched = watch([trigger], [{"x": value}] * 5, {"x": before})
        assert watched == (Watched(Health.OK) if before == 0 else Watched(Health.INSUFFICIENT, silent=("x",)))


@pytest.mark.parametrize("sessions", [FEWEST_FOR_MEAN, 1_000_000])
@pytest.mark.parametrize(("value", "health"), [(10.0, Health.OK), (10.5, Health.CRITICAL)])
def test_m8_a_baseline_without_any_spread_is_compared_all_the_same(
    sessions: int, value: float, health: Health
) -> None:
    watched = watch([Trigger("x", max_increase=0.04)], [{"x": value}] * sessions, {"x": 10.0})
    assert watched.health is health


@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_m8_a_sum_that_no_float_holds_is_no_all_clear(value: float) -> None:
    trigger = Trigger("x", max_increase=0.1, max_decrease=0.1)
    assert mean([value] * FEWEST_FOR_MEAN) is None
    watched = watch([trigger], [{"x": value}] * FEWEST_FOR_MEAN, {"x": 1.0})
    assert watched == Watched(Health.INSUFFICIENT, silent=("x",))


signals = st.dictionaries(st.sampled_from("abc"), st.none() | st.floats(width=32), max_size=3)
limits = st.none() | st.floats(-1e6, 1e6)
triggers = st.builds(
    Trigger,
    signal=st.sampled_from("abc"),
    max=limits,
    min=limits,
    max_increase=st.none() | st.floats(0, 10),
    max_decrease=st.none() | st.floats(0, 10),
)


@given(st.lists(triggers, max_size=4), st.lists(signals, max_size=6), signals)
def test_well_means_that_every_signal_was_seen_and_nothing_fired(
    given_triggers: list[Trigger], sessions: list[dict[str, Any]], baseline: dict[str, Any]
) -> None:
    watched = watch(given_triggers, sessions, baseline)
    assert (watched.health is Health.CRITICAL) is bool(watched.fired)
    if watched.health is Health.OK:
        newest = sessions[-1]
        assert watched.silent == ()
        for trigger in given_triggers:
            value = newest[trigger.signal]
            assert math.isfinite(value)
            assert trigger.max is None or value <= trigger.max
            assert trigger.min is None or value >= trigger.min
    for fired in watched.fired:
        assert math.isfinite(fired.value)
        assert (fired.value > fired.limit) is (fired.side in ("max", "max_increase"))
