"""The schedule: slots are counted from the first one, however long the work in them takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.soak.pacing import Pacing, Slot
from tools.soak.simulation import SimulatedClock


def slots(period_seconds: float, *work_seconds: float) -> tuple[list[Slot], SimulatedClock]:
    clock = SimulatedClock()
    pacing = Pacing(clock, period_seconds)
    found = [pacing.enter()]
    for seconds in work_seconds:
        clock.pass_by(seconds)
        found.append(pacing.enter())
    return found, clock


def test_short_work_is_waited_for_and_the_schedule_does_not_drift() -> None:
    found, clock = slots(10, 1, 9, 4)
    assert found == [Slot(0, 0)] * 4
    assert clock.monotonic_us() == 30_000_000
    assert clock.slept_seconds == 16


def test_work_that_takes_longer_makes_its_slot_late_and_the_next_one_on_time_again() -> None:
    found, clock = slots(10, 12, 1)
    assert found[1:] == [Slot(2_000_000, 0), Slot(0, 0)]
    assert clock.monotonic_us() == 20_000_000


def test_slots_that_went_by_are_counted_and_not_made_up_for() -> None:
    found, _ = slots(10, 35, 1)
    assert found[1:] == [Slot(5_000_000, 2), Slot(0, 0)]


def test_k20_without_a_period_nothing_is_waited_for_and_nothing_can_be_missed() -> None:
    found, clock = slots(0, 100, 0, 5)
    assert found == [Slot(0, 0)] * 4
    assert clock.slept_seconds == 0


@pytest.mark.parametrize(("worked", "left"), [(0, 10), (4, 6), (10, 0), (25, 0)])
def test_how_long_it_is_to_the_next_slot(worked: float, left: float) -> None:
    clock = SimulatedClock()
    pacing = Pacing(clock, 10)
    assert pacing.until_next_us() == 0, "the first is due at once"
    pacing.enter()
    clock.pass_by(worked)
    assert pacing.until_next_us() == left * 1_000_000


@given(period=st.integers(1, 50), work=st.lists(st.integers(0, 200), max_size=20))
def test_every_slot_of_the_schedule_is_entered_or_missed(period: int, work: list[int]) -> None:
    found, clock = slots(period, *work)
    gone_by = sum(1 + slot.missed for slot in found[1:])
    behind_us = found[-1].late_us
    assert clock.monotonic_us() == gone_by * period * 1_000_000 + behind_us
    assert all(0 <= slot.late_us < period * 1_000_000 for slot in found)
