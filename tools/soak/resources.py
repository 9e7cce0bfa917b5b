"""The drift of a run: whether memory, descriptors, threads or disk grow, of the system under soak and of the runner.

The system's are those metrics of the workload that bear the names of resources (``memory_bytes``, ``descriptors``,
``threads``, ``disk_bytes``). Where one of them grows the run fails, as it does not stay where it is. The runner's own
only tell whether the measuring tool is what drifts; they are reported, and judge nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tools.soak.drift import MATTERS, Drift, DriftVerdict, Trace, judge_drift
from tools.soak.progress import Progress
from tools.soak.warmup import Phase

_OWN = {
    "memory_bytes": "resident_bytes",
    "descriptors": "descriptors",
    "threads": "threads",
    "disk_bytes": "disk_bytes",
}
"""Resource -> its name in the footprint of the runner."""


class Resources(NamedTuple):
    """Resource -> drift, of the system and of the runner; what was never reported is not there."""

    system: Mapping[str, Drift]
    own: Mapping[str, Drift]

    @property
    def growing(self) -> tuple[str, ...]:
        """The resources of the system that grow."""
        return tuple(name for name, drift in self.system.items() if drift.verdict is DriftVerdict.GROWS)


def resources_of(iterations: Iterable[Progress]) -> Resources:
    """Return the drift over the steady iterations of a run, in memory that does not grow with them."""
    system, own = ({name: Trace() for name in MATTERS} for _ in range(2))
    for progress in iterations:
        if progress.planned["phase"] != Phase.STEADY:
            continue
        metrics = progress.measurement.metrics
        for name in MATTERS:
            system[name].add(metrics[name].value if name in metrics else None)
            own[name].add(progress.done["own"][_OWN[name]])
    return Resources(_judged(system), _judged(own))


def drift_to_json(drifts: Mapping[str, Drift]) -> dict[str, Any]:
    """Return resource -> drift as JSON types."""
    return {name: drift._asdict() for name, drift in drifts.items()}


def _judged(traces: Mapping[str, Trace]) -> dict[str, Drift]:
    return {name: judge_drift(trace.points, MATTERS[name]) for name, trace in traces.items() if trace.points}
