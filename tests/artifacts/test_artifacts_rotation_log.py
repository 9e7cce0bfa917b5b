from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_causal.actions.rotate import plan_root
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.rotation_log import (
    MAX_LOG_BYTES,
    MAX_NAMES,
    append_record,
    known_incompressible,
    read_log,
)
from pytest_causal.errors import ArtifactError
from tests.artifacts.children.rotation_tree import NOW_US, fill, policy, rotate, write

LEGACY = {
    "base_path": "artifacts/soak",
    "compression": {"compressed": 1, "files": [], "total_reduction_kb": 40.0},
    "rotation": {"deleted": 2, "files": ["latest/ITER_SUMMARY_1.json"], "kept": 100},
    "summary": {"deleted_files": 2, "disk_reduction_kb": 40.0, "final_size_mb": 12.5, "within_limit": True},
    "timestamp": "2025-10-15T02:00:00Z",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def log_of(root: Path) -> Path:
    return root / "rotation" / "ROTATION_LOG.jsonl"


def records(root: Path) -> list[Any]:
    with Root.open(root) as opened:
        return [line.record or line.text for line in read_log(opened)]


def append(root: Path, record: dict[str, Any]) -> None:
    with Root.open(root) as opened:
        append_record(opened, record)


def test_a_record_is_as_its_schema_says(root: Path) -> None:
    fill(root)
    write(root / "noise.jsonl", os.urandom(90_000), days_old=5)
    rotate(root)
    schema = json.loads((files("pytest_causal") / "schemas" / "rotation.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    (record,) = records(root)
    jsonschema.Draft202012Validator(schema).validate(record)
    assert record["counts"] == {
        "kept": 2,
        "left": 2,
        "compressed": 3,
        "archived": 6,
        "deleted": 2,
        "held_back": 0,
    }
    assert [each["name"] for each in record["incompressible"]["items"]] == ["noise.jsonl"]
    assert record["at"] == "2026-05-28T20:26:40Z"


def test_the_same_tree_policy_and_clock_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        fill(tmp_path / name)
        rotate(tmp_path / name)
        rotate(tmp_path / name)
    one, other = (log_of(tmp_path / name).read_bytes() for name in ("one", "other"))
    assert one == other
    assert one.count(b"\n") == 2
    assert str(tmp_path).encode() not in one
    first = one.split(b"\n")[0].decode()
    assert first == json.dumps(json.loads(first), sort_keys=True, separators=(",", ":"))


def test_long_lists_are_cut_and_the_rest_is_counted(root: Path) -> None:
    for number in range(MAX_NAMES + 7):
        write(root / f"{number}.jsonl", b"x", days_old=50)
    rotate(root, max_removed_ratio=1.0)
    (record,) = records(root)
    assert (len(record["deleted"]["items"]), record["deleted"]["omitted"]) == (MAX_NAMES, 7)
    assert record["counts"]["deleted"] == MAX_NAMES + 7


def test_records_of_the_predecessors_are_read_and_ours_follow_them(root: Path) -> None:
    log_of(root).parent.mkdir()
    log_of(root).write_text(json.dumps(LEGACY) + "\n")
    rotate(root)
    with Root.open(root) as opened:
        lines = list(read_log(opened))
    assert [line.is_legacy for line in lines] == [True, False]
    assert lines[0].record == LEGACY


def test_a_torn_last_line_is_closed_and_costs_no_other(root: Path) -> None:
    append(root, {"schema": "x", "number": 1})
    with log_of(root).open("ab") as file:
        file.write(b'{"schema": "x", "num')
    append(root, {"schema": "x", "number": 2})
    assert records(root) == [
        {"schema": "x", "number": 1},
        '{"schema": "x", "num',
        {"schema": "x", "number": 2},
    ]


@pytest.mark.parametrize(
    "line", [b"[1]", b"\xff\xfe", b"{" * 100_000, b'{"incompressible": {"items": [{}]}}']
)
def test_a_line_of_anything_else_is_text(root: Path, line: bytes) -> None:
    log_of(root).parent.mkdir()
    log_of(root).write_bytes(line + b"\n")
    assert len(records(root)) == 1
    with Root.open(root) as opened:
        assert known_incompressible(opened) == {}
    assert plan_root(root, policy(), now_us=NOW_US).exit_code == 0


def test_an_edited_record_only_costs_a_second_try(root: Path) -> None:
    append(root, {"schema": "causal.rotation/1", "incompressible": {"items": [{"name": "a"}]}})
    with Root.open(root) as opened:
        assert known_incompressible(opened) == {}


def test_the_log_is_bounded_and_one_full_log_is_kept(root: Path) -> None:
    for number in range(12):
        append(root, {"schema": "x", "number": number, "padding": "p" * (MAX_LOG_BYTES // 4)})
    sizes = [path.stat().st_size for path in log_of(root).parent.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= MAX_LOG_BYTES
    numbers = [record["number"] for record in records(root)]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 11
    assert len(numbers) >= 4


def test_a_log_that_is_a_link_is_not_written_through(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("canary")
    log_of(root).parent.mkdir()
    log_of(root).symlink_to(target)
    with pytest.raises(ArtifactError, match="cannot open rotation/ROTATION_LOG"):
        rotate(root)
    assert target.read_text() == "canary"
