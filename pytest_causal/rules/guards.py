"""Guards: reasons not to make a change now, however good its evidence is.

They are evaluated in one fixed order and all of them, so that a person sees everything that stands in the way and
when it could pass. A revert is a safety action: it obeys the kill switch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Action, Lesson

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_COUNTED = frozenset({Action.PROMOTE, Action.CONSTRAIN})


class Guard(StrEnum):
    """The guards, in the order in which they are evaluated."""

    KILL_SWITCH = "kill_switch"
    BOUNDS = "bounds"
    LOCKOUT = "lockout"
    COOLDOWN = "cooldown"
    RATE = "rate"


class Refusal(NamedTuple):
    """One reason not to act. ``could_pass_us`` is when it could pass by itself; ``None``: a person must act."""

    guard: Guard
    subject: str
    could_pass_us: int | None = None


class PastAction(NamedTuple):
    """A change that was made or taken back, at a time in microseconds since the epoch."""

    at_us: int
    action: Action
    paths: tuple[str, ...]


class Situation(NamedTuple):
    """What the guards look at.

    ``frozen_by`` names the kill switch that is on, or is empty. ``is_within_bounds`` says of a path and value whether
    they are. ``locked_by`` are the lessons that the change has not satisfied. ``past`` holds the actions of the last
    24 hours at least, and those of the cooldown.
    """

    now_us: int
    frozen_by: str
    is_within_bounds: Callable[[Step], bool]
    locked_by: tuple[Lesson, ...]
    past: tuple[PastAction, ...]
    cooldown_hours: float
    max_actions: int


def refusals(change: Change, situation: Situation) -> tuple[Refusal, ...]:
    """Return every reason not to make a change now, in the order of :class:`Guard`."""
    return tuple(
        refusal
        for check in (_kill_switch, _bounds, _lockout, _cooldown, _rate)
        for refusal in check(change, situation)
    )


def revert_refusals(situation: Situation) -> tuple[Refusal, ...]:
    """Return every reason not to take a change back now."""
    return tuple(_kill_switch(None, situation))


def reaches(step: Step, lesson: Lesson) -> bool:
    """Whether a step goes as far as one that failed, or past it, in the same direction."""
    if step.path != lesson.path:
        return False
    taught = Step(lesson.path, lesson.before, lesson.after).is_upward
    if taught is None or isinstance(step.after, str | bool | tuple):
        return bool(step.after == lesson.after)
    return bool(step.after >= lesson.after) if taught else bool(step.after <= lesson.after)


def _kill_switch(_: Change | None, situation: Situation) -> Iterator[Refusal]:
    if situation.frozen_by:
        yield Refusal(Guard.KILL_SWITCH, situation.frozen_by)


def _bounds(change: Change, situation: Situation) -> Iterator[Refusal]:
    for step in change.steps:
        if not situation.is_within_bounds(step):
            yield Refusal(Guard.BOUNDS, step.path)


def _lockout(_: Change, situation: Situation) -> Iterator[Refusal]:
    for lesson in situation.locked_by:
        yield Refusal(Guard.LOCKOUT, lesson.label)


def _cooldown(change: Change, situation: Situation) -> Iterator[Refusal]:
    """A clock that was set back does not shorten it: what lies in the future was just now."""
    wait_us = round(situation.cooldown_hours * _HOUR_US)
    for path in change.paths:
        last = max((each.at_us for each in situation.past if path in each.paths), default=None)
        if last is not None and situation.now_us < last + wait_us:
            yield Refusal(Guard.COOLDOWN, path, last + wait_us)


def _rate(_: Change, situation: Situation) -> Iterator[Refusal]:
    recent = sorted(
        each.at_us
        for each in situation.past
        if each.action in _COUNTED and each.at_us > situation.now_us - _DAY_US
    )
    if len(recent) >= situation.max_actions:
        free_again = recent[len(recent) - situation.max_actions] + _DAY_US
        yield Refusal(Guard.RATE, f"{len(recent)} of {situation.max_actions} in 24 hours", free_again)
