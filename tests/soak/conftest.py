"""Soaks in a directory of their own, under a clock that nothing waits for; the rest of the runner is the real thing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.soak.interruption import Interruption
from tools.soak.journal import Line, Step, read_journal
from tools.soak.kpi import Sample
from tools.soak.measurement import Measurement
from tools.soak.plan import Plan
from tools.soak.progress import Progress, replay
from tools.soak.run import Ending, World, begin, resume
from tools.soak.simulation import SimulatedClock, steady_footprint
from tools.soak.surroundings import Surroundings
from tools.soak.workloads import Task

GOOD = {"risk_ratio": 0.3, "net_bps": 3.0, "maker_taker_ratio": 0.95, "p95_latency_ms": 300.0}
"""Metrics that pass every limit of the shipped profiles and that no tuning rule answers to."""


def unsynced(descriptor: int) -> None:
    """Sync nothing: only the tests of kills and of the journal ask when what is on the disk."""


class Scripted:
    """A workload that answers what a test says, and notes the tasks it was given."""

    def __init__(self, answer: Callable[[Task], Measurement]) -> None:
        self._answer = answer
        self.tasks: list[Task] = []

    def measure(self, task: Task) -> Measurement:
        self.tasks.append(task)
        return self._answer(task)


class Quiet:
    """A watcher that only counts."""

    def __init__(self) -> None:
        self.iterated_numbers: list[int] = []

    def waiting(self, progress: Progress, seconds: float) -> None:
        pass

    def running(self, progress: Progress) -> None:
        pass

    def iterated(self, progress: Progress) -> None:
        self.iterated_numbers.append(progress.iteration)


class Bench:
    """A directory in which soaks are begun and resumed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "artifacts" / "soak"
        self.clock = SimulatedClock()
        self.interruption = Interruption()
        self.watcher = Quiet()
        self.surroundings = Surroundings(clock=self.clock, footprint=steady_footprint, sync=unsynced)

    def plan(self, **changes: Any) -> Plan:
        """Return a plan: three iterations of the calm mock under the shipped profile, nothing tuned."""
        seed = changes.get("seed", 7)
        asked = Plan(
            run="a",
            version="",
            workload="mock",
            options={"mode": "calm", "seed": seed},
            iterations=3,
            seed=seed,
            kpi_set="smoke",
            profile="steady_safe",
            has_history=False,
        )
        return dataclasses.replace(asked, **changes)

    def world(self, workload: Any = None, **changes: Any) -> World:
        given = {
            "watcher": self.watcher,
            "surroundings": self.surroundings,
            "interruption": self.interruption,
            **({} if workload is None else {"workload": lambda plan: workload}),
        }
        return World(**{**given, **changes})

    def begin(self, workload: Any = None, **changes: Any) -> Ending:
        return begin(self.plan(**changes), self.out, self.world(workload))

    def resume(self, workload: Any = None, *, run: str = "a", is_forced: bool = False) -> Ending:
        return resume(run, self.out, self.world(workload), is_forced=is_forced)

    def folder(self, run: str = "a") -> Path:
        return self.out / run

    def lines(self, run: str = "a") -> list[Line]:
        return list(read_journal(self.folder(run) / "journal.jsonl"))

    def progress(self, run: str = "a") -> Progress:
        return replay(self.lines(run))

    def steps(self, run: str = "a") -> list[tuple[Step, int]]:
        return [(line.step, line.iteration) for line in self.lines(run)]

    def summary(self, iteration: int, run: str = "a") -> dict[str, Any]:
        return self.read(f"ITER_SUMMARY_{iteration}.json", run)

    def read(self, name: str, run: str = "a") -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.folder(run) / name).read_text("utf-8"))
        return data


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


@pytest.fixture
def scripted() -> Callable[[Callable[[Task], Measurement]], Scripted]:
    return Scripted


@pytest.fixture
def measured() -> Callable[..., Measurement]:
    """Return a function that makes a measurement: good metrics, with changes by name."""

    def make(changes: Mapping[str, float | None] | None = None, **others: Any) -> Measurement:
        metrics = {**GOOD, **(changes or {})}
        return Measurement(
            metrics={name: Sample.of(value) for name, value in metrics.items()},
            **{"covered_seconds": 300.0, **others},
        )

    return make
