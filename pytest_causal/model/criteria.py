"""Criteria: what a scenario must show before it is called eligible."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Unit(StrEnum):
    """What counts as one independent piece of evidence."""

    SESSION = "session"
    RUN = "run"


class Rule(StrEnum):
    """How evidence is judged once the floors are met."""

    SEQUENTIAL = "sequential"
    THRESHOLD = "threshold"


class Criteria(NamedTuple):
    """What a scenario must show. Rates are ratios in (0, 1).

    The running state depends on ``max_failure_rate``, ``alpha``, ``unit`` and ``flaky_weight`` (see ``state_key``);
    the other limits are applied when a decision is made.
    """

    min_runs: int = 20
    min_sessions: int = 2
    max_failure_rate: float = 0.15
    rule: Rule = Rule.SEQUENTIAL
    alpha: float = 0.05
    unit: Unit = Unit.SESSION
    max_age_days: float = 14.0
    max_incomplete_rate: float = 0.10
    flaky_weight: float = 1.0

    @property
    def state_key(self) -> str:
        """Return the text that says which running states these criteria can be judged from."""
        return f"{self.max_failure_rate!r}|{self.alpha!r}|{self.unit}|{self.flaky_weight!r}"
