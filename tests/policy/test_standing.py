from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.policy.overrides import Entry, put_overrides
from pytest_causal.policy.standing import overrides_path, standing_policy
from pytest_causal.settings.sources import Settings, resolve_settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    for name, rows in (("calm", 100), ("bold", 900)):
        (tmp_path / "profiles" / f"{name}.json").write_text(json.dumps({"limits": {"rows": rows}}))
    (tmp_path / "causal.toml").write_text('profile = "calm"\n[policy.limits]\nrows = 1\nwait = 5\n')
    return tmp_path


def settings(root: Path, **given: str) -> Settings:
    return resolve_settings(flags=given, env={}, root=root)


def override(root: Path, **limits: int) -> None:
    path = overrides_path(settings(root))
    path.parent.mkdir(exist_ok=True)
    leaves = {f"limits.{key}": value for key, value in limits.items()}
    put_overrides(path, 1, leaves, {key: Entry("promotion P-1", "2026-11-02T10:00:00Z", 1) for key in leaves})


def test_it_is_the_profile_above_the_defaults(root: Path) -> None:
    assert standing_policy(settings(root)).flat == {"limits.rows": 100, "limits.wait": 5}


def test_promoted_values_lie_above(root: Path) -> None:
    override(root, rows=300)
    assert standing_policy(settings(root)).flat["limits.rows"] == 300
    assert standing_policy(settings(root), with_overrides=False).flat["limits.rows"] == 100


def test_what_one_session_was_given_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSAL_POLICY__limits__rows", "7")
    monkeypatch.setenv("CAUSAL_POLICY", '{"limits": {"wait": 7}}')
    assert standing_policy(settings(root)).flat == {"limits.rows": 100, "limits.wait": 5}


def test_a_profile_that_a_flag_named_is_left_out(root: Path) -> None:
    given = settings(root, profile="bold")
    assert given.profile == "bold"
    policy = standing_policy(given)
    assert (policy.profile, policy.flat["limits.rows"]) == ("calm", 100)


def test_the_override_file_is_below_the_root(root: Path) -> None:
    assert overrides_path(settings(root)) == root / ".causal" / "runtime_overrides.json"


def test_a_damaged_override_file_is_not_taken_for_none(root: Path) -> None:
    override(root, rows=300)
    overrides_path(settings(root)).write_text("{")
    with pytest.raises(ConfigError, match=r"runtime_overrides\.json:1"):
        standing_policy(settings(root))
