"""Start-up: what the plugin costs a run without tests, when it is only installed and when it is active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.environments import Environments
from bench.measuring import Pair, spread, take_turns
from bench.recorders import BARE, Recorder, SuiteRun
from bench.report import Section
from bench.suites import write_suite

COLUMNS = ("case", "CPU, ms more", "wall, ms more")


def measure_startup(environments: Environments, place: Path, *, rounds: int) -> Section:
    """Measure an empty suite: installed against not installed (autoload on), active against bare (autoload off)."""
    suite = write_suite(place / "suite-0", tests=0)
    loading = SuiteRun(place=place, suite=suite, tests=0, autoload=True)
    named = SuiteRun(place=place, suite=suite, tests=0)
    active = Recorder(name="active", arguments=("-p", "causal", f"--causal-store={place / 'startup.db'}"))
    idle = take_turns(
        partial(loading.once, environments.without, BARE),
        {
            "not installed, again (control)": partial(loading.once, environments.without, BARE),
            "installed and idle": partial(loading.once, environments.installed, BARE),
        },
        rounds=rounds,
    )
    recording = take_turns(
        partial(named.once, environments.installed, BARE),
        {"active, into a store that exists": partial(named.once, environments.installed, active)},
        rounds=rounds,
    )
    return Section(
        title="Start-up, on a suite without tests",
        text=f"Whole processes, {rounds} rounds. Aims: idle at most 2 ms, active at most 25 ms.",
        columns=COLUMNS,
        rows=[(name, *row(each)) for name, each in {**idle, **recording}.items()],
    )


def measure_idle(environments: Environments, run: SuiteRun, *, rounds: int) -> Section:
    """Measure a suite under pytest with the plugin installed but idle, against not installed; autoload is on."""
    run = replace(run, autoload=True)
    pairs = take_turns(
        partial(run.once, environments.without, BARE),
        {
            "not installed, again (control)": partial(run.once, environments.without, BARE),
            "installed and idle": partial(run.once, environments.installed, BARE),
        },
        rounds=rounds,
    )
    return Section(
        title=f"Installed and idle, over {run.tests:,} trivial tests",
        text=f"Against an environment without the plugin, autoload on; {rounds} rounds. Aim: no measurable cost.",
        columns=("case", "CPU, ratio", "CPU, us more a test"),
        rows=[
            (
                name,
                spread([pair.cpu_ratio for pair in each]),
                spread([1e6 * pair.extra_cpu_seconds / run.tests for pair in each], ".1f"),
            )
            for name, each in pairs.items()
        ],
    )


def row(pairs: Sequence[Pair]) -> tuple[str, str]:
    return (
        spread([1e3 * pair.extra_cpu_seconds for pair in pairs], ".1f"),
        spread([1e3 * pair.extra_wall_seconds for pair in pairs], ".1f"),
    )
