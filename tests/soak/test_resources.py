"""A resource of the system that keeps growing fails a run; the runner's own growth only is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_causal.errors import ExitCode
from tools.soak.drift import DriftVerdict
from tools.soak.progress import replayed
from tools.soak.resources import resources_of
from tools.soak.surroundings import Footprint, Surroundings

MIB = 2**20


@pytest.mark.parametrize("name", ["memory_bytes", "descriptors", "threads", "disk_bytes"])
def test_a_resource_that_grows_fails_the_run_and_is_named(bench, scripted, measured, name: str) -> None:
    unit = 50 * MIB if name.endswith("bytes") else 50.0
    workload = scripted(lambda task: measured({name: unit * (10 + task.iteration)}))
    ending = bench.begin(workload, iterations=60)
    assert (ending.exit_code, ending.verdict) == (ExitCode.FAIL, "FAIL")
    assert ending.reason.startswith(f"{name} keeps growing; ")
    assert bench.read("KPI_GATE.json")["drift"][name]["verdict"] == DriftVerdict.GROWS


def test_a_resource_that_stays_or_falls_does_not(bench, scripted, measured) -> None:
    workload = scripted(
        lambda task: measured(
            {"memory_bytes": 900 * MIB + task.iteration % 3, "threads": 90 - task.iteration}
        )
    )
    assert bench.begin(workload, iterations=60).exit_code == ExitCode.OK


def test_growth_in_the_warm_up_is_no_drift(bench, scripted, measured) -> None:
    def answer(task: Any) -> Any:
        return measured({"memory_bytes": 100.0 * MIB * min(task.iteration, 30)})

    assert bench.begin(scripted(answer), iterations=60, warmup=30).exit_code == ExitCode.OK


def test_the_runners_own_growth_is_told_and_judges_nothing(bench, scripted, measured) -> None:
    taken = iter(range(1, 1000))

    def footprint(folder: Any) -> Footprint:
        return Footprint(
            resident_bytes=50 * MIB * next(taken), descriptors=10, threads=1, disk_bytes=0, cpu_seconds=0.0
        )

    bench.surroundings = Surroundings(clock=bench.clock, footprint=footprint, sync=bench.surroundings.sync)
    assert bench.begin(scripted(lambda task: measured()), iterations=60).exit_code == ExitCode.OK
    own = resources_of(replayed(bench.lines())).own
    assert own["memory_bytes"].verdict is DriftVerdict.GROWS
    assert own["descriptors"].verdict is not DriftVerdict.GROWS


def test_what_was_never_reported_is_not_judged(bench, scripted: Callable[..., Any], measured) -> None:
    bench.begin(scripted(lambda task: measured()), iterations=5)
    assert resources_of(replayed(bench.lines())).system == {}
