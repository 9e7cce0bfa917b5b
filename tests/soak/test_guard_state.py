from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import DataError
from tools.soak.guard_state import HOUR_US, PastStep, State, advanced

SECOND_US = 1_000_000
PERIOD_US = 300 * SECOND_US

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000)
counts = st.integers(0, 10**15)
past_steps = st.builds(
    PastStep, path=st.text(), before=numbers, after=numbers, iteration=counts, clock_us=counts
)
states = st.builds(
    State,
    iteration=counts,
    clock_us=counts,
    now_us=st.none() | counts,
    good_in_row=counts,
    frozen_until=counts,
    failures_in_row=counts,
    clear_in_row=counts,
    is_held=st.booleans(),
    last_good=st.none() | st.dictionaries(st.text(), numbers),
    cooling=st.dictionaries(st.text(), counts),
    steps=st.lists(past_steps, max_size=4).map(tuple),
    spent=counts,
)


@given(states, states)
def test_what_is_written_is_read_back_by_another_process(before: State, state: State) -> None:
    text = json.dumps(state.changes_since(before), allow_nan=False)
    assert before.changed_by(json.loads(text)) == state


@given(states, states)
def test_only_what_is_different_is_written(before: State, state: State) -> None:
    changed = {name for name in State._fields if getattr(before, name) != getattr(state, name)}
    assert state.changes_since(before).keys() == changed
    assert state.changes_since(state) == {}


@pytest.mark.parametrize(
    "changes",
    [
        None,
        [],
        "text",
        {"more": 1},
        {"iteration": -1},
        {"iteration": 1.5},
        {"iteration": True},
        {"clock_us": "0"},
        {"clock_us": math.nan},
        {"clock_us": None},
        {"now_us": -5},
        {"is_held": 0},
        {"last_good": []},
        {"last_good": {"a.b": "1"}},
        {"last_good": {"a.b": math.inf}},
        {"cooling": {"a.b": 1.5}},
        {"cooling": None},
        {"steps": {}},
        {"steps": [None]},
        {"steps": [[7, 1, 2.5, 3, 900]]},
        {"steps": [["a.b", math.nan, 2.5, 3, 900]]},
        {"steps": [["a.b", 1, True, 3, 900]]},
        {"steps": [["a.b", 1, 2.5, -1, 900]]},
        {"steps": [["a.b", 1, 2.5, 3]]},
        {"steps": [["a.b", 1, 2.5, 3, 900, 1]]},
    ],
    ids=repr,
)
def test_d19_a_damaged_memory_is_refused_and_not_taken_for_an_empty_one(changes: Any) -> None:
    with pytest.raises(DataError, match="guard state"):
        State(iteration=3, now_us=5).changed_by(changes)


@given(
    now_us=st.integers(-(10**18), 10**18),
    since_us=st.none() | st.integers(-(10**15), 10**15),
    clock_us=counts,
)
def test_k9_the_clock_of_the_guards_never_goes_back(now_us: int, since_us: int | None, clock_us: int) -> None:
    state = State(now_us=10**15, clock_us=clock_us)
    assert advanced(state, now_us, since_us, PERIOD_US) >= clock_us


def test_k9_a_wall_clock_that_jumps_earns_nothing() -> None:
    state = State(now_us=HOUR_US, clock_us=HOUR_US)
    ten_years_us = 10 * 365 * 24 * HOUR_US
    assert advanced(state, HOUR_US + ten_years_us, PERIOD_US, PERIOD_US) == HOUR_US + PERIOD_US
    assert advanced(state, 0, PERIOD_US, PERIOD_US) == HOUR_US + PERIOD_US


def test_k9_a_restart_earns_one_period_at_most() -> None:
    state = State(now_us=HOUR_US, clock_us=HOUR_US)
    assert advanced(state, 100 * HOUR_US, None, PERIOD_US) == HOUR_US + PERIOD_US
    assert advanced(state, HOUR_US + SECOND_US, None, PERIOD_US) == HOUR_US + SECOND_US
    assert advanced(state, 0, None, PERIOD_US) == HOUR_US


def test_the_first_decision_starts_the_clock() -> None:
    assert advanced(State(), 100 * HOUR_US, None, PERIOD_US) == 0


def test_steps_are_found_by_path_and_age() -> None:
    old, new = PastStep("a", 1, 2, 1, 0), PastStep("a", 2, 3, 5, HOUR_US)
    other = PastStep("b", 1, 2, 5, HOUR_US)
    state = State(clock_us=HOUR_US, steps=(old, new, other))
    assert state.steps_of("a", 1) == (old, new)
    assert state.steps_of("a", 2) == (new,)
    assert state.steps_of_last_hour() == (new, other)
