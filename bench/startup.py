"""Start-up: what the plugin costs a run without tests, when it is only installed and when it is active."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.environments import Environments
from bench.measuring import Pair, spread, take_turns
from bench.recorders import BARE, Recorder, SuiteRun
from bench.report import Section
from bench.suites import write_suite

COLUMNS = ("case", "CPU, ms more", "by the fastest of each", "wall, ms more")


ENDS_AT_COLLECTION = """\
import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection():
    os._exit(0)
"""
"""A conftest that ends the process when pytest is about to collect: what it cost until then is start-up."""


def measure_startup(environments: Environments, place: Path, *, rounds: int) -> Section:
    """Measure an empty suite: installed against not installed (autoload on), active against bare (autoload off)."""
    suite = write_suite(place / "suite-0", tests=0)
    cut_short = write_suite(place / "suite-cut-short", tests=0)
    (cut_short / "conftest.py").write_text(ENDS_AT_COLLECTION)
    loading = SuiteRun(place=place, suite=suite, tests=0, autoload=True)
    whole = SuiteRun(place=place, suite=suite, tests=0)
    start = SuiteRun(place=place, suite=cut_short, tests=0)
    store = place / "startup.db"
    store.unlink(missing_ok=True)
    active = Recorder(name="active", arguments=("-p", "causal", f"--causal-store={store}"))
    idle = take_turns(
        partial(loading.once, environments.without, BARE),
        {
            "not installed, again (control)": partial(loading.once, environments.without, BARE),
            "installed and idle": partial(loading.once, environments.installed, BARE),
        },
        rounds=rounds,
    )
    starting = take_turns(
        partial(start.once, environments.installed, BARE),
        {"active, until tests are collected": partial(start.once, environments.installed, active)},
        rounds=rounds,
    )
    ending = take_turns(
        partial(whole.once, environments.installed, BARE),
        {"active, with what ends a session": partial(whole.once, environments.installed, active)},
        rounds=rounds,
    )
    _check_sessions(store, begun=2 * (rounds + 1), concluded=2 * (rounds + 1))
    return Section(
        title="Start-up, on a suite without tests",
        text=f"Whole processes, {rounds} rounds; the active ones record into a store that exists. Start-up is what "
        "passes before tests are collected: a process that ends there against one without the plugin that does. Aims: "
        "idle at most 2 ms, active at most 25 ms. The last row is a session from beginning to end.",
        columns=COLUMNS,
        rows=[(name, *row(each)) for name, each in {**idle, **starting, **ending}.items()],
    )


def _check_sessions(store: Path, *, begun: int, concluded: int) -> None:
    """Raise RuntimeError unless every active process recorded: a plugin that does nothing starts fast."""
    with closing(sqlite3.connect(store)) as connection:
        found = connection.execute("SELECT count(*), count(ord) FROM sessions").fetchone()
    if found != (begun, concluded):
        raise RuntimeError(
            f"of the sessions in {store}, {found} were begun and concluded: {begun}, {concluded}"
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


def row(pairs: Sequence[Pair]) -> tuple[str, ...]:
    # What else happens on the machine only ever adds: the fastest of many runs is the one that it disturbed least.
    fastest = min(pair.sample.cpu_seconds for pair in pairs)
    baseline = min(each.cpu_seconds for pair in pairs for each in (pair.before, pair.after))
    return (
        spread([1e3 * pair.extra_cpu_seconds for pair in pairs], ".1f"),
        f"{1e3 * (fastest - baseline):.1f}",
        spread([1e3 * pair.extra_wall_seconds for pair in pairs], ".1f"),
    )
