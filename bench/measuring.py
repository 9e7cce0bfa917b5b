"""Whole processes, measured in turn: what a command costs beside another, on a machine that others use too.

A ratio is always of neighbours in time: every contender runs between two runs of the baseline and is compared with
their mean, so that a machine that slows down or speeds up along the way moves both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one process cost, with all its children that it waited for.

    ``cpu_seconds`` is user and system time. ``peak_bytes`` is the resident set of the largest single process.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: float


Runner = Callable[[], Sample]
"""Does once what is measured, makes sure that it was done, and returns what it cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A run of a contender, and the two runs of the baseline beside it."""

    before: Sample
    sample: Sample
    after: Sample

    @property
    def baseline(self) -> Sample:
        """The mean of the baseline's runs."""
        return mean(self.before, self.after)

    @property
    def cpu_ratio(self) -> float:
        return self.sample.cpu_seconds / self.baseline.cpu_seconds

    @property
    def wall_ratio(self) -> float:
        return self.sample.wall_seconds / self.baseline.wall_seconds

    @property
    def extra_cpu_seconds(self) -> float:
        return self.sample.cpu_seconds - self.baseline.cpu_seconds

    @property
    def extra_wall_seconds(self) -> float:
        return self.sample.wall_seconds - self.baseline.wall_seconds

    @property
    def extra_peak_bytes(self) -> float:
        return self.sample.peak_bytes - self.baseline.peak_bytes


def run_process(command: Sequence[str], *, folder: Path, environment: dict[str, str], log: Path) -> Sample:
    """Run a command to its end and return what it cost; its output goes to ``log``."""
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return Sample(
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        wall_seconds=wall_seconds,
        peak_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def take_turns(baseline: Runner, contenders: Mapping[str, Runner], *, rounds: int) -> dict[str, list[Pair]]:
    """Measure B X B Y B ... B, ``rounds`` times after a warm-up of each, and return the pairs of each contender."""
    for run in (baseline, *contenders.values()):
        run()
    pairs: dict[str, list[Pair]] = {name: [] for name in contenders}
    for number in range(1, rounds + 1):
        before = baseline()
        for name, run in contenders.items():
            sample = run()
            after = baseline()
            pairs[name].append(Pair(before=before, sample=sample, after=after))
            before = after
        latest = ", ".join(f"{name} {each[-1].cpu_ratio:.3f}" for name, each in pairs.items())
        say(f"  round {number} of {rounds}, CPU to baseline: {latest}")
    return pairs


def mean(first: Sample, second: Sample) -> Sample:
    return Sample(
        cpu_seconds=(first.cpu_seconds + second.cpu_seconds) / 2,
        wall_seconds=(first.wall_seconds + second.wall_seconds) / 2,
        peak_bytes=(first.peak_bytes + second.peak_bytes) / 2,
    )


def spread(values: Sequence[float], form: str = ".3f") -> str:
    """Return ``median (lower to upper quartile)``."""
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:{form}} ({lower:{form}} to {upper:{form}})"


def say(line: str) -> None:
    """Tell the person who waits how far it is."""
    print(line, file=sys.stderr, flush=True)
