"""Commit, branch, CI job and machine are read as git and the provider tell them; what cannot be told is no trust."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_causal.actions.surroundings import (
    Checkout,
    CiJob,
    is_dirty,
    machine,
    read_checkout,
    read_ci_job,
)

Git = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def git(repository: Path) -> Git:
    """A repository with one commit on the branch ``trunk``."""

    def run(*args: str, where: Path = repository) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-C", str(where), *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    repository.mkdir()
    run("init", "-qb", "trunk")
    (repository / "file").write_text("one\n")
    run("add", ".")
    run("commit", "-qm", "one")
    return run


def test_a_branch_and_its_commit(git: Git, repository: Path) -> None:
    assert read_checkout(repository) == Checkout(commit=git("rev-parse", "HEAD"), branch="trunk")


def test_a_folder_inside_the_repository(git: Git, repository: Path) -> None:
    (repository / "deep" / "er").mkdir(parents=True)
    assert read_checkout(repository / "deep" / "er").commit == git("rev-parse", "HEAD")


def test_a_branch_with_slashes(git: Git, repository: Path) -> None:
    git("checkout", "-qb", "feature/a/b")
    assert read_checkout(repository).branch == "feature/a/b"


def test_a_detached_head_has_a_commit_and_no_branch(git: Git, repository: Path) -> None:
    git("checkout", "-q", "--detach")
    assert read_checkout(repository) == Checkout(commit=git("rev-parse", "HEAD"))


def test_packed_references(git: Git, repository: Path) -> None:
    git("tag", "-am", "annotated", "v1")
    git("pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "trunk").exists()
    assert read_checkout(repository) == Checkout(commit=git("rev-parse", "HEAD"), branch="trunk")


def test_a_loose_reference_is_newer_than_a_packed_one(git: Git, repository: Path) -> None:
    git("pack-refs", "--all")
    (repository / "file").write_text("two\n")
    git("commit", "-qam", "two")
    assert read_checkout(repository).commit == git("rev-parse", "HEAD")


@pytest.mark.parametrize("packed", [False, True])
def test_a_worktree(git: Git, repository: Path, tmp_path: Path, packed: bool) -> None:
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "tree"))
    (tmp_path / "tree" / "file").write_text("two\n")
    git("commit", "-qam", "two", where=tmp_path / "tree")
    if packed:
        git("pack-refs", "--all")
    commit = git("rev-parse", "HEAD", where=tmp_path / "tree")
    assert commit != git("rev-parse", "HEAD")
    assert read_checkout(tmp_path / "tree") == Checkout(commit=commit, branch="side")


def test_a_submodule(git: Git, repository: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git("init", "-q", where=outer)
    git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository), "sub", where=outer
    )
    assert read_checkout(outer / "sub") == Checkout(commit=git("rev-parse", "HEAD"), branch="trunk")


def test_before_the_first_commit_there_is_a_branch_only(git: Git, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    git("init", "-qb", "trunk", where=fresh)
    assert read_checkout(fresh) == Checkout(branch="trunk")


def test_without_a_repository_nothing_is_known(tmp_path: Path) -> None:
    assert read_checkout(tmp_path) == Checkout()
    assert is_dirty(tmp_path) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda git: (git / "HEAD").unlink(),
        lambda git: (git / "HEAD").write_bytes(b"\xff\xfe"),
        lambda git: (git / "packed-refs").write_bytes(b"\xff\xfe") and (git / "refs/heads/trunk").unlink(),
    ],
    ids=["no HEAD", "HEAD is no text", "references are no text"],
)
def test_a_damaged_repository_is_none(git: Git, repository: Path, damage) -> None:
    damage(repository / ".git")
    assert read_checkout(repository) == Checkout()


@pytest.mark.parametrize("content", [b"gitdir: /nowhere/at/all", b"\xff\xfe", b""])
def test_a_git_file_that_leads_nowhere_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    assert read_checkout(tmp_path) == Checkout()


def test_changed_and_staged_files_are_dirty_and_new_ones_are_not(git: Git, repository: Path) -> None:
    assert is_dirty(repository) is False
    (repository / "new").touch()
    assert is_dirty(repository) is False
    (repository / "file").write_text("two\n")
    assert is_dirty(repository) is True
    git("add", "file")
    assert is_dirty(repository) is True
    git("commit", "-qm", "two")
    assert is_dirty(repository) is False


def test_asking_does_not_touch_the_index(git: Git, repository: Path) -> None:
    os.utime(repository / "file", (1, 1))
    before = (repository / ".git" / "index").read_bytes()
    assert is_dirty(repository) is False
    assert (repository / ".git" / "index").read_bytes() == before


@pytest.mark.parametrize("script", ["exit 3", "sleep 30"])
def test_a_git_that_fails_or_hangs_says_nothing(
    git: Git, repository: Path, tmp_path, monkeypatch, script
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(
        f"#!/bin/sh\nexec {script}\n" if "sleep" in script else f"#!/bin/sh\n{script}\n"
    )
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr("pytest_causal.actions.surroundings.GIT_TIMEOUT_SECONDS", 0.2)
    assert is_dirty(repository) is None


def test_no_git_at_all_says_nothing(git: Git, repository: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_dirty(repository) is None


PROVIDERS = {
    "github": (
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "9",
            "GITHUB_RUN_ATTEMPT": "2",
            "GITHUB_JOB": "soak",
            "GITHUB_EVENT_NAME": "push",
        },
        CiJob(provider="github", run="9", attempt="2", job="soak"),
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true",
            "CI": "true",
            "CI_PIPELINE_ID": "9",
            "CI_JOB_NAME": "soak",
            "CI_PROJECT_ID": "4",
        },
        CiJob(provider="gitlab", run="9", attempt="1", job="soak"),
    ),
    "buildkite": (
        {
            "BUILDKITE": "true",
            "BUILDKITE_BUILD_ID": "9",
            "BUILDKITE_RETRY_COUNT": "0",
            "BUILDKITE_LABEL": "soak",
            "BUILDKITE_PULL_REQUEST": "false",
        },
        CiJob(provider="buildkite", run="9", attempt="0", job="soak"),
    ),
    "circleci": (
        {"CIRCLECI": "true", "CIRCLE_WORKFLOW_ID": "9", "CIRCLE_JOB": "soak"},
        CiJob(provider="circleci", run="9", attempt="1", job="soak"),
    ),
    "azure": (
        {"TF_BUILD": "True", "BUILD_BUILDID": "9", "SYSTEM_STAGEATTEMPT": "2", "SYSTEM_JOBNAME": "soak"},
        CiJob(provider="azure", run="9", attempt="2", job="soak"),
    ),
    "jenkins": (
        {"JENKINS_URL": "http://ci.example/", "BUILD_TAG": "jenkins-soak-9", "STAGE_NAME": "soak"},
        CiJob(provider="jenkins", run="jenkins-soak-9", attempt="1", job="soak"),
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_is_known_by_the_variables_it_sets(provider: str) -> None:
    env, job = PROVIDERS[provider]
    assert read_ci_job(env) == job
    assert job.key == f"{provider}:{job.run}:{job.attempt}"


def test_outside_ci_and_in_an_unknown_one() -> None:
    assert read_ci_job({}) == CiJob()
    assert CiJob().key == ""
    assert read_ci_job({"CI": "true"}) == CiJob(provider="unknown")
    assert read_ci_job({"CI": "true"}).key == "", "without a run there is nothing to share"
    assert read_ci_job({"CI": "false"}) == CiJob()


FORKS = {
    "gitlab": (
        {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "5", "CI_PROJECT_ID": "4"},
        {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "4", "CI_PROJECT_ID": "4"},
    ),
    "buildkite": (
        {
            "BUILDKITE_PULL_REQUEST": "12",
            "BUILDKITE_PULL_REQUEST_REPO": "git://host/stranger/project.git",
            "BUILDKITE_REPO": "git://host/owner/project.git",
        },
        {
            "BUILDKITE_PULL_REQUEST": "12",
            "BUILDKITE_PULL_REQUEST_REPO": "git://host/owner/project.git",
            "BUILDKITE_REPO": "git://host/owner/project.git",
        },
    ),
    "circleci": ({"CIRCLE_PR_NUMBER": "12"}, {}),
    "azure": ({"SYSTEM_PULLREQUEST_ISFORK": "True"}, {"SYSTEM_PULLREQUEST_ISFORK": "False"}),
    "jenkins": ({"CHANGE_FORK": "stranger"}, {"CHANGE_ID": "12"}),
}


@pytest.mark.parametrize("provider", FORKS)
def test_t5_a_pull_request_from_a_fork_is_known_and_one_from_inside_is_not_suspected(provider: str) -> None:
    outside, inside = FORKS[provider]
    assert read_ci_job(PROVIDERS[provider][0] | outside).is_fork
    assert not read_ci_job(PROVIDERS[provider][0] | inside).is_fork


def github(tmp_path: Path, event: object, name: str = "pull_request") -> CiJob:
    path = tmp_path / "event.json"
    path.write_text(event if isinstance(event, str) else json.dumps(event))
    return read_ci_job(
        PROVIDERS["github"][0]
        | {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path), "GITHUB_REPOSITORY": "owner/project"}
    )


def pull_request_from(name: object) -> dict[str, object]:
    return {"pull_request": {"head": {"repo": {"full_name": name}}}}


@pytest.mark.parametrize("name", ["pull_request", "pull_request_target", "pull_request_review"])
def test_t5_github_names_the_source_of_a_pull_request_in_its_event(tmp_path: Path, name: str) -> None:
    assert github(tmp_path, pull_request_from("stranger/project"), name).is_fork
    assert not github(tmp_path, pull_request_from("owner/project"), name).is_fork


@pytest.mark.parametrize(
    "event",
    [
        "",
        "not json",
        "[]",
        "null",
        "[" * 100_000,
        {},
        {"pull_request": None},
        {"pull_request": {"head": {"repo": None}}},  # the fork was deleted
        pull_request_from(None),
    ],
)
def test_t5_a_pull_request_whose_source_cannot_be_told_is_not_trusted(tmp_path: Path, event) -> None:
    assert github(tmp_path, event).is_fork


def test_t5_nor_one_whose_event_cannot_be_read(tmp_path: Path) -> None:
    env = PROVIDERS["github"][0] | {"GITHUB_EVENT_NAME": "pull_request"}
    assert read_ci_job(env).is_fork
    assert read_ci_job(env | {"GITHUB_EVENT_PATH": str(tmp_path / "none")}).is_fork
    assert read_ci_job(env | {"GITHUB_EVENT_PATH": str(tmp_path)}).is_fork


def test_a_push_needs_no_event(tmp_path: Path) -> None:
    assert not github(tmp_path, "not json", "push").is_fork


def test_the_machine_names_itself() -> None:
    python, system, host = machine()
    assert python.startswith("3.")
    assert system.startswith(os.uname().sysname)
    assert host == os.uname().nodename
