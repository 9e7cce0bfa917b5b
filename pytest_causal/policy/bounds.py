"""Bounds: what a number of the policy may become, by any path."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean

_KEYS = ("min", "max", "step")


class Bound(NamedTuple):
    """The closed range of a value, and the step in which tools may move it. ``place`` is ``FILE:LINE``."""

    min: float | None = None
    max: float | None = None
    step: float | None = None
    place: str = ""

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
        )


def read_bounds(table: Mapping[str, Any], place_of: Callable[[tuple[str, ...]], str]) -> dict[str, Bound]:
    """Return dotted path -> bound of ``"a.b" = {min, max, step}``.

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
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{where}: {key} is {shown(value)}", "expected a finite number")
    bound = Bound(**{key: float(value) for key, value in table.items()}, place=place)
    if bound.min is not None and bound.max is not None and bound.min > bound.max:
        raise ConfigError(
            f"{where}: min {bound.min:g} is above max {bound.max:g}", "exchange or correct them"
        )
    if bound.step is not None and bound.step <= 0:
        raise ConfigError(f"{where}: step is {bound.step:g}", "expected a positive number")
    return bound
