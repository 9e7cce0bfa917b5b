from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_causal.policy.layers import resolve_policy
from pytest_causal.settings.sources import resolve_settings
from tools.soak.config_manager import config_manager, with_own_defaults

DEFAULTS = {
    "quoting.base_spread_bps_delta": 0.14,
    "impact.impact_cap_ratio": 0.09,
    "impact.max_delta_ratio": 0.14,
    "quoting.min_interval_ms": 70,
    "quoting.replace_rate_per_min": 260,
    "engine.tail_age_ms": 650,
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS")
    return tmp_path


def manage(*arguments: str) -> Result:
    return CliRunner().invoke(config_manager, list(arguments), prog_name="config_manager")


def shown(*arguments: str) -> dict[str, Any]:
    result = manage(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_list_profiles_names_what_is_on_disk(root: Path) -> None:
    (root / "profiles").mkdir()
    (root / "profiles" / "mine.json").write_text('{"min_interval_ms": 60}')
    names = [profile["name"] for profile in shown("--list-profiles")["profiles"]]
    assert names == ["aggressive", "mine", "steady_safe", "ultra_safe"]


def test_show_puts_the_profile_over_the_toolkits_defaults(root: Path) -> None:
    document = shown("--show", "--profile", "steady_safe")
    assert document["values"]["quoting"]["min_interval_ms"] == 75
    assert {source["layer"] for source in document["sources"].values()} == {"profile"}


def test_precedence_shows_the_default_that_each_value_outweighs(root: Path) -> None:
    explained = shown("--precedence", "--profile", "steady_safe")["explanations"]
    outweighed = {each["path"]: each["outweighed"][-1] for each in explained}
    assert {path: given["value"] for path, given in outweighed.items()} == DEFAULTS
    assert all(given["file"].endswith("defaults.toml") and given["line"] for given in outweighed.values())


def test_d25_cli_env_profile_default_in_this_order_and_nothing_falls_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_own_defaults(resolve_settings(flags={"profile": "steady_safe"}, env={}, root=root))
    env = {"MM_RUNTIME_OVERRIDES_JSON": '{"min_interval_ms": 78, "tail_age_ms": 600}'}
    policy = resolve_policy(settings, cli=["min_interval_ms=79"], env=env, root=root)
    assert [value for value, _ in policy.leaves["quoting.min_interval_ms"].shadowed] == [78, 75, 70]
    assert policy.flat["quoting.min_interval_ms"] == 79
    assert policy.flat["engine.tail_age_ms"] == 600
    for name, text in (("MM_RUNTIME_OVERRIDES_JSON", "not json"), ("MM_RUNTIME_OVERRIDES_JSON", "{}")):
        monkeypatch.setenv(name, text)
        assert manage("--show", "--profile", "steady_safe").exit_code == 78
    monkeypatch.undo()
    monkeypatch.chdir(root)
    assert manage("--show", "--profile", "unknown").exit_code == 64
    assert manage("--show", "--profile", "../x").exit_code == 78


def test_a_project_with_a_policy_of_its_own_does_not_get_ours(root: Path) -> None:
    (root / "causal.toml").write_text("[policy]\nmine = 1\n")
    (root / "profiles").mkdir()
    (root / "profiles" / "p.json").write_text('{"mine": 2}')
    assert shown("--show", "--profile", "p")["values"] == {"mine": 2}


def test_bounds_of_a_project_without_a_policy_hold_over_ours(root: Path) -> None:
    (root / "causal.toml").write_text('[bounds]\n"quoting.min_interval_ms" = { min = 70, max = 76 }\n')
    settings = with_own_defaults(resolve_settings(flags={"profile": "steady_safe"}, env={}, root=root))
    bound = resolve_policy(settings, cli=[], env={}, root=root).bounds["quoting.min_interval_ms"]
    assert (bound.min, bound.max) == (70, 76)


@pytest.mark.parametrize(
    "arguments", [[], ["--show"], ["--precedence"], ["--profile", "steady_safe"], ["stray"]]
)
def test_an_incomplete_call_is_a_usage_error(arguments: list[str], root: Path) -> None:
    result = manage(*arguments)
    assert (result.exit_code, result.stdout) == (64, "")
    assert result.stderr.startswith("error: ")


def test_reading_makes_no_files(root: Path) -> None:
    for arguments in (["--list-profiles"], ["--show", "--profile", "steady_safe"]):
        assert manage(*arguments).exit_code == 0
    assert [path.name for path in root.iterdir()] == ["pytest.ini"]


def test_migrate_is_the_migration_of_causal(root: Path) -> None:
    old = root / "artifacts" / "soak" / "ultra_safe_overrides.json"
    old.parent.mkdir(parents=True)
    old.write_text('{"replace_rate_per_min": 220}')
    assert manage("--migrate", "--dry-run").exit_code == 0
    assert old.exists()
    assert manage("--migrate").exit_code == 0
    assert not old.exists()
    assert shown("--show", "--profile", "ultra_safe")["values"]["quoting"]["replace_rate_per_min"] == 220


def test_it_runs_as_a_module(root: Path) -> None:
    repository = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-m", "tools.soak.config_manager", "--show", "--profile", "nope"],
        cwd=root, env=os.environ | {"PYTHONPATH": str(repository)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (64, "")
    assert ran.stderr.startswith("error: no profile 'nope'")
