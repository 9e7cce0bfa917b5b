from __future__ import annotations

import json
import os
import stat
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_causal.errors import DataError, MissingInputError
from pytest_causal.model.run import Metric, MetricKind, Read, ReadHow
from pytest_causal.policy.exchange import (
    METRICS_LIMIT,
    RESULT_LIMIT_BYTES,
    read_back,
    read_result_file,
    write_policy_file,
)

GIVEN = {"pool.size": 4, "pool.wait": 0.5, "names": ("a", "b"), "db.password": "hush"}
SECRETS = frozenset({"db.password"})


def schema(name: str) -> Any:
    return json.loads((files("pytest_causal") / "schemas" / f"{name}.schema.json").read_text("utf-8"))


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    return tmp_path / "result.json"


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_the_policy_is_nested_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    write_policy_file(path, GIVEN)
    data = json.loads(path.read_text("utf-8"))
    assert data == {"db": {"password": "hush"}, "names": ["a", "b"], "pool": {"size": 4, "wait": 0.5}}
    jsonschema.validate(data, schema("trial_policy"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_policy_file_that_is_there_already_is_never_written(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "policy.json").symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        write_policy_file(tmp_path / "policy.json", GIVEN)
    assert not elsewhere.exists()


def test_an_answer_holds_metrics_and_the_values_used(answer: Path) -> None:
    document = {"metrics": {"ms": 12.5, "rows": 3}, "policy": {"pool.size": 4, "names": ["a", "b"]}}
    jsonschema.validate(document, schema("trial_answer"))
    found = read_result_file(written(answer, document))
    assert found.metrics == (Metric("ms", 12.5), Metric("rows", 3.0))
    assert found.policy == {"pool.size": 4, "names": ("a", "b")}


def test_tables_and_dotted_paths_say_the_same(answer: Path) -> None:
    nested = read_result_file(written(answer, {"policy": {"pool": {"size": 4, "wait": 0.5}}}))
    assert nested.policy == {"pool.size": 4, "pool.wait": 0.5}
    assert read_result_file(written(answer, {"policy": {"a.b": {"c": 1}}})).policy == {"a.b.c": 1}


def test_an_answer_without_policy_says_so(answer: Path) -> None:
    assert read_result_file(written(answer, {"metrics": {"ms": 1}})).policy is None
    assert read_result_file(written(answer, {"policy": {}})).policy == {}


@pytest.mark.parametrize(
    ("value", "kind"),
    [("12", MetricKind.OTHER), (None, MetricKind.OTHER), ([1], MetricKind.OTHER)],
)
def test_a_metric_that_is_no_number_keeps_its_kind_and_has_no_value(
    answer: Path, value: object, kind: MetricKind
) -> None:
    assert read_result_file(written(answer, {"metrics": {"ms": value}})).metrics == (
        Metric("ms", None, kind),
    )


def test_a_number_beyond_floats_is_infinite(answer: Path) -> None:
    answer.write_text('{"metrics": {"ms": 1e999}}')
    assert read_result_file(answer).metrics == (Metric("ms", None, MetricKind.POSITIVE_INFINITY),)


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_k15_no_answer_is_missing(answer: Path, content: str | None) -> None:
    if content is not None:
        answer.write_text(content)
    with pytest.raises(MissingInputError):
        read_result_file(answer)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{", "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"metrics": {"ms": NaN}}', "NaN is not JSON"),
        (b'{"metrics": {"ms": -Infinity}}', "Infinity is not JSON"),
        (b'{"metrics": {"ms": 1, "ms": 2}}', "'metrics.ms' stands on line 1 already"),
        (b'{"metrics": {}, "metrics": {}}', "stands on line 1 already"),
        (b'{"metrics": [1]}', "metrics are [1]"),
        (b'{"metric": {}}', "unknown key 'metric'"),
        (b'{"policy": 3}', "policy is 3"),
        (b'{"policy": {"a": null}}', "null is no policy value"),
        (b'{"policy": {"a.b": 1, "a": {"b": 2}}}', "has 'a.b' twice"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"metrics": {"ms": ' + b"9" * 5_000 + b"}}", "cannot be read as JSON"),
        (
            b'{"metrics": {' + b",".join(b'"m%d":1' % n for n in range(METRICS_LIMIT + 1)) + b"}}",
            "more than 1,000",
        ),
    ],
)
def test_k15_an_answer_that_cannot_be_used_is_refused_with_the_reason(
    answer: Path, content: bytes, what: str
) -> None:
    answer.write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_result_file(answer)
    assert what in refused.value.what


def test_k15_only_so_much_is_read_of_an_answer(answer: Path) -> None:
    with open(answer, "wb") as file:
        file.truncate(1 << 40)  # a terabyte of holes: reading it whole would not end
    with pytest.raises(DataError, match=f"larger than {RESULT_LIMIT_BYTES:,}"):
        read_result_file(answer)


def test_k15_an_answer_through_a_link_is_refused(answer: Path, tmp_path: Path) -> None:
    answer.symlink_to(written(tmp_path / "elsewhere.json", {"metrics": {"ms": 1}}))
    with pytest.raises(DataError, match="is a link"):
        read_result_file(answer)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_k15_an_answer_that_is_no_file_is_refused_without_waiting(answer: Path, make: Any) -> None:
    make(answer)
    with pytest.raises(DataError, match="not a regular file"):
        read_result_file(answer)


def test_reading_back_notes_each_value_and_which_differ() -> None:
    found = read_back({"pool.wait": 0.5, "pool.size": 2}, GIVEN, SECRETS)
    assert found.reads == (
        Read("pool.size", "2", ReadHow.OBSERVED),
        Read("pool.wait", "0.5", ReadHow.OBSERVED),
    )
    assert found.differing == ("pool.size",)


def test_one_number_is_one_value_however_it_is_written() -> None:
    assert read_back({"pool.size": 4.0}, GIVEN, SECRETS).differing == ()


def test_a_secret_is_read_back_as_a_hash() -> None:
    found = read_back({"db.password": "hush"}, GIVEN, SECRETS)
    assert found.differing == ()
    assert "hush" not in found.reads[0].value
    assert read_back({"db.password": "other"}, GIVEN, SECRETS).differing == ("db.password",)


def test_a_path_that_the_policy_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError) as refused:
        read_back({"pool.sise": 4}, GIVEN, SECRETS)
    assert "'pool.sise'" in refused.value.what
    assert "pool.size" in refused.value.remedy
