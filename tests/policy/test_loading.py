from __future__ import annotations

from pathlib import Path

import pytest

import pytest_causal
from pytest_causal.errors import CausalError
from pytest_causal.policy.loading import load_policy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "causal.toml").write_text("[policy.limits]\nrows = 7\nseconds = 2\n")
    return tmp_path


def test_a_program_gets_the_policy_by_the_layers_of_a_test_run(root: Path) -> None:
    env = {"CAUSAL_POLICY__limits__rows": "8"}
    assert load_policy(root, env={})["limits"]["rows"] == 7
    assert load_policy(root, env=env)["limits"]["rows"] == 8
    assert load_policy(root, env=env, set=["limits.rows=9"])["limits"]["rows"] == 9


def test_it_notes_what_is_read(root: Path) -> None:
    policy = load_policy(root, env={})
    assert policy["limits"]["seconds"] == 2
    assert [read.path for read in policy.reads()] == ["limits.seconds"]


def test_the_package_offers_it_from_the_working_directory(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert pytest_causal.load_policy is load_policy
    assert pytest_causal.load_policy()["limits"]["rows"] == 7
    with pytest.raises(AttributeError, match="no attribute 'lod_policy'"):
        pytest_causal.lod_policy  # noqa: B018 - looking is the test


def test_a_profile_that_is_not_there_is_an_error_that_names_it(root: Path) -> None:
    with pytest.raises(CausalError, match="no_such_profile"):
        load_policy(root, env={}, profile="no_such_profile")
