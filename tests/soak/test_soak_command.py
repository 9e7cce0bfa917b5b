"""``causal soak`` as it is called: its options, its exit codes and what it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import tools.soak.command
from pytest_causal.errors import ExitCode
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store

ROOT = Path(__file__).parents[2]
CAUSAL = str(Path(sysconfig.get_path("scripts")) / "causal")
SCHEMAS = Path(tools.soak.command.__file__).parent / "schemas"


def call(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CAUSAL, "soak", *words], cwd=folder, env={**os.environ, **env}, capture_output=True, text=True
    )


def check(text: str, schema: str) -> Any:
    data = json.loads(text)
    jsonschema.validate(data, json.loads((SCHEMAS / f"{schema}.schema.json").read_text("utf-8")))
    return data


def test_a_run_from_its_beginning_to_its_report(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "--iterations", "5", "--auto-tune", "--workload", "mock", "--run-id", "a")
    assert (done.returncode, done.stdout) == (ExitCode.OK, "")
    assert done.stderr.splitlines()[-2:] == [
        "soak a ended as planned. PASS: 5 of 5 steady iterations: PASS",
        "its files are in artifacts/soak/a; a page of them: causal soak report a",
    ]
    assert "all as reported" in call(tmp_path, "verify", "a").stdout
    assert check(call(tmp_path, "verify", "a", "--json").stdout, "soak_verification")["iterations"] == 5
    (listed,) = check(call(tmp_path, "list", "--json").stdout, "soak_list")["runs"]
    assert (listed["run"], listed["state"], listed["iterations"]) == ("a", "planned", 5)
    assert "soak:mock/steady_safe" in call(tmp_path, "list").stdout
    page = Path(call(tmp_path, "report", "a").stdout.strip())
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert "## Soak a" in call(tmp_path, "report", "a", "--markdown").stdout
    assert "soak_iterations{" in call(tmp_path, "report", "a", "--prometheus").stdout


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("quoting.min_interval_ms=soon", "--set: quoting.min_interval_ms: "),
        ("quoting.min_interval=50", "--set: the policy has no 'quoting.min_interval'"),
        ("quoting", "--set 'quoting'; write it as PATH=VALUE"),
    ],
)
def test_a_value_that_cannot_be_set_is_refused_under_the_name_of_its_option(
    tmp_path: Path, value: str, words: str
) -> None:
    done = call(tmp_path, "run", "--iterations", "1", "--mock", "--set", value)
    assert done.returncode == ExitCode.USAGE
    assert words in done.stderr
    assert "--causal-set" not in done.stderr


def test_the_iterations_join_the_history(tmp_path: Path) -> None:
    call(tmp_path, "run", "--iterations", "4", "--warmup", "1", "--mock", "--run-id", "a")
    store = open_store(str(tmp_path / ".causal" / "history.db"), readonly=True)
    try:
        (session,) = store.sessions()
        runs = [record.run for record in store.history(HistoryQuery())]
    finally:
        store.close()
    assert (session.facts.kind, session.facts.profile, session.ending.exit_status) == (
        "soak",
        "steady_safe",
        0,
    )
    assert {run.scenario for run in runs} == {"soak:mock/steady_safe"}
    assert sorted((run.occurrence, run.outcome) for run in runs) == [
        (1, "skipped"), (2, "passed"), (3, "passed"), (4, "passed"),
    ]  # fmt: skip
    assert {metric.name for metric in runs[0].metrics} >= {"net_bps", "risk_ratio"}
    assert {read.path for read in runs[0].reads} >= {"quoting.min_interval_ms"}
    call(tmp_path, "resume", "a")
    env = {**os.environ, "CAUSAL_PROFILE": "steady_safe"}
    status = subprocess.run(
        [CAUSAL, "status", "--json"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    (scenario,) = json.loads(status.stdout)["scenarios"]
    assert (scenario["runs"], scenario["sessions"]) == (3, 1), "a run that is finished again is counted once"


def test_a_store_that_cannot_record_costs_one_line(tmp_path: Path) -> None:
    (tmp_path / ".causal" / "history.db").mkdir(parents=True)
    done = call(tmp_path, "run", "--iterations", "1", "--mock", "--run-id", "a")
    assert done.returncode == ExitCode.OK
    assert "the run is not in the history" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "the run has no length"),
        (["run", "--iterations", "0"], "0 is not in the range"),
        (["run", "--iterations", "1", "--workload", "command"], "no command was given"),
        (["run", "--iterations", "1", "--workload", "http"], "no URL was given"),
        (["run", "--iterations", "1", "--mock", "--", "true"], "a command was given"),
        (["run", "--iterations", "1", "--workload", "mokc"], "'mokc'"),
        (["run", "--iterations", "1", "--mock-mode", "stormy"], "'stormy'"),
        (["run", "--iterations", "1", "--preset", "x.json"], "there is none"),
        (["run", "--iterations", "1", "--run-id", "../x"], "no name of a run"),
        (["run", "--iterations", "1", "--set", "a.b"], "write it as PATH=VALUE"),
        (["run", "--iterations", "1", "--profile", "steady"], "did you mean 'steady_safe'"),
    ],
)
def test_wrong_calls_are_usage_errors_and_begin_nothing(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = call(tmp_path, *words)
    assert done.returncode == ExitCode.USAGE
    assert message in done.stderr
    assert not list(tmp_path.glob("artifacts/soak/*/journal.jsonl"))


@pytest.mark.parametrize("sleep", ["-1", "nan", "inf", "1e9", "1000000000", "5 minutes", "", "\u0661"])
def test_k20_a_length_of_time_that_is_none_is_refused(tmp_path: Path, sleep: str) -> None:
    done = call(tmp_path, "run", "--iterations", "1", "--mock", f"--sleep={sleep}")
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert (
        call(tmp_path, "run", "--iterations", "1", "--mock", SOAK_SLEEP_SECONDS="-1").returncode
        == ExitCode.USAGE
    )


def test_d25_a_variable_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "--iterations", "1", "--mock", MM_RUNTIME_OVERRIDES_JSON="{")
    assert done.returncode == ExitCode.BAD_CONFIG
    assert "MM_RUNTIME_OVERRIDES_JSON" in done.stderr


def test_d26_a_soak_touches_its_own_folder_and_nothing_else(tmp_path: Path) -> None:
    mine = tmp_path / "artifacts" / "soak" / "latest" / "ITER_SUMMARY_1.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("{}", "utf-8")
    call(
        tmp_path, "run", "--iterations", "1", "--mock", "--run-id", "a", "--no-history", "--out", "elsewhere"
    )
    assert mine.read_text("utf-8") == "{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "elsewhere"]
    again = ("--iterations", "1", "--mock", "--run-id", "a", "--no-history", "--out", "elsewhere")
    refused = call(tmp_path, "run", *again)
    assert refused.returncode == ExitCode.USAGE, "nothing is wiped to begin again"


def test_the_name_of_old_takes_the_options_of_old(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.soak.run", "--iterations", "3", "--auto-tune", "--mock", "--run-id", "a"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == ExitCode.OK, done.stderr
    assert (tmp_path / "artifacts" / "soak" / "a" / "TUNING_REPORT.json").exists()
    helped = subprocess.run(
        [sys.executable, "-m", "tools.soak.run", "--help"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert helped.returncode == ExitCode.OK
    assert "--auto-tune" in helped.stdout


def test_every_guard_is_explained_before_a_run(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "--iterations", "2", "--mock", "--auto-tune", "--explain")
    assert done.returncode == ExitCode.OK
    for guard in ("kill_switch", "hard_kpi", "freeze", "bounds", "cooldown", "rate", "velocity", "oscillation",
                  "budget", "keys", "last_iteration"):  # fmt: skip
        assert re.search(rf"^  {guard} +can (never )?refuse: ", done.stdout, flags=re.MULTILINE)
    assert "can never refuse" in done.stdout
    assert not (tmp_path / "artifacts").exists()
    assert "nothing is tuned" in call(tmp_path, "run", "--iterations", "2", "--mock", "--explain").stdout


def test_a_command_is_run_under_the_values_of_the_profile(tmp_path: Path) -> None:
    program = tmp_path / "load.py"
    program.write_text(
        "import json, os\n"
        "policy = json.load(open(os.environ['CAUSAL_POLICY_FILE']))\n"
        "interval = policy['quoting']['min_interval_ms']\n"
        "metrics = {'risk_ratio': 0.3, 'net_bps': 3.0, 'maker_taker_ratio': 0.9, 'interval': interval}\n"
        "json.dump({'metrics': metrics, 'policy': {'quoting': {'min_interval_ms': interval}}},"
        " open(os.environ['CAUSAL_RESULT_FILE'], 'w'))\n",
        "utf-8",
    )
    words = [
        "run",
        "--iterations",
        "2",
        "--profile",
        "aggressive",
        "--run-id",
        "a",
        "--",
        sys.executable,
        str(program),
    ]
    done = call(tmp_path, *words)
    assert done.returncode == ExitCode.OK, done.stderr
    summary = json.loads((tmp_path / "artifacts/soak/a/ITER_SUMMARY_2.json").read_text("utf-8"))
    assert (summary["scenario"], summary["metrics"]["interval"]["value"]) == ("soak:command/aggressive", 50)
    assert summary["reads"] == [{"how": "observed", "path": "quoting.min_interval_ms", "value": "50"}]


def test_without_limits_to_be_judged_by_nothing_is_begun(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "--iterations", "1", "--", "true")
    assert done.returncode == ExitCode.BAD_CONFIG
    assert "there is no profile" in done.stderr


@pytest.mark.parametrize("words", [["resume", "a"], ["revert", "a"], ["report", "a"], ["verify", "a"]])
def test_a_run_that_is_not_there_is_missing_input(tmp_path: Path, words: list[str]) -> None:
    done = call(tmp_path, *words)
    assert done.returncode == ExitCode.NO_INPUT
    assert "there is no run a" in done.stderr


def test_the_artifacts_of_the_predecessor_are_verified(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts" / "soak" / "old"
    folder.mkdir(parents=True)
    data = {"iteration": 1, "summary": {}, "tuning": {"applied": True, "deltas": {"tail_age_ms": 30}}}
    (folder / "ITER_SUMMARY_1.json").write_text(json.dumps(data), "utf-8")
    (folder / "runtime_overrides.json").write_text('{"engine": {"tail_age_ms": 30}}', "utf-8")
    done = call(tmp_path, "verify", "old")
    assert done.returncode == ExitCode.FAIL
    assert "engine.tail_age_ms is 30: the change itself" in done.stdout


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_d16_k18_a_run_that_is_told_to_stop_says_how_to_go_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [CAUSAL, "soak", "run", "--iterations", "3", "--mock", "--sleep", "600", "--run-id", "a"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    summary = tmp_path / "artifacts" / "soak" / "a" / "ITER_SUMMARY_1.json"
    until = time.monotonic() + 60
    while not summary.exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, words = process.communicate(timeout=60)
    assert process.returncode == ExitCode.BUSY
    assert "SIGTERM; go on with: causal soak resume a" in words
    (listed,) = json.loads(call(tmp_path, "list", "--json").stdout)["runs"]
    assert (listed["state"], listed["iterations"]) == ("resumable", 1)
    assert call(tmp_path, "revert", "a").returncode == ExitCode.OK
    assert call(tmp_path, "resume", "a").returncode == ExitCode.LOCKED
