"""What is known of the place a session runs in: commit, CI job, machine. Read once, from the given environment."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

GIT_TIMEOUT_SECONDS = 5.0


class Checkout(NamedTuple):
    """The commit and branch that ``HEAD`` names; empty where there is none to read."""

    commit: str = ""
    branch: str = ""


class CiJob(NamedTuple):
    """The CI job around a session; all empty outside CI. ``is_fork`` is true for code from outside the repository,
    and whenever that cannot be told."""

    provider: str = ""
    run: str = ""
    attempt: str = ""
    job: str = ""
    is_fork: bool = False

    @property
    def key(self) -> str:
        """Return the session key that all jobs of this CI run and attempt share; empty outside CI."""
        return f"{self.provider}:{self.run}:{self.attempt}" if self.run else ""


def read_checkout(root: Path) -> Checkout:
    """Read ``HEAD`` of the repository around ``root`` from its files, without starting git."""
    git_dir = _git_dir(root)
    if git_dir is None:
        return Checkout()
    try:
        head = (git_dir / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref: "):
            return Checkout(commit=head)
        ref = head.removeprefix("ref: ")
        return Checkout(commit=_resolve_ref(git_dir, ref), branch=ref.removeprefix("refs/heads/"))
    except (OSError, UnicodeDecodeError):
        return Checkout()


def is_dirty(root: Path) -> bool | None:
    """Ask git whether tracked files differ from ``HEAD``; ``None`` where it cannot say (in time)."""
    if _git_dir(root) is None:
        return None
    command = ["git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"]
    try:
        answer = subprocess.run(  # noqa: S603 - fixed words, no shell
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return bool(answer.stdout.strip()) if answer.returncode == 0 else None


def read_ci_job(env: Mapping[str, str]) -> CiJob:
    """Recognise the CI provider by the variables it sets."""
    if env.get("GITHUB_ACTIONS") == "true":
        return CiJob(
            provider="github",
            run=env.get("GITHUB_RUN_ID", ""),
            attempt=env.get("GITHUB_RUN_ATTEMPT", "1"),
            job=env.get("GITHUB_JOB", ""),
            is_fork=_is_github_fork(env),
        )
    for provider, sign, run, attempt, job, is_fork in _PROVIDERS:
        if env.get(sign):
            return CiJob(
                provider=provider,
                run=env.get(run, ""),
                attempt=env.get(attempt, "1"),
                job=env.get(job, ""),
                is_fork=is_fork(env),
            )
    return CiJob(provider="unknown") if env.get("CI", "").lower() in {"1", "true"} else CiJob()


def machine() -> tuple[str, str, str]:
    """Return (python version, platform, host name) of this process."""
    uname = os.uname()
    return platform.python_version(), f"{uname.sysname}-{uname.release}-{uname.machine}", uname.nodename


def _git_dir(root: Path) -> Path | None:
    for folder in (root, *root.parents):
        marker = folder / ".git"
        if marker.is_dir():
            return marker
        if marker.is_file():  # a worktree or a submodule names its folder in a file
            try:
                text = marker.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                return None
            return folder / text.removeprefix("gitdir: ")
    return None


def _resolve_ref(git_dir: Path, ref: str) -> str:
    common = git_dir
    if (git_dir / "commondir").is_file():
        common = git_dir / (git_dir / "commondir").read_text("utf-8").strip()
    for folder in (git_dir, common):
        loose = folder / ref
        if loose.is_file():
            return loose.read_text("utf-8").strip()
    packed = common / "packed-refs"
    if packed.is_file():
        for line in packed.read_text("utf-8").splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return ""


def _is_github_fork(env: Mapping[str, str]) -> bool:
    if not env.get("GITHUB_EVENT_NAME", "").startswith("pull_request"):
        return False
    try:
        event = json.loads(Path(env["GITHUB_EVENT_PATH"]).read_text("utf-8"))
        head = event["pull_request"]["head"]["repo"]["full_name"]
    except (KeyError, TypeError, ValueError, OSError, RecursionError):
        return True  # a pull request whose source cannot be told is not trusted
    return bool(head != env.get("GITHUB_REPOSITORY"))


_PROVIDERS = (
    (
        "gitlab",
        "GITLAB_CI",
        "CI_PIPELINE_ID",
        "",
        "CI_JOB_NAME",
        lambda env: (
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID" in env
            and env["CI_MERGE_REQUEST_SOURCE_PROJECT_ID"] != env.get("CI_PROJECT_ID")
        ),
    ),
    (
        "buildkite",
        "BUILDKITE",
        "BUILDKITE_BUILD_ID",
        "BUILDKITE_RETRY_COUNT",
        "BUILDKITE_LABEL",
        lambda env: (
            env.get("BUILDKITE_PULL_REQUEST", "false") != "false"
            and env.get("BUILDKITE_PULL_REQUEST_REPO") != env.get("BUILDKITE_REPO")
        ),
    ),
    (
        "circleci",
        "CIRCLECI",
        "CIRCLE_WORKFLOW_ID",
        "",
        "CIRCLE_JOB",
        lambda env: bool(env.get("CIRCLE_PR_NUMBER")),  # set for pull requests from forks only
    ),
    (
        "azure",
        "TF_BUILD",
        "BUILD_BUILDID",
        "SYSTEM_STAGEATTEMPT",
        "SYSTEM_JOBNAME",
        lambda env: env.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true",
    ),
    (
        "jenkins",
        "JENKINS_URL",
        "BUILD_TAG",
        "",
        "STAGE_NAME",
        lambda env: "CHANGE_FORK" in env,
    ),
)
