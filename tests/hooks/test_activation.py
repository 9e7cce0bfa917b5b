"""Settings are resolved once: a mistake is one clear line, and a session carries the facts it was made under."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

from pytest_causal import __version__

PASSING = "def test_it(): pass\n"


@pytest.mark.parametrize(
    ("args", "file", "env", "said"),
    [
        (
            ("--causal-min-runs=0",),
            "",
            {},
            "--causal-min-runs: expected a value in [1, 1e+06] runs, found '0'",
        ),
        (("--causal-busy-seconds=soon",), "", {}, "--causal-busy-seconds: "),
        (("--causal-unit=day",), "", {}, "--causal-unit: "),
        ((), "", {"CAUSAL_MIN_RUNS": "many"}, "CAUSAL_MIN_RUNS: "),
        ((), "", {"CAUSAL_MIN_RUN": "3"}, "did you mean"),
        ((), "summary_linez = 3\n", {}, "summary_lines"),
        ((), "[criteria]\nmax_failure_rate = 2\n", {}, "causal.toml:2: criteria.max_failure_rate: "),
        ((), "strict = yes\n", {}, "causal.toml"),
        ((), 'profile = "nobody"\n', {}, "nobody"),
        (("--causal-set=limits.rows",), "[policy.limits]\nrows = 7\n", {}, "--causal-set"),
    ],
    ids=lambda value: None if isinstance(value, (dict, tuple)) else value.split("\n")[0][:30],
)
def test_a_mistake_in_the_settings_is_a_usage_error_in_one_line(inner, args, file, env, said) -> None:
    inner.write(test_it=PASSING)
    if file:
        (inner.root / "causal.toml").write_text(file)
    result = inner.run(*args, **env)
    assert result.returncode == 4
    (line,) = [line for line in result.stderr.splitlines() if line.strip()]
    assert line.startswith("ERROR: causal: ")
    assert said in line
    assert not inner.store.parent.exists()


def test_an_option_that_is_not_ours_is_pytests_own_error(inner) -> None:
    inner.write(test_it=PASSING)
    result = inner.run("--causal-min-rums=3")
    assert result.returncode == 4
    assert "unrecognized arguments: --causal-min-rums=3" in result.stderr


def facts(inner, *args: str, file: str = "", **env: str):
    """Run one session on its own and return what it says of itself."""
    inner.write(test_it=PASSING)
    config = inner.root / "causal.toml"
    config.write_text(file)
    if inner.store.exists():
        inner.store.unlink()
    result = inner.run("-q", *args, **env)
    assert result.returncode == 0, result.stdout + result.stderr
    return inner.session().facts


def test_a_session_says_what_it_was_made_with(inner) -> None:
    said = facts(inner)
    assert (said.kind, said.plugin_version, said.pytest_version) == (
        "pytest",
        __version__,
        pytest.__version__,
    )
    assert said.python == platform.python_version()
    assert said.host == os.uname().nodename
    assert said.platform.startswith(os.uname().sysname)
    assert re.fullmatch(rf"{os.getpid()}:\d+", said.process)
    assert re.fullmatch(r"[0-9a-f]{32}", said.uid)
    assert said.key == said.uid
    assert said.workers == 0
    assert said.is_trusted
    assert (said.ci_provider, said.ci_run, said.ci_attempt, said.ci_job) == ("", "", "", "")


def test_two_sessions_outside_ci_are_two_units_of_evidence(inner) -> None:
    assert facts(inner).key != facts(inner).key


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_JOB": "soak",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REPOSITORY": "owner/project",
}


def test_the_jobs_of_one_ci_run_share_a_key_and_a_given_key_goes_first(inner) -> None:
    said = facts(inner, **GITHUB)
    assert (said.ci_provider, said.ci_run, said.ci_attempt, said.ci_job) == ("github", "77", "2", "soak")
    assert said.key == "github:77:2"
    assert facts(inner, **(GITHUB | {"GITHUB_JOB": "unit"})).key == said.key
    assert facts(inner, "--causal-session-key=nightly", **GITHUB).key == "nightly"


@pytest.fixture
def fork(tmp_path: Path) -> dict[str, str]:
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"head": {"repo": {"full_name": "stranger/project"}}}}')
    return GITHUB | {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)}


@pytest.mark.parametrize(
    ("args", "file", "env", "inside", "from_fork"),
    [
        ((), "", {}, True, False),
        ((), 'trusted = "auto"\n', {}, True, False),
        ((), 'trusted = "yes"\n', {}, True, False),
        ((), 'trusted = "no"\n', {}, False, False),
        (("--causal-trusted=yes",), "", {}, True, True),
        (("--causal-trusted=yes",), 'trusted = "no"\n', {}, True, True),
        (("--causal-trusted=no",), 'trusted = "yes"\n', {}, False, False),
        ((), "", {"CAUSAL_TRUSTED": "yes"}, True, True),
        ((), 'trusted = "yes"\n', {"CAUSAL_TRUSTED": "auto"}, True, False),
        ((), 'trusted = "yes"\n', {"CAUSAL_TRUSTED": "no"}, False, False),
        (("--causal-trusted=auto",), "", {"CAUSAL_TRUSTED": "yes"}, True, False),
    ],
)
def test_t5_only_what_a_fork_cannot_edit_can_make_it_trusted(
    inner, fork, args, file, env, inside, from_fork
) -> None:
    assert facts(inner, *args, file=file, **GITHUB, **env).is_trusted is inside
    assert facts(inner, *args, file=file, **fork, **env).is_trusted is from_fork


@pytest.mark.needs_xdist
def test_workers_run_under_the_settings_of_their_controller(suite) -> None:
    suite.write(
        test_it="""
        import os
        def test_policy(causal_policy): assert causal_policy["limits"]["rows"] == 9
        def test_fault(): raise ConnectionResetError("cable")
        """,
        # A worker that resolved anything itself would fail on this.
        conftest="""
        import os
        if "PYTEST_XDIST_WORKER" in os.environ:
            os.environ["CAUSAL_NO_SUCH_SETTING"] = "1"
        """,
    )
    (suite.root / "causal.toml").write_text("[policy.limits]\nrows = 7\n")
    result = suite.run("-n2", "--causal-set=limits.rows=9", "--causal-infrastructure-errors=OSError")
    assert result.returncode == 1, result.stdout + result.stderr
    assert suite.outcomes() == {"test_policy": "passed", "test_fault": "failed"}
    assert suite.by_test()["test_fault"].cause.is_infrastructure
    assert suite.session().facts.workers == 2


def test_a_profile_and_the_policy_are_named_by_the_session(inner) -> None:
    plain = facts(inner, file="[policy.limits]\nrows = 7\n")
    other = facts(inner, file="[policy.limits]\nrows = 8\n")
    assert plain.policy_fingerprint != other.policy_fingerprint
    assert facts(inner, file="[policy.limits]\nrows = 7\n").policy_fingerprint == plain.policy_fingerprint
    (inner.root / "profiles").mkdir()
    (inner.root / "profiles" / "calm.json").write_text('{"limits": {"rows": 8}}')
    profiled = facts(inner, "--causal-profile=calm", file="[policy.limits]\nrows = 7\n")
    assert profiled.profile == "calm"
    assert profiled.policy_fingerprint == other.policy_fingerprint


@pytest.mark.parametrize(
    ("folder", "arguments", "is_told"),
    [
        ("sub", (), True),
        (".", ("sub",), True),
        (".", ("sub/test_it.py::test_it",), True),
        (".", ("test_top.py",), False),
    ],
)
def test_a_file_of_settings_that_is_not_read_is_told(suite, folder, arguments, is_told: bool) -> None:
    suite.write(**{"sub/test_it": PASSING, "test_top": PASSING})
    (suite.root / "pytest.ini").write_text("[pytest]\n")
    unread = suite.root / "sub" / "causal.toml"
    unread.write_text("strict = true\n")
    result = subprocess.run(
        suite.command(*arguments),
        cwd=suite.root / folder,
        env=suite.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    told = f"{unread} is not read: settings come from {suite.root},"
    assert (told in " ".join(result.stdout.split())) is is_told
    assert suite.store.exists()


def test_a_bug_at_activation_costs_the_record_and_not_the_run(suite) -> None:
    suite.write(
        test_it=PASSING,
        planted="""
        from pytest_causal.hooks import activation
        def broken(*args): raise ZeroDivisionError("planted")
        activation._facts = broken
        """,
    )
    result = suite.run("-p", "planted", PYTHONPATH=str(suite.root))
    assert result.returncode == 0
    assert "causal: not recording: internal error: ZeroDivisionError: planted at broken" in result.stderr
    assert not suite.store.exists()


@pytest.mark.parametrize("limit", [20, 100])
def test_messages_are_cut_at_the_limit_that_was_set(inner, limit: int) -> None:
    inner.write(test_it="def test_it(): raise ValueError('word ' * 500)\n")
    inner.run(f"--causal-message-limit={limit}")
    (run,) = inner.runs()
    assert run.cause is not None
    assert 0 < len(run.cause.message) <= limit
