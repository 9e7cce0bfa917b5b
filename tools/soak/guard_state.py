"""What the guards remember from one iteration to the next, and across a restart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_causal.errors import DataError

HOUR_US = 3_600_000_000


class Step(NamedTuple):
    """One value moved, at a dotted path."""

    path: str
    before: float
    after: float


class PastStep(NamedTuple):
    """A step that was applied: in which iteration, and when on the guards' own clock."""

    path: str
    before: float
    after: float
    iteration: int
    clock_us: int


class State(NamedTuple):
    """The memory of the guards: a named tuple, because several are made in each iteration.

    ``clock_us`` is the guards' own clock: the time that can be vouched for, so neither a wall clock that jumps nor
    a restart wins a parameter more room (see :func:`advanced`). ``now_us`` is the wall clock of the last decision.
    ``last_good`` holds the values of the last iteration that was good, if there was one. ``cooling`` is
    path -> last iteration of its rest. ``steps`` are the applied ones that a guard may still ask about.
    """

    iteration: int = 0
    clock_us: int = 0
    now_us: int | None = None
    good_in_row: int = 0
    frozen_until: int = 0
    failures_in_row: int = 0
    clear_in_row: int = 0
    is_held: bool = False
    last_good: Mapping[str, float] | None = None
    cooling: Mapping[str, int] = MappingProxyType({})
    steps: tuple[PastStep, ...] = ()
    spent: int = 0

    def steps_of(self, path: str, since_iteration: int) -> tuple[PastStep, ...]:
        """Return the applied steps of a path from an iteration on, oldest first."""
        return tuple([step for step in self.steps if step.path == path and step.iteration >= since_iteration])

    def steps_of_last_hour(self) -> tuple[PastStep, ...]:
        """Return the applied steps of any path in the last hour of the guards' clock, oldest first."""
        begins_us = self.clock_us - HOUR_US
        return tuple([step for step in self.steps if step.clock_us > begins_us])

    def changes_since(self, before: State) -> dict[str, Any]:
        """Return as JSON data what is different, by name: from it :meth:`changed_by` makes this state of ``before``.

        Most of a memory stays as it is from one iteration to the next, and the journal is to hold each thing once.
        """
        changes: dict[str, Any] = {
            name: now
            for name, was, now in zip(_NAMES, before, self, strict=True)
            if now is not was and now != was
        }
        if "steps" in changes:
            changes["steps"] = [list(step) for step in self.steps]
        for name in changes.keys() & {"cooling", "last_good"}:
            changes[name] = None if changes[name] is None else dict(changes[name])
        return changes

    def changed_by(self, changes: object) -> State:
        """Return the state after changes that were written.

        Raises :class:`DataError` for what cannot be one: a memory that cannot be read is not an empty memory.
        """
        table = _object(changes, "the changes")
        if unknown := table.keys() - _READ.keys():
            raise _no("the changes", min(unknown), f"expected one of {', '.join(sorted(_READ))}")
        return self._replace(**{name: _READ[name](value, name) for name, value in table.items()})


def advanced(state: State, now_us: int, since_last_us: int | None, period_us: int) -> int:
    """Return the guards' clock at a new decision.

    ``since_last_us`` is the monotonic time since the last decision, where this process made it. After a restart it
    is None, and then the wall clock counts, but not backwards and for one period of the schedule at most.
    """
    if state.now_us is None:
        return state.clock_us
    if since_last_us is not None:
        return state.clock_us + max(0, since_last_us)
    return state.clock_us + min(max(0, now_us - state.now_us), period_us)


def _object(data: object, name: str) -> Mapping[str, Any]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise _no(name, data, "expected an object")
    return data


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _no(name, value, "expected a whole number, not negative")
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _no(name, value, "expected a finite number")
    return value


def _numbers(data: object, name: str) -> dict[str, float]:
    return {path: _number(value, f"{name}.{path}") for path, value in _object(data, name).items()}


def _wholes(data: object, name: str) -> dict[str, int]:
    return {path: _whole(value, f"{name}.{path}") for path, value in _object(data, name).items()}


def _truth(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise _no(name, value, "expected true or false")
    return value


def _past_steps(data: object, name: str) -> tuple[PastStep, ...]:
    if not isinstance(data, list):
        raise _no(name, data, "expected a list")
    return tuple(_past_step(step, f"{name}[{index}]") for index, step in enumerate(data))


def _past_step(data: object, name: str) -> PastStep:
    if not isinstance(data, list) or len(data) != len(PastStep._fields) or not isinstance(data[0], str):
        raise _no(name, data, f"expected [{', '.join(PastStep._fields)}]")
    path, before, after, iteration, clock_us = data
    return PastStep(
        path=path,
        before=_number(before, f"{name}.before"),
        after=_number(after, f"{name}.after"),
        iteration=_whole(iteration, f"{name}.iteration"),
        clock_us=_whole(clock_us, f"{name}.clock_us"),
    )


def _or_none(read: Callable[[object, str], Any]) -> Callable[[object, str], Any]:
    return lambda value, name: None if value is None else read(value, name)


def _no(name: str, found: object, expected: str) -> DataError:
    return DataError(f"guard state: {name}: found {found!r:.80}", expected)


_NAMES = State._fields
_READ: Mapping[str, Callable[[object, str], Any]] = {
    **dict.fromkeys(_NAMES, _whole),
    "now_us": _or_none(_whole),
    "is_held": _truth,
    "last_good": _or_none(_numbers),
    "cooling": _wholes,
    "steps": _past_steps,
}
"""How each part of the state is read: data and its name in, the part out, DataError for anything else."""
