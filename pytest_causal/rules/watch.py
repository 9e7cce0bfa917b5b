"""Watching a change that was made: is it to be taken back?

Absolute limits judge one session, at once. Limits relative to what was before the change judge the mean of all
sessions since, from the third on: a single session is too noisy for that. A session without a run that read the
changed values says nothing, and a signal that nobody reported is no all-clear.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from pytest_causal.model.promotion import Trigger

FEWEST_FOR_MEAN = 3
"""Sessions from which on a mean is compared with the mean before the change."""


class Health(StrEnum):
    """What one more session says of a change that was made."""

    OK = "ok"
    CRITICAL = "critical"
    INSUFFICIENT = "insufficient"


class Fired(NamedTuple):
    """A trigger that fired: the signal, the side of the trigger, the value seen, and the limit it broke."""

    signal: str
    side: str
    value: float
    limit: float


class Watched(NamedTuple):
    """The outcome for one session; ``silent`` are signals that no run reported."""

    health: Health
    fired: tuple[Fired, ...] = ()
    silent: tuple[str, ...] = ()


Signals = Mapping[str, float | None]
"""Signal -> its value in one session; absent or ``None`` where nobody reported it or it was not finite."""


def watch(triggers: Sequence[Trigger], sessions: Sequence[Signals], baseline: Signals) -> Watched:
    """Judge the newest of the ``sessions`` since a change was made (oldest first) against its triggers.

    ``baseline`` holds the means before the change. With no session, a signal that the newest one does not have, or
    one that is to be compared with a mean that is not known, it is ``insufficient``, unless another trigger fires.
    """
    if not sessions:
        return Watched(Health.INSUFFICIENT)
    newest = sessions[-1]
    fired: list[Fired] = []
    silent: list[str] = []
    for trigger in triggers:
        value = _finite(newest.get(trigger.signal))
        if value is None:
            silent.append(trigger.signal)
            continue
        fired.extend(_absolute(trigger, value))
        if trigger.max_increase is None and trigger.max_decrease is None:
            continue
        seen = [_finite(session.get(trigger.signal)) for session in sessions]
        known = [each for each in seen if each is not None]
        before, since = _finite(baseline.get(trigger.signal)), mean(known)
        if before is None or since is None:
            silent.append(trigger.signal)
        elif len(known) >= FEWEST_FOR_MEAN:
            fired.extend(_relative(trigger, since, before))
    health = Health.CRITICAL if fired else Health.INSUFFICIENT if silent else Health.OK
    return Watched(health, tuple(fired), tuple(silent))


def mean(values: Sequence[float]) -> float | None:
    """Return the mean of finite numbers, at least one; ``None`` where their sum is beyond what floats hold."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return None


def _absolute(trigger: Trigger, value: float) -> list[Fired]:
    fired = []
    if trigger.max is not None and value > trigger.max:
        fired.append(Fired(trigger.signal, "max", value, trigger.max))
    if trigger.min is not None and value < trigger.min:
        fired.append(Fired(trigger.signal, "min", value, trigger.min))
    return fired


def _relative(trigger: Trigger, mean: float, before: float) -> list[Fired]:
    """Compare by the size of the baseline, which need not be positive. One of zero has no relative change."""
    fired = []
    if trigger.max_increase is not None and before:
        limit = before + trigger.max_increase * abs(before)
        if mean > limit:
            fired.append(Fired(trigger.signal, "max_increase", mean, limit))
    if trigger.max_decrease is not None and before:
        limit = before - trigger.max_decrease * abs(before)
        if mean < limit:
            fired.append(Fired(trigger.signal, "max_decrease", mean, limit))
    return fired


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
