"""The workload ``pytest``: a session with the plugin, under the values of the iteration."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pytest_causal.errors import CausalError
from pytest_causal.model.run import Outcome, Read, Run
from pytest_causal.policy.tree import nest
from pytest_causal.settings.table import POLICY_ENV, POLICY_ENV_PREFIX
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store
from tools.soak.histogram import Histogram
from tools.soak.kpi import Sample
from tools.soak.measurement import MAX_METRICS, Measurement
from tools.soak.moments import Moments
from tools.soak.workload_command import run_for
from tools.soak.workloads import Task, empty_folder

_STORE = "history.db"
_ANSWERED = frozenset({0, 1})
"""Exit codes of pytest behind which there are results: all passed, some failed."""
_CODES = {
    2: "pytest was interrupted",
    3: "pytest met an internal error",
    4: "pytest was called wrongly",
    5: "pytest found no tests",
}
_COUNTED = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED, Outcome.XFAILED, Outcome.XPASSED)


@dataclass(frozen=True, kw_only=True)
class PytestWorkload:
    """A pytest session an iteration. Its record goes to a store of its own, from which the metrics are made:

    ``failure_ratio``, ``tests``, ``p50_seconds``, ``p95_seconds``, and the mean of each metric that tests report.
    """

    arguments: tuple[str, ...]

    def measure(self, task: Task) -> Measurement:
        """Run the session. Where pytest itself failed or found nothing there is no answer."""
        with empty_folder(task.folder):
            return self._measure(task)

    def _measure(self, task: Task) -> Measurement:
        store = task.folder / _STORE
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "causal",
            f"--causal-store={store}",
            "--causal-strict",
        ]
        env = {name: value for name, value in os.environ.items() if not name.startswith(POLICY_ENV_PREFIX)}
        if task.profile:
            env["CAUSAL_PROFILE"] = (
                task.profile
            )  # it declares the paths that the next variable gives values to
        env[POLICY_ENV] = json.dumps(nest(task.values), allow_nan=False)
        try:
            ended = run_for(task, [*command, *self.arguments], env)
        except OSError as error:
            return Measurement(problem=f"pytest cannot be started ({error.strerror})")
        if ended.is_timed_out or ended.is_stopped:
            return Measurement(problem=ended.words)
        if ended.status not in _ANSWERED:
            return Measurement(problem=_CODES.get(ended.status, ended.words))
        return read_session(store, ended.strays)


def read_session(store: Path, strays: int = 0) -> Measurement:
    """Return what the one session of a store has shown."""
    try:
        with_store = open_store(str(store), readonly=True)
    except CausalError as error:
        return Measurement(problem=f"the session was not recorded ({error.what})")
    try:
        measurement = summed(record.run for record in with_store.history(HistoryQuery()))
    except CausalError as error:
        return Measurement(problem=f"the record of the session cannot be read ({error.what})")
    finally:
        with_store.close()
    if strays:
        return measurement._replace(problem=f"{strays} processes were left behind and killed")
    return measurement


def summed(runs: Iterable[Run]) -> Measurement:
    """Return the metrics of the runs of one session, in memory that does not grow with them."""
    durations, failed, counted = Histogram(), 0, 0
    reported: dict[str, Moments] = {}
    unusable: set[str] = set()
    reads: dict[str, Read] = {}
    for run in runs:
        if run.is_superseded or run.outcome not in _COUNTED:
            continue
        counted += 1
        failed += run.is_failure
        durations.add(run.duration_seconds)
        reads.update({read.path: read for read in run.reads})
        for metric in run.metrics:
            if metric.value is None:
                unusable.add(metric.name)
            else:
                reported[metric.name] = reported.get(metric.name, Moments()).with_value(metric.value)
    if not counted:
        return Measurement(problem="no test ran")
    metrics = {name: mean_of(moments) for name, moments in reported.items()}
    metrics |= {name: Sample(value=None) for name in unusable}
    metrics |= {
        "failure_ratio": Sample(value=failed / counted, samples=counted),
        "tests": Sample(value=float(counted)),
        "p50_seconds": Sample(value=durations.quantile(0.50), samples=counted),
        "p95_seconds": Sample(value=durations.quantile(0.95), samples=counted),
    }
    kept = {name: metrics[name] for name in sorted(metrics)[:MAX_METRICS]}
    return Measurement(metrics=kept, reads=tuple(reads[path] for path in sorted(reads)))


def mean_of(moments: Moments) -> Sample:
    """Return a mean with its interval."""
    low, high = moments.interval()
    return Sample(value=moments.mean, samples=moments.samples, low=low, high=high)
