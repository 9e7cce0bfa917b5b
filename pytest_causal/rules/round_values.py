"""What one process of a trial came to, scenario by scenario: the failed fraction, the means of its metrics, its reads.

A failure counts whatever it read. A pass counts for its arm only where it is known what the pass depends on: none of
the changed paths that it read had a value of the other arm, and in the candidate's arm it read at least one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_causal.model.run import Metric, Outcome, Read, ReadHow, Run
from pytest_causal.model.trial import Attempt

_PASSES = frozenset({Outcome.PASSED, Outcome.XFAILED, Outcome.XPASSED})


class ScenarioValues(NamedTuple):
    """What a scenario came to in one process.

    ``runs`` counts its executions that count, ``failed`` is the share of them that failed, ``timed_out`` the share
    that a time limit ended; both are ``None`` without any. ``idle`` counts passes of the candidate that read no changed
    path: they do not count. ``metrics`` is name -> mean, ``None`` for one that was not
    always a finite number. ``reads`` are (changed path, how it is known), assigned ones left out.
    """

    runs: int
    failed: float | None
    timed_out: float | None
    metrics: Mapping[str, float | None]
    reads: frozenset[tuple[str, str]]
    idle: int = 0


def round_values(
    attempt: Attempt, changed: Mapping[str, str], *, is_candidate: bool
) -> dict[str, ScenarioValues]:
    """Return scenario -> what it came to; ``changed`` is changed path -> the recorded text of this arm's value."""
    executions: dict[tuple[str, str, int], list[Run]] = defaultdict(list)
    for run in attempt.runs:
        executions[run.scenario, run.nodeid, run.occurrence].append(run)
    by_scenario: dict[str, list[list[Run]]] = defaultdict(list)
    for (scenario, _, _), attempts in executions.items():
        by_scenario[scenario].append(sorted(attempts, key=lambda run: run.attempt))
    return {
        scenario: _values(of_scenario, changed, is_candidate=is_candidate)
        for scenario, of_scenario in by_scenario.items()
    }


def is_timeout(run: Run) -> bool:
    """Whether a time limit ended a run, going by the name of its exception, or the words of pytest-timeout."""
    if not run.is_failure or run.cause is None:
        return False
    return "timeout" in run.cause.type.lower() or "timeout (>" in run.cause.message.lower()


def _values(
    executions: Sequence[Sequence[Run]], changed: Mapping[str, str], *, is_candidate: bool
) -> ScenarioValues:
    counted = [each for each in executions if _counts(each, changed, is_candidate=is_candidate)]
    total = len(counted)
    return ScenarioValues(
        runs=total,
        failed=sum(map(_has_failed, counted)) / total if total else None,
        timed_out=sum(any(map(is_timeout, each)) for each in counted) / total if total else None,
        metrics=_metric_means(each[-1] for each in counted),
        reads=frozenset(
            (read.path, str(read.how))
            for attempts in executions
            for run in attempts
            for read in run.reads
            if read.path in changed and read.how is not ReadHow.ASSIGNED and read.value == changed[read.path]
        ),
        idle=sum(
            is_candidate and each[-1].outcome in _PASSES and not _read(each, changed) for each in executions
        ),
    )


def _counts(attempts: Sequence[Run], changed: Mapping[str, str], *, is_candidate: bool) -> bool:
    if _has_failed(attempts):
        return True
    if attempts[-1].outcome not in _PASSES:
        return False
    read = _read(attempts, changed)
    if any(each.value != changed[each.path] for each in read):
        return False
    return bool(read) or not is_candidate


def _read(attempts: Sequence[Run], changed: Mapping[str, str]) -> list[Read]:
    return [each for run in attempts for each in run.reads if each.path in changed]


def _has_failed(attempts: Sequence[Run]) -> bool:
    """Whether any attempt failed: one that passed on rerun only counts as failed, as it does in evidence."""
    return any(
        run.is_failure and not (run.cause is not None and run.cause.is_infrastructure) for run in attempts
    )


def _metric_means(runs: Iterable[Run]) -> dict[str, float | None]:
    reported: dict[str, list[Metric]] = defaultdict(list)
    for run in runs:
        for each in run.metrics:
            reported[each.name].append(each)
    means: dict[str, float | None] = {}
    for name, metrics in reported.items():
        values = [each.value for each in metrics if each.value is not None]
        mean = sum(values) / len(values) if len(values) == len(metrics) else math.nan
        means[name] = mean if math.isfinite(mean) else None
    return means
