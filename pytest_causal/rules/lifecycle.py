"""The way of a promotion: which event leads from which state to which. Everything not listed is refused."""

from __future__ import annotations

from pytest_causal.model.evidence import Verdict
from pytest_causal.model.promotion import Event, State

_OPEN_EXITS = {
    Event.REJECT: State.REJECTED,
    Event.HOLD: State.HELD,
    Event.LOCK: State.LOCKED,
    Event.SUPERSEDE: State.SUPERSEDED,
    Event.EXPIRE: State.EXPIRED,
}

TRANSITIONS: dict[State, dict[Event, State]] = {
    State.PROPOSED: {Event.TRY: State.TRIAL, Event.QUALIFY: State.ELIGIBLE, **_OPEN_EXITS},
    State.TRIAL: {Event.QUALIFY: State.ELIGIBLE, Event.LAPSE: State.PROPOSED, **_OPEN_EXITS},
    State.ELIGIBLE: {
        Event.TRY: State.TRIAL,
        Event.LAPSE: State.PROPOSED,
        Event.PROMOTE: State.PROVISIONAL,
        **_OPEN_EXITS,
    },
    State.HELD: {
        Event.TRY: State.TRIAL,
        Event.QUALIFY: State.ELIGIBLE,
        Event.LAPSE: State.PROPOSED,
        **{event: state for event, state in _OPEN_EXITS.items() if event is not Event.HOLD},
    },
    State.LOCKED: {
        Event.UNLOCK: State.PROPOSED,
        Event.SUPERSEDE: State.SUPERSEDED,
        Event.EXPIRE: State.EXPIRED,
    },
    State.REJECTED: {
        Event.LAPSE: State.PROPOSED,  # the evidence no longer proves it bad
        Event.SUPERSEDE: State.SUPERSEDED,
        Event.EXPIRE: State.EXPIRED,
    },
    State.PROVISIONAL: {
        Event.VALIDATE: State.VALIDATED,
        Event.REVERT: State.REVERTED,
        Event.SUPERSEDE: State.SUPERSEDED,
    },
    State.VALIDATED: {Event.REVERT: State.REVERTED, Event.SUPERSEDE: State.SUPERSEDED},
    State.REVERTED: {},
    State.SUPERSEDED: {},
    State.EXPIRED: {},
}
"""State -> event -> the state it leads to."""


def next_state(state: State, event: Event) -> State | None:
    """Return the state that an event leads to, or ``None`` where it is not allowed."""
    return TRANSITIONS[state].get(event)


def state_for(verdict: Verdict, *, is_locked: bool, is_held: bool, is_tried: bool = False) -> State:
    """Return where a change under evaluation belongs, by the verdict on it and by what stands in its way.

    ``is_tried`` says that its newest trial did not fail: it is on its way then, even if that was not enough yet.
    """
    if verdict is Verdict.REJECTED:
        return State.REJECTED
    if is_locked:
        return State.LOCKED
    if verdict is not Verdict.ELIGIBLE:
        return State.TRIAL if is_tried else State.PROPOSED
    return State.HELD if is_held else State.ELIGIBLE


def events_to(state: State, target: State) -> tuple[Event, ...]:
    """Return the events that lead from one state to another: none, one, or two by way of ``proposed``.

    Raises ValueError where no such way exists.
    """
    if state is target:
        return ()
    for first, then in TRANSITIONS[state].items():
        if then is target:
            return (first,)
    for first, then in TRANSITIONS[state].items():
        if then is State.PROPOSED:
            for second, last in TRANSITIONS[then].items():
                if last is target:
                    return (first, second)
    raise ValueError(f"no way leads from {state} to {target}")
