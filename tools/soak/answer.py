"""What a program under soak answered, as a measurement: what is wrong with an answer is a problem of the iteration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_causal.errors import CausalError
from pytest_causal.policy.exchange import read_back, read_result_file
from tools.soak.measurement import Measurement, samples_of


def measured(path: Path, values: Mapping[str, Any], secrets: frozenset[str]) -> Measurement:
    """Return what the result file at ``path`` says of a program that was given ``values`` (dotted path -> value).

    Values other than those make the answer one about another policy: its metrics and reads are kept as it reported
    them, and the problem names the paths.
    """
    try:
        answer = read_result_file(path)
    except CausalError as error:
        return Measurement(problem=error.what)
    metrics = samples_of({metric.name: metric.value for metric in answer.metrics})
    if not metrics:
        return Measurement(problem="the answer has no metrics")
    try:
        found = read_back(answer.policy or {}, values, secrets)
    except CausalError as error:
        return Measurement(metrics=metrics, problem=error.what)
    wrong = ", ".join(found.differing)
    problem = f"it used other values than it was given: {wrong}" if wrong else ""
    return Measurement(metrics=metrics, reads=found.reads, problem=problem)
