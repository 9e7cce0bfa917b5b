"""What the runs of one session came to, scenario by scenario, for those who watch a change."""

from __future__ import annotations

import math
from typing import NamedTuple


class MetricSum(NamedTuple):
    """A metric over some runs: how many reported a finite number, how many something else, and the sum."""

    measured: int
    broken: int
    total: float

    @property
    def mean(self) -> float | None:
        """The mean; ``None`` where nobody reported a number, or where the sum is beyond what floats hold."""
        return self.total / self.measured if self.measured and math.isfinite(self.total) else None


class SessionSample(NamedTuple):
    """The runs of one scenario, under one set of reads, in one session. Attempts that were rerun count as failures.

    ``timeouts`` are failures by an exception whose name says so.
    """

    scenario_id: int
    reads_id: int
    arm: str
    runs: int
    failures: int
    timeouts: int
    metrics: tuple[tuple[str, MetricSum], ...] = ()
