"""What one iteration of a workload has shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_causal.model.run import Read, ReadHow
from tools.soak.kpi import Sample

MAX_METRICS = 200
"""Metrics that are kept of one iteration, in order of their names, so that no workload can fill the journal."""
MAX_NAME = 100
"""Characters of a metric's name; a metric with a longer one is left out."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What a workload answered.

    ``problem`` says why there is no answer, or not a whole one. ``reads`` are the values that the workload really took
    from the policy. ``covered_seconds`` is how much of the system's time was observed, where that is not the time that
    passed. ``disturbed`` counts observations left out because the machine stood still.
    """

    metrics: Mapping[str, Sample] = field(default_factory=dict)
    reads: tuple[Read, ...] = ()
    problem: str = ""
    covered_seconds: float | None = None
    disturbed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as the journal keeps it."""
        return {
            "metrics": {name: sample_to_json(self.metrics[name]) for name in sorted(self.metrics)},
            "reads": [list(read) for read in self.reads],
            "problem": self.problem,
            "covered_seconds": self.covered_seconds,
            "disturbed": self.disturbed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Return what :meth:`to_json` described."""
        return cls(
            metrics={name: Sample(**sample) for name, sample in data["metrics"].items()},
            reads=tuple(Read(path, value, ReadHow(how)) for path, value, how in data["reads"]),
            problem=data["problem"],
            covered_seconds=data["covered_seconds"],
            disturbed=data["disturbed"],
        )


def sample_to_json(sample: Sample) -> dict[str, Any]:
    """Return a sample as JSON types."""
    return {
        "value": sample.value,
        "samples": sample.samples,
        "low": sample.low,
        "high": sample.high,
        "is_stale": sample.is_stale,
    }


def samples_of(reported: Mapping[str, object]) -> dict[str, Sample]:
    """Return metric -> sample of what a workload reported; what is no finite number has no value, and is never zero."""
    kept = sorted(name for name in reported if len(name) <= MAX_NAME)[:MAX_METRICS]
    return {name: Sample.of(reported[name]) for name in kept}
