"""How a program that is under soak learns its policy, and how it answers: two files, named by two variables.

``CAUSAL_POLICY_FILE`` names a JSON file with the nested values in force. Into the file named by ``CAUSAL_RESULT_FILE``
the program writes ``{"metrics": {name: number}, "policy": {path: value it really used}}``. The folder of both is made
for one attempt at one iteration, so that an answer can never be one of before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_causal.model.run import Read, ReadHow
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.secrets import read_value
from pytest_causal.policy.tree import TreeError, flatten, nest
from tools.soak.measurement import Measurement, samples_of

POLICY_VARIABLE = "CAUSAL_POLICY_FILE"
RESULT_VARIABLE = "CAUSAL_RESULT_FILE"
MAX_RESULT_BYTES = 1_000_000
_POLICY_NAME = "policy.json"
_RESULT_NAME = "result.json"


def hand_over(folder: Path, values: Mapping[str, Any]) -> dict[str, str]:
    """Write the policy (dotted path -> value) for one attempt; return the variables that name the two files."""
    policy, result = folder / _POLICY_NAME, folder / _RESULT_NAME
    descriptor = os.open(policy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it may hold secrets
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(nest(values), file, indent=2, allow_nan=False)
    return {POLICY_VARIABLE: str(policy), RESULT_VARIABLE: str(result)}


def read_answer(folder: Path, values: Mapping[str, Any], secrets: frozenset[str]) -> Measurement:
    """Return what the program answered. What is wrong with the answer is the ``problem`` of the measurement.

    A value that it says it used, and that is not the one it was given, makes the answer one about another policy: its
    metrics are kept, and the reads are as it reported them.
    """
    try:
        data = _read_result(folder / _RESULT_NAME)
    except FileNotFoundError:
        return Measurement(problem="no answer: the result file was not written")
    except (OSError, ValueError, RecursionError) as error:
        return Measurement(problem=f"no answer: the result file cannot be read ({error})")
    metrics = data.get("metrics")
    if not isinstance(metrics, dict):
        return Measurement(problem='no answer: the result file has no "metrics"')
    try:
        reads = reads_of(data.get("policy", {}), secrets)
    except (TypeError, ValueError) as error:
        return Measurement(
            metrics=samples_of(metrics), problem=f'the "policy" of the result cannot be used ({error})'
        )
    wrong = [read.path for read in reads if read.value != _expected(read.path, values, secrets)]
    problem = f"it used other values than it was given: {', '.join(wrong)}" if wrong else ""
    return Measurement(metrics=samples_of(metrics), reads=reads, problem=problem)


def _read_result(path: Path) -> dict[str, Any]:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        content = file.read(MAX_RESULT_BYTES + 1)
    if len(content) > MAX_RESULT_BYTES:
        raise ValueError(f"more than {MAX_RESULT_BYTES} bytes")
    data = json.loads(content.decode("utf-8-sig"))
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    return data


def reads_of(policy: Any, secrets: frozenset[str]) -> tuple[Read, ...]:
    """Return what a program says it used: nested tables or dotted paths. Raises ValueError for anything else."""
    if not isinstance(policy, dict):
        raise ValueError("not a JSON object")
    leaves: dict[str, Any] = {}
    for key, value in policy.items():
        try:
            leaves.update(
                {f"{key}.{path}": leaf for path, leaf in flatten(value).items()}
                if isinstance(value, dict)
                else {key: value}
            )
        except TreeError as error:
            raise ValueError(f"{'.'.join((key, *error.path))}: {error}") from error
    return tuple(
        Read(path, read_value(path, leaves[path], secrets), ReadHow.OBSERVED) for path in sorted(leaves)
    )


def _expected(path: str, values: Mapping[str, Any], secrets: frozenset[str]) -> str:
    return read_value(path, values[path], secrets) if path in values else canonical(None)
