"""What a program answered, held against what it was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.model.run import Read, ReadHow
from tools.soak.answer import measured
from tools.soak.measurement import Measurement

GIVEN: dict[str, Any] = {"pool.size": 4, "pool.names": ("a", "b"), "db.password": "hunter2"}


def answered(folder: Path, document: object) -> Measurement:
    path = folder / "result.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return measured(path, GIVEN, frozenset({"db.password"}))


def test_what_it_used_is_what_it_read(tmp_path: Path) -> None:
    found = answered(tmp_path, {"metrics": {"ms": 2}, "policy": {"pool": {"size": 4.0, "names": ["a", "b"]}}})
    assert found.problem == ""
    assert found.reads == (
        Read("pool.names", '["a","b"]', ReadHow.OBSERVED),
        Read("pool.size", "4", ReadHow.OBSERVED),
    )
    assert found.metrics["ms"].value == 2.0


def test_other_values_are_a_problem_and_are_read_as_they_were(tmp_path: Path) -> None:
    found = answered(tmp_path, {"metrics": {"ms": 2}, "policy": {"pool.size": 5}})
    assert found.problem == "it used other values than it was given: pool.size"
    assert found.reads == (Read("pool.size", "5", ReadHow.OBSERVED),), "it speaks for the 5, not for the 4"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"metrics": {"ms": 1}, "policy": {"pool.sizes": 4}}, "no 'pool.sizes' in the policy"),
        ({"metrics": {}}, "has no metrics"),
        ({"metrics": {"ms": 1}, "polcy": {}}, "unknown key 'polcy'"),
        ('{"metrics": {"ms": 1, "ms": 2}}', "ms"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_used_is_a_problem(tmp_path: Path, document: object, problem: str) -> None:
    found = answered(tmp_path, document)
    assert problem in found.problem
    assert found.reads == ()


def test_k13_no_file_is_no_answer(tmp_path: Path) -> None:
    found = measured(tmp_path / "none", GIVEN, frozenset())
    assert (found.problem, found.metrics) == ("it did not answer", {})


def test_the_value_of_a_secret_is_compared_and_not_kept(tmp_path: Path) -> None:
    right = answered(tmp_path, {"metrics": {"ms": 1}, "policy": {"db.password": "hunter2"}})
    wrong = answered(tmp_path, {"metrics": {"ms": 1}, "policy": {"db.password": "hunter3"}})
    assert (right.problem, bool(wrong.problem)) == ("", True)
    assert "hunter" not in json.dumps([right.to_json(), wrong.to_json()])
