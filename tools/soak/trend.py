"""A run as series of numbers for a report: of bounded size, however long the run was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.soak.plots import Point
from tools.soak.progress import Progress
from tools.soak.tuning import guards_that_refused
from tools.soak.warmup import Phase

MAX_CHANGES = 200
MAX_ROWS = 200
_CAPACITY = 2000


class Series:
    """Points of one name in bounded memory: when it is full, of two neighbours the one farther from 0 is kept."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def add(self, x: int, y: float | None) -> None:
        """Add a point."""
        self.points.append(Point(x, y))
        if len(self.points) >= _CAPACITY:
            self.points = [
                max(pair, key=lambda each: abs(each.y or 0.0))
                for pair in zip(self.points[::2], self.points[1::2], strict=True)
            ]


@dataclass(kw_only=True)
class Trend:
    """What a report shows of the iterations.

    ``metrics`` and ``values`` are name -> series, ``changes`` the first iterations that changed something, ``rows`` the
    last iterations, ``refused`` guard -> in how many iterations it refused, ``levels`` metric -> level -> in how many
    steady iterations its limits said so.
    """

    iterations: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    metrics: dict[str, Series] = field(default_factory=dict)
    values: dict[str, Series] = field(default_factory=dict)
    own: dict[str, Series] = field(default_factory=dict)
    changes: list[Mapping[str, Any]] = field(default_factory=list)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    levels: dict[str, Counter[str]] = field(default_factory=dict)


def trend_of(iterations: Iterable[Progress], bounds: Iterable[str]) -> Trend:
    """Return the trend of the iterations that are done; of the values only those with ``bounds`` are followed."""
    trend, followed = Trend(), frozenset(bounds)
    for progress in iterations:
        number, decided = progress.iteration, progress.decided
        trend.iterations += 1
        trend.verdicts[decided["verdict"]] += 1
        for name, sample in progress.measurement.metrics.items():
            trend.metrics.setdefault(name, Series()).add(number, sample.value)
        for path, value in progress.values.items():
            if path in followed:
                trend.values.setdefault(path, Series()).add(number, value)
        resident = progress.done["own"]["resident_bytes"]
        trend.own.setdefault("memory_mib", Series()).add(
            number, None if resident is None else resident / 2**20
        )
        trend.own.setdefault("runner_ms", Series()).add(number, progress.done["runner_us"] / 1000)
        if progress.planned["phase"] == Phase.STEADY:
            for finding in progress.gate.findings:
                trend.levels.setdefault(finding.metric, Counter())[finding.level] += 1
        refused = guards_that_refused(decided)
        trend.refused.update(refused)
        row = {
            "iteration": number,
            "phase": progress.planned["phase"],
            "verdict": decided["verdict"],
            "applied": [] if progress.applied["taken_back"] else decided["applied"],
            "credited": decided["credited"],
            "uncredited": decided["uncredited"],
            "refused": refused,
            "problem": progress.measurement.problem,
            "is_revert": decided["is_revert"],
        }
        trend.rows = [*trend.rows, row][-MAX_ROWS:]
        if row["applied"] and len(trend.changes) < MAX_CHANGES:
            trend.changes.append(row)
    return trend
