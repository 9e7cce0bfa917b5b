"""The store: what recording and deciding cost when ten million runs are there already."""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.environments import clean_environment
from bench.measuring import Pair, Sample, say, spread, take_turns
from bench.report import Section

WORK = Path(__file__).with_name("store_work.py")
MIGRATIONS = Path(__file__).parents[1] / "pytest_causal" / "store" / "migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreWork:
    """Does one task on a store, in a process of its own, with an interpreter that has the plugin."""

    python: Path
    scenarios: int

    def fill(self, store: Path, sessions: int) -> Path:
        """Fill a store with this many sessions, unless that was done before; whole or absent."""
        if not store.exists():
            say(f"  filling a store with {sessions * self.scenarios:,} runs")
            unfinished = store.parent / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            done = self._do("fill", unfinished / store.name, "--sessions", str(sessions))
            if done["count"] != sessions * self.scenarios:
                raise RuntimeError(f"{done['count']} runs were stored, not {sessions} x {self.scenarios}")
            (unfinished / store.name).rename(store)
        return store

    def measure(self, task: str, store: Path) -> Sample:
        """Do a task and return what it cost, without the start of its process."""
        done = self._do(task, store)
        if done["count"] != self.scenarios:
            raise RuntimeError(f"{task} dealt with {done['count']} scenarios, not {self.scenarios}")
        return Sample(
            cpu_seconds=done["cpu_seconds"],
            wall_seconds=done["wall_seconds"],
            peak_bytes=done["peak_kib"] * 1024,
        )

    def measure_recording_into_empty(self, store: Path) -> Sample:
        for file in store.parent.glob(f"{store.name}*"):
            file.unlink()
        return self.measure("record", store)

    def _do(self, task: str, store: Path, *arguments: str) -> dict[str, float]:
        command = [
            str(self.python),
            "-P",
            str(WORK),
            task,
            str(store),
            "--scenarios",
            str(self.scenarios),
            *arguments,
        ]
        environment = clean_environment(autoload=False)
        printed = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        result: dict[str, float] = json.loads(printed)
        return result


def measure_store(python: Path, place: Path, *, sessions: int, scenarios: int, rounds: int) -> Section:
    """Measure one session and one round of decisions, on little history and on much."""
    work = StoreWork(python=python, scenarios=scenarios)
    schema = hashlib.sha256(
        b"".join(file.read_bytes() for file in sorted(MIGRATIONS.glob("*.sql")))
    ).hexdigest()[:8]
    big = work.fill(place / f"filled-{sessions}-{schema}.db", sessions)
    small = work.fill(place / f"filled-10-{schema}.db", 10)
    empty = place / "empty.db"
    many, few, none = (f"{runs:,} runs" for runs in (sessions * scenarios, 10 * scenarios, 0))
    recording = take_turns(
        partial(work.measure_recording_into_empty, empty),
        {
            f"record, {none} again (control)": partial(work.measure_recording_into_empty, empty),
            f"record, {many}": partial(work.measure, "record", big),
        },
        rounds=rounds,
    )
    deciding = take_turns(
        partial(work.measure, "decide", small),
        {
            f"decide, {few} again (control)": partial(work.measure, "decide", small),
            f"decide, {many}": partial(work.measure, "decide", big),
        },
        rounds=rounds,
    )
    size_bytes = big.stat().st_size
    return Section(
        title=f"The store, with {sessions * scenarios:,} runs in it",
        text=f"Recording is one session of {scenarios:,} runs, from opening the store to closing it, against an empty "
        f"store; deciding is the verdict on {scenarios:,} scenarios, against a store of {few}. Measured inside the "
        f"process, {rounds} rounds; the store was filled session by session through its own interface and "
        f"takes {size_bytes / 2**20:,.0f} MiB. Aims: recording at most 1.2, deciding at most 1.2 and 50 ms.",
        columns=("task", "CPU, ratio", "wall, ratio", "CPU, ms", "wall, ms", "baseline CPU, ms"),
        rows=[(name, *row(each)) for name, each in {**recording, **deciding}.items()],
    )


def row(pairs: list[Pair]) -> tuple[str, ...]:
    return (
        spread([pair.cpu_ratio for pair in pairs], ".2f"),
        spread([pair.wall_ratio for pair in pairs], ".2f"),
        spread([1e3 * pair.sample.cpu_seconds for pair in pairs], ".0f"),
        spread([1e3 * pair.sample.wall_seconds for pair in pairs], ".0f"),
        f"{statistics.median(1e3 * pair.baseline.cpu_seconds for pair in pairs):.0f}",
    )
