from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_causal.policy.migration import Migration, prepare
from pytest_causal.settings.sources import resolve_settings
from pytest_causal.views.migration import migration_diff, migration_document, migration_lines


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "soak").mkdir()
    return tmp_path


def prepared(root: Path, **files: object) -> Migration:
    for name, data in files.items():
        (root / "soak" / f"{name}.json").write_text(json.dumps(data, indent=1))
    return prepare(resolve_settings(flags={}, env={}, root=root), root / "soak")


def lines(migration: Migration, *, is_dry_run: bool) -> list[str]:
    return [line.text for line in migration_lines(migration, is_dry_run=is_dry_run)]


def test_a_person_reads_what_is_written_moved_and_kept(root: Path) -> None:
    migration = prepared(
        root, steady_overrides={"min_interval_ms": 75, "old_param": 1, "_sources": {"x": "env"}}
    )
    told = lines(migration, is_dry_run=True)
    assert any(
        "old_param = 1 goes into the profile old_param: no predecessor's parameter" in line for line in told
    )
    assert any("_sources.x = 'env' goes in the backup and in this report only" in line for line in told)
    assert any(line.startswith("profile steady: ") and line.endswith("would be written") for line in told)
    assert any(line.endswith("would be moved to steady_overrides.json.migrated") for line in told)
    assert told[-1].startswith("copies and the report: ")
    assert any(line.endswith("was written") for line in lines(migration, is_dry_run=False))


def test_problems_stand_alone(root: Path) -> None:
    migration = prepared(root, runtime_overrides={"tail_age_ms": 1, "engine": {"tail_age_ms": 2}})
    (line,) = migration_lines(migration, is_dry_run=True)
    assert "one value" in line.text
    assert line.marks == ("red",)


def test_the_diff_is_of_whole_files_and_says_which(root: Path) -> None:
    diff = migration_diff(
        prepared(root, steady_overrides={"min_interval_ms": 75}, runtime_overrides={"x": 1})
    )
    assert diff.count("--- /dev/null\n") == 2
    assert f"+++ {root / 'profiles' / 'steady.json'}\n" in diff
    assert '+      "min_interval_ms": 75\n' in diff
    assert '+  "x": 1\n' in diff


def test_hostile_text_is_shown_and_not_obeyed(root: Path) -> None:
    migration = prepared(root, steady_overrides={"description": "\x1b[31m\u202e", "text": "\x1b]0;x\x07"})
    shown = [*lines(migration, is_dry_run=True), *migration_diff(migration).split("\n")]
    assert all(line.isprintable() for line in shown)


def test_the_document_tells_the_fate_of_every_value(root: Path) -> None:
    migration = prepared(root, steady_overrides={"min_interval_ms": 75, "description": "d"})
    document = migration_document(migration, is_dry_run=True)
    assert {note["path"]: note["fate"] for note in document["notes"]} == {
        "min_interval_ms": "profile",
        "description": "description",
    }
    assert document["profiles"][0]["values"] == {"quoting": {"min_interval_ms": 75}}
    assert document["backup"] == str(migration.backup)
