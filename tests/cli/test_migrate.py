from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Project

SIX = {
    "base_spread_bps_delta": 0.16,
    "impact_cap_ratio": 0.08,
    "max_delta_ratio": 0.12,
    "min_interval_ms": 80,
    "replace_rate_per_min": 220,
    "tail_age_ms": 700,
}


@pytest.fixture(autouse=True)
def wide_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wrap, as in a pipe."""
    monkeypatch.delenv("COLUMNS")


def write(project: Project, name: str, data: Any, directory: str = "artifacts/soak") -> Path:
    path = project.root / directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data, indent=2))
    return path


def files(project: Project) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in project.root.rglob("*") if path.is_file()}


def test_nothing_to_migrate_is_no_error_and_leaves_nothing(project: Project) -> None:
    before = files(project)
    result = project.causal("migrate")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing to migrate" in result.stderr
    assert files(project) == before


def test_a_dry_run_prints_the_diff_and_changes_nothing(project: Project) -> None:
    write(project, "ultra_safe_overrides.json", SIX)
    write(project, "runtime_overrides.json", {"min_interval_ms": 75})
    before = files(project)
    result = project.causal("migrate", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert files(project) == before
    assert '+      "replace_rate_per_min": 220' in result.stdout
    assert "+++ " in result.stdout
    assert '+    "min_interval_ms": 75' in result.stdout
    assert "would be written" in result.stdout


def test_the_dry_run_promises_what_the_migration_does(project: Project) -> None:
    write(project, "ultra_safe_overrides.json", SIX)
    write(project, "runtime_overrides.json", {"min_interval_ms": 75})
    promised = document(project, "--dry-run")
    done = document(project)
    assert {**promised, "is_dry_run": False} == done
    report = json.loads((Path(done["backup"]) / "report.json").read_text())
    assert report == done
    for profile in done["profiles"]:
        assert json.loads(Path(profile["file"]).read_text())["values"] == profile["values"]
    assert json.loads(Path(done["overrides"]["file"]).read_text())["values"] == done["overrides"]["values"]


def document(project: Project, *arguments: str, code: int = 0) -> dict[str, Any]:
    result = project.causal("migrate", *arguments, "--json")
    assert result.exit_code == code, result.stderr
    parsed: dict[str, Any] = project.parsed(result.stdout)
    project.check_schema(parsed, "migration")
    return parsed


def test_what_was_migrated_can_be_used_at_once(project: Project) -> None:
    write(project, "steady_overrides.json", SIX)
    assert project.causal("migrate").exit_code == 0
    shown = project.causal("config", "show", "--profile", "steady", "--json")
    values = json.loads(shown.stdout)["values"]
    assert values["quoting"]["replace_rate_per_min"] == 220
    assert values["engine"]["tail_age_ms"] == 700
    assert project.causal("config", "validate").exit_code == 0


def test_other_places_can_be_named(project: Project) -> None:
    write(project, "steady_overrides.json", SIX, directory="elsewhere")
    assert project.causal("migrate", "--from", "elsewhere").exit_code == 0
    assert (project.root / "profiles" / "steady.json").exists()
    result = project.causal("migrate", "--from", "no-such-place")
    assert result.exit_code == 66
    assert "no-such-place" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_a_contradiction_is_shown_and_nothing_is_written(arguments: list[str], project: Project) -> None:
    write(project, "runtime_overrides.json", {"tail_age_ms": 650, "engine": {"tail_age_ms": 700}})
    before = files(project)
    result = project.causal("migrate", *arguments)
    assert result.exit_code == 65
    assert "runtime_overrides.json:2: tail_age_ms is 650 but engine.tail_age_ms is 700" in result.stdout
    assert result.stderr.startswith("error: nothing was migrated")
    assert files(project) == before
    assert document(project, *arguments, code=65)["problems"]


def test_a_file_that_cannot_be_read_without_loss_is_65_with_its_line(project: Project) -> None:
    path = write(project, "steady_overrides.json", "")
    path.write_bytes('{\n"description": "caf\xe9"}'.encode("cp1252"))
    result = project.causal("migrate")
    assert result.exit_code == 65
    assert f"{path}:2 holds byte 0xe9" in result.stderr


def test_an_interrupted_migration_is_finished(project: Project) -> None:
    path = write(project, "steady_overrides.json", SIX)
    content = path.read_bytes()
    done = document(project)
    path.with_name(path.name + ".migrated").rename(path)
    state = {"files": [{"path": str(path), "sha256": done["inputs"][0]["sha256"]}]}
    (project.root / ".causal" / "migration" / "unfinished.json").write_text(json.dumps(state))
    result = project.causal("migrate")
    assert result.exit_code == 0
    assert "finished an earlier migration" in result.stderr
    assert path.with_name(path.name + ".migrated").read_bytes() == content
    assert not path.exists()
