from __future__ import annotations

from pathlib import Path

import pytest

from pytest_causal.actions.session_facts import is_trusted, session_facts
from pytest_causal.actions.surroundings import CiJob
from pytest_causal.settings.sources import Settings, resolve_settings
from pytest_causal.store.liveness import process_identity

FORK = CiJob(provider="github", run="1", is_fork=True)


def settings(tmp_path: Path, trusted: str = "", **env: str) -> Settings:
    if trusted:
        (tmp_path / "causal.toml").write_text(f'trusted = "{trusted}"\n')
    return resolve_settings(flags={}, env=env, root=tmp_path)


def test_a_session_is_a_unit_of_its_own_outside_ci(tmp_path: Path) -> None:
    first = session_facts(settings(tmp_path), {}, policy_fingerprint="f")
    second = session_facts(settings(tmp_path), {}, policy_fingerprint="f")
    assert first.key == first.uid != second.uid
    assert (first.policy_fingerprint, first.process) == ("f", process_identity())


def test_the_jobs_of_a_ci_run_share_a_key_unless_one_was_set(tmp_path: Path) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "soak"}
    facts = session_facts(settings(tmp_path), env, policy_fingerprint="")
    assert (facts.key, facts.ci_attempt, facts.ci_job) == ("github:7:2", "2", "soak")
    named = session_facts(settings(tmp_path, CAUSAL_SESSION_KEY="mine"), env, policy_fingerprint="")
    assert named.key == "mine"


@pytest.mark.parametrize(
    ("in_file", "env", "of_fork", "of_ours"),
    [
        ("", {}, False, True),
        ("yes", {}, False, True),
        ("no", {}, False, False),
        ("", {"CAUSAL_TRUSTED": "yes"}, True, True),
        ("yes", {"CAUSAL_TRUSTED": "no"}, False, False),
    ],
)
def test_a_fork_cannot_call_itself_trusted(
    tmp_path: Path, in_file: str, env: dict[str, str], of_fork: bool, of_ours: bool
) -> None:
    found = settings(tmp_path, in_file, **env)
    assert (is_trusted(found, FORK), is_trusted(found, CiJob())) == (of_fork, of_ours)
