"""Bounds: what a number of the policy may become, by any path."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean

_KEYS = ("min", "max", "step", "safer")
_SIDES = ("min", "max")


class Bound(NamedTuple):
    """The closed range of a value, and the step in which tools may move it. ``place`` is ``FILE:LINE``.

    ``safer`` is ``min`` or ``max`` where one end is known to be the safer one.
    """

    min: float | None = None
    max: float | None = None
    step: float | None = None
    place: str = ""
    safer: str = ""

    def is_safer(self, before: float, after: float) -> bool:
        """Whether a change of the value goes toward the end that is declared to be the safer one."""
        return after < before if self.safer == "min" else after > before if self.safer == "max" else False

    def holds(self, value: float) -> bool:
        """Return whether a value is in the range; NaN never is."""
        above = self.min is None or value >= self.min
        below = self.max is None or value <= self.max
        return above and below and not math.isnan(value)

    def __str__(self) -> str:
        """Return the range as a person reads it."""
        match self.min, self.max:
            case None, None:
                return "any number"
            case None, high:
                return f"at most {high:g}"
            case low, None:
                return f"at least {low:g}"
            case low, high:
                return f"{low:g} to {high:g}"

    def within(self, other: Bound) -> Bound:
        """Return what both allow; the step is this one's, else the other's."""
        return Bound(
            min=max((x for x in (self.min, other.min) if x is not None), default=None),
            max=min((x for x in (self.max, other.max) if x is not None), default=None),
            step=other.step if self.step is None else self.step,
            place=" and ".join(dict.fromkeys(place for place in (self.place, other.place) if place)),
            safer=self.safer or other.safer,
        )


def read_bounds(table: Mapping[str, Any], place_of: Callable[[tuple[str, ...]], str]) -> dict[str, Bound]:
    """Return dotted path -> bound of ``"a.b" = {min, max, step, safer}``.

    ``place_of`` gives the place of a key for messages. Raises :class:`ConfigError` for an unknown or a mistyped
    part, for ``min`` above ``max`` and for a step that is not positive.
    """
    return {path: _read_bound(path, bound, place_of((path,))) for path, bound in table.items()}


def _read_bound(path: str, table: Any, place: str) -> Bound:
    where = f"{place}: bounds of {path}"
    if not isinstance(table, dict) or not table:
        raise ConfigError(
            f"{where}: found {shown(table)}", "expected {min = NUMBER, max = NUMBER, step = NUMBER}"
        )
    for key, value in table.items():
        if key not in _KEYS:
            raise ConfigError(f"{where}: unknown key {shown(key)}", did_you_mean(key, _KEYS))
        if key == "safer":
            if value not in _SIDES:
                raise ConfigError(f"{where}: safer is {shown(value)}", "expected min or max")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{where}: {key} is {shown(value)}", "expected a finite number")
    numbers = {key: float(value) for key, value in table.items() if key != "safer"}
    bound = Bound(**numbers, place=place, safer=table.get("safer", ""))
    if bound.min is not None and bound.max is not None and bound.min > bound.max:
        raise ConfigError(
            f"{where}: min {bound.min:g} is above max {bound.max:g}", "exchange or correct them"
        )
    if bound.step is not None and bound.step <= 0:
        raise ConfigError(f"{where}: step is {bound.step:g}", "expected a positive number")
    return bound
