from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_causal.policy.overrides import Entry, read_overrides, write_overrides

if TYPE_CHECKING:
    from tests.cli.conftest import Project

CONFIG = """\
profile = "steady"
secrets = ["db.port"]

[policy.standard]
max_wall_time_ms = 1000
max_rows = 5000
modes = ["a", "b"]

[policy.db]
password = "hunter2"
port = 5432

[bounds]
"standard.max_wall_time_ms" = { min = 1, max = 60000 }
"""


@pytest.fixture
def configured(project: Project) -> Project:
    """Return a project with a default, a profile, and an override of one value."""
    (project.root / "causal.toml").write_text(CONFIG)
    (project.root / "profiles").mkdir()
    profile = {"schema": "causal.profile/1", "values": {"standard": {"max_wall_time_ms": 30000}}}
    (project.root / "profiles" / "steady.json").write_text(json.dumps(profile, indent=2))
    read = read_overrides(project.root / ".causal" / "runtime_overrides.json")
    entry = Entry(by="promotion P-7", at="2026-11-02T10:00:00Z", revision=1)
    leaves = {"standard.max_wall_time_ms": 45000}
    write_overrides(read, leaves, dict.fromkeys(leaves, entry))
    return project


@pytest.fixture(autouse=True)
def wide_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wrap, as in a pipe."""
    monkeypatch.delenv("COLUMNS")


def document(project: Project, *arguments: str, schema: str, code: int = 0) -> dict[str, Any]:
    result = project.causal("config", *arguments, "--json")
    assert result.exit_code == code, result.stderr
    parsed: dict[str, Any] = project.parsed(result.stdout)
    project.check_schema(parsed, schema)
    return parsed


def test_show_json_holds_values_and_sources(configured: Project) -> None:
    shown = document(configured, "show", "--set", "standard.max_rows=7", schema="policy")
    assert shown["profile"] == "steady"
    assert shown["values"] == {
        "db": {"password": "***", "port": "***"},
        "standard": {"max_rows": 7, "max_wall_time_ms": 45000, "modes": ["a", "b"]},
    }
    assert shown["sources"]["standard.max_rows"] == {
        "layer": "cli", "name": "--causal-set", "file": None, "line": None, "revision": None,
    }  # fmt: skip
    overrides = configured.root / ".causal" / "runtime_overrides.json"
    assert shown["sources"]["standard.max_wall_time_ms"] == {
        "layer": "profile", "name": "steady", "file": str(overrides), "line": 7, "revision": 1,
    }  # fmt: skip
    assert shown["sources"]["standard.modes"] == {
        "layer": "default", "name": "", "file": str(configured.root / "causal.toml"), "line": 7, "revision": None,
    }  # fmt: skip
    assert shown["secrets"] == ["db.password", "db.port"]


def test_what_is_shown_is_what_a_session_uses(configured: Project) -> None:
    (configured.root / "test_it.py").write_text(
        "def test(causal_policy): assert causal_policy.fingerprint == 'x'\n"
    )
    ran = configured.start_command(
        sys.executable, "-m", "pytest", "-p", "causal", "-q", "-p", "no:cacheprovider"
    )
    shown = document(configured, "show", schema="policy")
    assert f"'{shown['fingerprint']}' == 'x'" in ran.stdout


@pytest.mark.parametrize(
    "command", [["show"], ["show", "--precedence"], ["explain", "db"], ["export"], ["show", "--json"]]
)
def test_secrets_are_never_shown(command: list[str], configured: Project) -> None:
    result = configured.causal("config", *command)
    assert result.exit_code == 0
    assert "hunter2" not in result.stdout + result.stderr
    assert "5432" not in result.stdout + result.stderr


def test_show_says_in_a_line_each_what_is_in_force_and_why(configured: Project) -> None:
    lines = configured.causal("config", "show").stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("standard.max_wall_time_ms")]
    words = (
        "45000",
        "profile steady + override r1 (promotion P-7, 2026-11-02)",
        "30000",
        "runtime_overrides.json:7",
    )
    assert all(word in line for word in words)


def test_without_a_policy_it_says_how_to_get_one(project: Project) -> None:
    result = project.causal("config", "show")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "[tool.causal.policy]" in result.stderr
    assert document(project, "show", schema="policy")["values"] == {}


def test_explain_tells_the_whole_stack_and_how_to_change_it(
    configured: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSAL_POLICY__standard__max_wall_time_ms", "50000")
    text = configured.causal("config", "explain", "standard.max_wall_time_ms").stdout
    first, cli, env, override, profile, default, bounds = text.splitlines()
    assert first == (
        "standard.max_wall_time_ms = 50000  env CAUSAL_POLICY__standard__max_wall_time_ms  was 45000"
    )
    assert cli.split()[:3] == ["cli", "not", "set"]
    assert "--causal-set standard.max_wall_time_ms=VALUE" in cli
    assert env.split()[:4] == ["env", "50000", "in", "force"]
    assert override.split()[:3] == ["profile", "45000", "outweighed"]
    assert profile.split()[:3] == ["profile", "30000", "outweighed"]
    assert default.split()[:3] == ["default", "1000", "outweighed"]
    assert default.endswith("causal.toml:5")
    assert bounds.split()[:4] == ["bounds", "1", "to", "60000"]


def test_explain_answers_for_every_leaf_set_or_not(configured: Project) -> None:
    for path in document(configured, "show", schema="policy")["sources"]:
        explained = document(configured, "explain", path, schema="explanation")
        assert explained["path"] == path
    both = document(configured, "explain", "standard.max_wall_time_ms", schema="explanation")
    assert [both["in_force"]["value"], *(each["value"] for each in both["outweighed"])] == [
        45000,
        30000,
        1000,
    ]
    assert both["in_force"]["note"] == "promotion P-7, 2026-11-02"
    assert both["bounds"]["max"] == 60000


def test_explain_answers_for_a_table_and_for_a_setting(configured: Project) -> None:
    table = document(configured, "explain", "standard", schema="explanations")["explanations"]
    assert [each["path"] for each in table] == [
        "standard.max_rows",
        "standard.max_wall_time_ms",
        "standard.modes",
    ]
    setting = document(configured, "explain", "criteria.min_runs", schema="setting")
    assert (setting["value"], setting["source"]) == (20, {"layer": "default", "place": None})
    assert "CAUSAL_MIN_RUNS" in configured.causal("config", "explain", "min_runs").stdout


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("standard.max_row", "standard.max_rows"),
        ("criteria.min_rums", "criteria.min_runs"),
        ("stadnard.modes", "standard.modes"),
    ],
)
def test_f3_explain_names_the_nearest_of_a_mistyped_path(
    path: str, nearest: str, configured: Project
) -> None:
    result = configured.causal("config", "explain", path)
    assert (result.exit_code, result.stdout) == (64, "")
    assert f"did you mean '{nearest}'?" in result.stderr


def test_a_legacy_name_is_understood(configured: Project) -> None:
    explained = configured.causal("config", "explain", "min_interval_ms", "--profile", "steady_safe").stdout
    assert explained.startswith("quoting.min_interval_ms = 75  profile steady_safe")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--set", "standard.max_rows=1_000"], 64),
        (["--set", "standard.max_row=1"], 64),
        (["--set", "standard.max_rows"], 64),
        (["--set", "standard.max_wall_time_ms=60001"], 64),
        (["--profile", "staedy"], 64),
        (["--profile", "../../etc/passwd"], 78),
        (["--profile", "broken"], 78),
        (["--no-such-flag"], 64),
    ],
)
def test_a_bad_flag_is_64_and_a_bad_file_is_78(arguments: list[str], code: int, configured: Project) -> None:
    (configured.root / "profiles" / "broken.json").write_text("{")
    result = configured.causal("config", "show", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CAUSAL_POLICY", "[]"),
        ("MM_RUNTIME_OVERRIDES_JSON", "{"),
        ("CAUSAL_POLICY__standard__max_row", "1"),
        ("CAUSAL_STROE", "x"),
    ],
)
def test_a_bad_variable_is_78(
    name: str, text: str, configured: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    result = configured.causal("config", "show")
    assert result.exit_code == 78
    assert name in result.stderr


def test_list_shows_the_users_profiles_and_the_shipped_ones(configured: Project) -> None:
    (configured.root / "profiles" / "broken.json").write_text("{")
    rows = {row["name"]: row for row in document(configured, "list", schema="profiles")["profiles"]}
    assert set(rows) == {"aggressive", "broken", "steady", "steady_safe", "ultra_safe"}
    assert [name for name, row in rows.items() if row["is_in_force"]] == ["steady"]
    assert [name for name, row in rows.items() if row["problem"]] == ["broken"]
    assert rows["steady_safe"]["values"] == 6
    text = configured.causal("config", "list").stdout
    assert "broken.json:1 is not valid JSON" in text
    assert "in force" in text


def test_validate_tells_each_problem_and_fails(configured: Project) -> None:
    assert document(configured, "validate", schema="validation")["in_force"] == {"problem": None}
    (configured.root / "profiles" / "loose.json").write_text('{"standard": {"max_wall_time_ms": 99999}}')
    (configured.root / "profiles" / "typed.json").write_text('{"standard": {"max_rows": "many"}}')
    rows = document(configured, "validate", schema="validation", code=78)["profiles"]
    problems = {row["name"]: row["problem"] for row in rows}
    assert "out of bounds" in problems["loose"]
    assert "expected a whole number" in problems["typed"]
    assert problems["steady"] is None
    assert configured.causal("config", "validate", "steady").exit_code == 0
    result = configured.causal("config", "validate", "typed")
    assert result.exit_code == 78
    assert result.stdout.splitlines()[-1] == "what is in force: ok"


def test_diff_shows_what_two_profiles_disagree_about(configured: Project) -> None:
    shown = document(configured, "diff", "steady_safe", "ultra_safe", schema="difference")
    assert shown["differences"] == [
        {"path": "engine.tail_age_ms", "first": "740", "second": "700"},
        {"path": "quoting.min_interval_ms", "first": "75", "second": "80"},
        {"path": "quoting.replace_rate_per_min", "first": "260", "second": "240"},
    ]
    assert "740" in configured.causal("config", "diff", "steady_safe", "ultra_safe").stdout
    same = configured.causal("config", "diff", "steady", "steady")
    assert (same.exit_code, same.stdout) == (0, "")
    missing = document(configured, "diff", "steady", "steady_safe", schema="difference")["differences"]
    assert {"path": "standard.max_wall_time_ms", "first": "30000", "second": None} in missing


def test_export_to_a_shell_gives_the_same_policy_again(configured: Project, tmp_path: Path) -> None:
    exported = configured.causal(
        "config", "export", "--format", "env", "--with-secrets", "--set", "standard.max_rows=7"
    )
    script = tmp_path / "env.sh"
    script.write_text(exported.stdout)
    before = document(configured, "show", "--set", "standard.max_rows=7", schema="policy")
    shell = subprocess.run(
        ["sh", "-c", f'. "{script}" && causal config show --json'],
        cwd=configured.root, capture_output=True, text=True, check=True,
        env=os.environ | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    after = json.loads(shell.stdout)
    assert (after["fingerprint"], after["values"]) == (before["fingerprint"], before["values"])
    assert {source["layer"] for source in after["sources"].values()} == {"env"}


def test_export_leaves_secrets_out_and_says_so(configured: Project) -> None:
    result = configured.causal("config", "export", "--format", "json")
    assert "db" not in json.loads(result.stdout)
    assert "db.password, db.port" in result.stderr


def test_no_reading_command_writes_anything(configured: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in configured.root.rglob("*")}
    for command in (
        ["show"],
        ["explain", "standard"],
        ["list"],
        ["validate"],
        ["diff", "steady", "aggressive"],
        ["export"],
    ):
        assert configured.causal("config", *command).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in configured.root.rglob("*")} == before
