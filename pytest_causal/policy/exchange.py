"""How a program learns the policy it is to run under, and how it answers: two files, named by two variables.

``CAUSAL_POLICY_FILE`` names a JSON file with the nested values. Into the file named by ``CAUSAL_RESULT_FILE`` the
program writes ``{"metrics": {name: number}, "policy": {path: value it really used}}``. Whoever starts the program makes
a new directory for both, so that an answer can never be one of before. What a program writes is not trusted: it is
read up to a limit, through no link, and as strict JSON.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError, DataError, MissingInputError
from pytest_causal.model.run import Metric, Read, ReadHow
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.secrets import read_value
from pytest_causal.policy.tree import TreeError, flatten, frozen, nest
from pytest_causal.rules.metric_values import metric
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean

POLICY_FILE_ENV = "CAUSAL_POLICY_FILE"
RESULT_FILE_ENV = "CAUSAL_RESULT_FILE"
RESULT_LIMIT_BYTES = 1_000_000
METRICS_LIMIT = 1000
_KEYS = ("metrics", "policy")
_HOW = f"write one JSON object into the file named by {RESULT_FILE_ENV}"


class Answer(NamedTuple):
    """What a program answered. ``policy`` is dotted path -> the value it used, ``None`` where it did not say."""

    metrics: tuple[Metric, ...] = ()
    policy: Mapping[str, Any] | None = None


class ReadBack(NamedTuple):
    """The values a program used beside those it was given: all as reads by path, and which of them differ."""

    reads: tuple[Read, ...]
    differing: tuple[str, ...]


def write_policy_file(path: Path, leaves: Mapping[str, Any]) -> None:
    """Write dotted path -> value as nested JSON to a new file that only its owner may read: it may hold secrets.

    Raises OSError, also where the file is there already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(nest(leaves), file, indent=2, sort_keys=True, allow_nan=False)
        file.write("\n")


def read_result_file(path: Path) -> Answer:
    """Return what a program answered.

    Raises MissingInputError where there is no answer, DataError for one that cannot be used: a link, pipe or
    directory, more than ``RESULT_LIMIT_BYTES``, no strict JSON (NaN, a key twice), another shape. A metric that is
    no finite number is kept with its kind and without a value.
    """
    content = _read_bounded(path)
    if not content.strip():
        raise MissingInputError("the answer is empty", _HOW)
    try:
        data = parse_json(content.decode("utf-8-sig"), "the answer").data
    except UnicodeDecodeError as error:
        raise DataError("the answer is not UTF-8", _HOW) from error
    except ConfigError as error:
        raise DataError(error.what, error.remedy) from error
    if not isinstance(data, dict):
        raise DataError(f"the answer is {shown(data)}, not a JSON object", _HOW)
    for key in data:
        if key not in _KEYS:
            raise DataError(f"the answer has an unknown key {shown(key)}", did_you_mean(key, _KEYS))
    policy = used_values(data["policy"]) if "policy" in data else None
    return Answer(metrics=_metrics(data.get("metrics", {})), policy=policy)


def used_values(policy: Any) -> Mapping[str, Any]:
    """Return dotted path -> value of what a program says it used: a key is a whole dotted path, or holds a table.

    Raises DataError for anything else.
    """
    if not isinstance(policy, dict):
        raise DataError(f"the answer's policy is {shown(policy)}", "write it as {path: value}")
    leaves: dict[str, Any] = {}
    for key, value in policy.items():
        try:
            inner = flatten(value) if isinstance(value, dict) else {"": frozen(value)}
        except TreeError as error:
            place = ".".join((key, *error.path))
            raise DataError(f"the answer's policy: {shown(place)}: {error}", "correct it") from error
        for path, leaf in inner.items():
            whole = f"{key}.{path}" if path else key
            if whole in leaves:
                raise DataError(f"the answer's policy has {shown(whole)} twice", "keep one of the two")
            leaves[whole] = leaf
    return leaves


def read_back(policy: Mapping[str, Any], given: Mapping[str, Any], secrets: frozenset[str]) -> ReadBack:
    """Hold the values that a program says it used against those it was given, both dotted path -> value.

    Raises DataError for a path that it was not given.
    """
    reads, differing = [], []
    for path in sorted(policy):
        if path not in given:
            raise DataError(
                f"the answer's policy: there is no {shown(path)} in the policy", did_you_mean(path, given)
            )
        used = read_value(path, policy[path], secrets)
        reads.append(Read(path, used, ReadHow.OBSERVED))
        if used != read_value(path, given[path], secrets):
            differing.append(path)
    return ReadBack(tuple(reads), tuple(differing))


def _read_bounded(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise MissingInputError("it did not answer", _HOW) from error
    except OSError as error:
        what = "is a link" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise DataError(f"the answer {what}", _HOW) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError("the answer is not a regular file", _HOW)
    with open(descriptor, "rb") as file:
        content = file.read(RESULT_LIMIT_BYTES + 1)
    if len(content) > RESULT_LIMIT_BYTES:
        raise DataError(f"the answer is larger than {RESULT_LIMIT_BYTES:,} bytes", "answer with figures only")
    return content


def _metrics(data: Any) -> tuple[Metric, ...]:
    if not isinstance(data, dict):
        raise DataError(f"the answer's metrics are {shown(data)}", "write them as {name: number}")
    if len(data) > METRICS_LIMIT:
        raise DataError(f"the answer has more than {METRICS_LIMIT:,} metrics", "leave some out")
    made = {each.name: each for each in (metric(name, value) for name, value in sorted(data.items()))}
    return tuple(made.values())
