"""The warm-up: iterations under a preset, then a way back to the base in equal parts, then steady ones.

Each iteration's values are computed from the base, never from those of the iteration before, so that nothing compounds
and the steady values are the base's to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Where in a run an iteration stands."""

    WARMUP = "WARMUP"
    RAMPDOWN = "RAMPDOWN"
    STEADY = "STEADY"


def phase_of(iteration: int, *, warmup: int, rampdown: int) -> Phase:
    """Return the phase of an iteration, counted from 1; warm-up and ramp-down are numbers of iterations."""
    if iteration <= warmup:
        return Phase.WARMUP
    return Phase.RAMPDOWN if iteration <= warmup + rampdown else Phase.STEADY


def preset_share(iteration: int, *, warmup: int, rampdown: int) -> float:
    """Return how much of the preset is in force: 1 in the warm-up, falling in equal parts, 0 in the steady state."""
    match phase_of(iteration, warmup=warmup, rampdown=rampdown):
        case Phase.WARMUP:
            return 1.0
        case Phase.STEADY:
            return 0.0
    return (warmup + rampdown + 1 - iteration) / (rampdown + 1)


def between(base: Mapping[str, Any], moved: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Return the values (dotted path -> value) a share of the way from the base to those under the preset.

    What is equal in both, or is no number, is the base's. Whole numbers stay whole.
    """
    values = dict(base)
    for path, target in moved.items():
        start = base.get(path)
        if start == target or share <= 0.0:
            continue
        if share >= 1.0 or not isinstance(start, int | float):
            values[path] = target
            continue
        value = start + (target - start) * share
        values[path] = round(value) if isinstance(start, int) else value
    return values
