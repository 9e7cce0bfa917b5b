"""What the guards of live tuning go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.soak.tuner import Condition, read_conditions


@dataclass(frozen=True, kw_only=True)
class GuardLimits:
    """What the guards go by. Counts are of iterations, except where said.

    ``panic_after`` hard failures in a row restore the values of the last good iteration. Good is one that fails no hard
    limit as the last of ``good_after`` such in a row: a single one among failures is luck.
    After ``freeze_after`` iterations in a row on which ``freeze_when`` holds, ``freeze_paths`` rest for ``freeze_for``,
    the deciding one included. A step of more than ``cooldown_above_ratio`` of its value makes its path rest for
    ``cooldown_for``. ``max_change_per_hour`` is path -> sum of steps without sign; ``budget`` is steps in the run.
    """

    panic_after: int = 3
    good_after: int = 2
    freeze_when: tuple[Condition, ...] = ()
    freeze_after: int = 2
    freeze_for: int = 4
    freeze_paths: frozenset[str] = frozenset()
    cooldown_above_ratio: float = 0.10
    cooldown_for: int = 3
    max_steps_per_hour: int = 12
    max_change_per_hour: Mapping[str, float] = field(default_factory=dict)
    oscillation_window: int = 6
    budget: int | None = None
    max_keys: int = 2

    def __post_init__(self) -> None:
        """Refuse limits under which a guard would have no meaning (ValueError)."""
        counts = (
            self.panic_after,
            self.good_after,
            self.freeze_after,
            self.max_steps_per_hour,
            self.max_keys,
        )
        if (
            min(counts) < 1
            or min(self.freeze_for, self.cooldown_for, self.oscillation_window, self.budget or 0) < 0
        ):
            raise ValueError("thresholds are at least 1, and durations, windows and budgets not negative")
        if not self.cooldown_above_ratio >= 0 or not all(
            limit >= 0 for limit in self.max_change_per_hour.values()
        ):
            raise ValueError("ratios and changes per hour are numbers, not negative")


def guard_limits(table: Mapping[str, Any], *, budget: int | None = None) -> GuardLimits:
    """Return the limits that the rules' file states under ``guards``; what it leaves out has its default.

    Raises :class:`ConfigError` for a condition of the freeze that nothing can meet.
    """
    stated = dict(table)
    stated["freeze_when"] = read_conditions(stated.get("freeze_when", ()), "guards.freeze_when")
    stated["freeze_paths"] = frozenset(stated.get("freeze_paths", ()))
    return GuardLimits(**stated, budget=budget)
