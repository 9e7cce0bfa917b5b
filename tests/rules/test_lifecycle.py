from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.evidence import Verdict
from pytest_causal.model.promotion import Event, State
from pytest_causal.rules.lifecycle import TRANSITIONS, events_to, next_state, state_for

EVALUATED = (State.PROPOSED, State.ELIGIBLE, State.HELD, State.LOCKED, State.REJECTED)
"""Where an evaluation can put a change."""
ON_ITS_WAY = (*EVALUATED, State.TRIAL)


def test_the_table_speaks_of_every_state() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_event_leads_somewhere() -> None:
    assert {event for exits in TRANSITIONS.values() for event in exits} == set(Event)


def test_nothing_follows_what_is_final() -> None:
    assert {state for state in State if not TRANSITIONS[state]} == {
        state for state in State if state.is_final
    }


def test_every_state_can_be_reached() -> None:
    reached = {State.PROPOSED}
    while True:
        further = reached | {target for state in reached for target in TRANSITIONS[state].values()}
        if further == reached:
            break
        reached = further
    assert reached == set(State)


def test_no_event_leaves_a_promotion_where_it_is() -> None:
    assert [state for state, exits in TRANSITIONS.items() if state in exits.values()] == []


@pytest.mark.parametrize("state", State)
def test_only_what_is_eligible_is_made(state: State) -> None:
    assert (next_state(state, Event.PROMOTE) is State.PROVISIONAL) is (state is State.ELIGIBLE)


@pytest.mark.parametrize("state", State)
def test_what_stands_and_nothing_else_is_taken_back(state: State) -> None:
    assert (next_state(state, Event.REVERT) is State.REVERTED) is state.is_live


@pytest.mark.parametrize("state", State)
def test_only_what_is_watched_is_validated(state: State) -> None:
    assert (next_state(state, Event.VALIDATE) is State.VALIDATED) is (state is State.PROVISIONAL)


def test_a_lock_is_opened_before_anything_else_happens() -> None:
    ends = {State.SUPERSEDED, State.EXPIRED}
    assert {target for target in TRANSITIONS[State.LOCKED].values() if target not in ends} == {State.PROPOSED}


@given(st.sampled_from(Verdict), st.booleans(), st.booleans())
def test_a_trial_that_did_not_fail_changes_only_what_is_not_earned_yet(
    verdict: Verdict, is_locked: bool, is_held: bool
) -> None:
    untried = state_for(verdict, is_locked=is_locked, is_held=is_held)
    tried = state_for(verdict, is_locked=is_locked, is_held=is_held, is_tried=True)
    assert tried is (State.TRIAL if untried is State.PROPOSED else untried)


@given(st.sampled_from(Verdict), st.booleans(), st.booleans())
def test_only_an_eligible_verdict_that_nothing_stops_is_eligible(
    verdict: Verdict, is_locked: bool, is_held: bool
) -> None:
    state = state_for(verdict, is_locked=is_locked, is_held=is_held)
    assert state in EVALUATED
    is_free = verdict is Verdict.ELIGIBLE and not is_locked and not is_held
    assert (state is State.ELIGIBLE) is is_free
    assert (state is State.REJECTED) is (verdict is Verdict.REJECTED)
    if is_locked and verdict is not Verdict.REJECTED:
        assert state is State.LOCKED


@pytest.mark.parametrize(("state", "target"), [*itertools.product(ON_ITS_WAY, EVALUATED)])
def test_an_evaluation_finds_its_way_from_everywhere(state: State, target: State) -> None:
    reached = state
    for event in events_to(state, target):
        following = next_state(reached, event)
        assert following is not None
        reached = following
    assert reached is target
    assert len(events_to(state, target)) <= 2


@pytest.mark.parametrize("state", [state for state in State if state.is_final or state.is_live])
def test_no_evaluation_leads_away_from_what_was_made_or_has_ended(state: State) -> None:
    with pytest.raises(ValueError, match=f"no way leads from {state} to eligible"):
        events_to(state, State.ELIGIBLE)
