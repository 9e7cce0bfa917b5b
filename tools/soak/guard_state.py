"""What the guards remember from one iteration to the next, and across a restart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_causal.errors import DataError

SCHEMA = "causal.guard-state/1"
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
        return tuple(step for step in self.steps if step.path == path and step.iteration >= since_iteration)

    def steps_of_last_hour(self) -> tuple[PastStep, ...]:
        """Return the applied steps of any path in the last hour of the guards' clock, oldest first."""
        return tuple(step for step in self.steps if self.clock_us - step.clock_us < HOUR_US)

    def to_json(self) -> dict[str, Any]:
        """Return JSON data from which :meth:`from_json` makes an equal state."""
        return {
            "schema": SCHEMA,
            **self._asdict(),
            "cooling": dict(self.cooling),
            "last_good": None if self.last_good is None else dict(self.last_good),
            "steps": [step._asdict() for step in self.steps],
        }

    @classmethod
    def from_json(cls, data: object) -> State:
        """Return the state that was written.

        Raises :class:`DataError` for anything else: a memory that cannot be read is not an empty memory.
        """
        table = _object(data, "the state", {"schema", *cls._fields})
        if table["schema"] != SCHEMA:
            raise _no("schema", table["schema"], f"expected {SCHEMA!r}")
        if not isinstance(table["is_held"], bool):
            raise _no("is_held", table["is_held"], "expected true or false")
        if not isinstance(table["steps"], list):
            raise _no("steps", table["steps"], "expected a list")
        counts = (
            "iteration",
            "clock_us",
            "good_in_row",
            "frozen_until",
            "failures_in_row",
            "clear_in_row",
            "spent",
        )
        return cls(
            **{name: _whole(table[name], name) for name in counts},
            now_us=None if table["now_us"] is None else _whole(table["now_us"], "now_us"),
            is_held=table["is_held"],
            last_good=None if table["last_good"] is None else _numbers(table["last_good"], "last_good"),
            cooling={
                path: _whole(until, f"cooling.{path}")
                for path, until in _object(table["cooling"], "cooling").items()
            },
            steps=tuple(_past_step(step, f"steps[{index}]") for index, step in enumerate(table["steps"])),
        )


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


def _object(data: object, name: str, keys: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise _no(name, data, "expected an object")
    if keys is not None and data.keys() != keys:
        wrong = ", ".join(sorted(data.keys() ^ keys))
        raise _no(name, wrong, "these keys are missing or unknown")
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


def _past_step(data: object, name: str) -> PastStep:
    table = _object(data, name, set(PastStep._fields))
    if not isinstance(table["path"], str):
        raise _no(f"{name}.path", table["path"], "expected text")
    return PastStep(
        path=table["path"],
        before=_number(table["before"], f"{name}.before"),
        after=_number(table["after"], f"{name}.after"),
        iteration=_whole(table["iteration"], f"{name}.iteration"),
        clock_us=_whole(table["clock_us"], f"{name}.clock_us"),
    )


def _no(name: str, found: object, expected: str) -> DataError:
    return DataError(f"guard state: {name}: found {found!r:.80}", expected)
