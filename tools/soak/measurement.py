"""What one iteration of a workload has shown."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_causal.model.run import Read, ReadHow
from tools.soak.kpi import Sample

MAX_METRICS = 200
"""Metrics that are kept of one iteration, in order of their names, so that no workload can fill the journal."""
MAX_NAME = 100
"""Characters of a metric's name; a metric with a longer one is left out."""
_PLAIN = Sample(None)[1:]


class Measurement(NamedTuple):
    """What a workload answered.

    ``problem`` says why there is no answer, or not a whole one. ``reads`` are the values that the workload really took
    from the policy. ``covered_seconds`` is how much of the system's time was observed, where that is not the time that
    passed. ``disturbed`` counts observations left out because the machine stood still.
    """

    metrics: Mapping[str, Sample] = MappingProxyType({})
    reads: tuple[Read, ...] = ()
    problem: str = ""
    covered_seconds: float | None = None
    disturbed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as the journal keeps it: what is empty is left out."""
        data: dict[str, Any] = {
            "metrics": {name: _sample_to_json(self.metrics[name]) for name in sorted(self.metrics)}
        }
        if self.reads:
            data["reads"] = [list(read) for read in self.reads]
        if self.problem:
            data["problem"] = self.problem
        if self.covered_seconds is not None:
            data["covered_seconds"] = self.covered_seconds
        if self.disturbed:
            data["disturbed"] = self.disturbed
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Return what :meth:`to_json` described."""
        return cls(
            metrics={name: _sample_of(found) for name, found in data["metrics"].items()},
            reads=tuple(Read(path, value, ReadHow(how)) for path, value, how in data.get("reads", ())),
            problem=data.get("problem", ""),
            covered_seconds=data.get("covered_seconds"),
            disturbed=data.get("disturbed", 0),
        )


def _sample_to_json(sample: Sample) -> Any:
    """Return the value of a sample that is nothing else; else all of it as a list."""
    return sample.value if sample[1:] == _PLAIN else list(sample)


def _sample_of(found: Any) -> Sample:
    return Sample(*found) if isinstance(found, list) else Sample(found)


def samples_of(reported: Mapping[str, object]) -> dict[str, Sample]:
    """Return metric -> sample of what a workload reported; what is no finite number has no value, and is never zero."""
    kept = sorted(name for name in reported if len(name) <= MAX_NAME)[:MAX_METRICS]
    return {name: Sample.of(reported[name]) for name in kept}
