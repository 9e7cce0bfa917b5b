"""``causal trial`` on a real program: what it says, what it exits with, and that nothing of it runs on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_causal.policy.overrides import put_overrides
from pytest_causal.store.liveness import is_alive
from tests.actions.trial_ground import make_project

if TYPE_CHECKING:
    from tests.cli.conftest import Project

QUICK = ("--sessions", "5", "--min-effect", "0.5", "--seed", "3")
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def ground(project: Project) -> Project:
    make_project(project.root)
    return project


def program(word: str) -> list[str]:
    return ["--", sys.executable, "-S", "program.py", word]


def document(ground: Project, *words: str, code: int) -> dict[str, Any]:
    result = ground.causal("trial", "--json", *words)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = ground.parsed(result.stdout)
    ground.check_schema(found, "trial")
    return found


def test_a_pass_exits_0_and_shows_both_arms(ground: Project) -> None:
    result = ground.causal("trial", "bigger", *QUICK, *program("honest"))
    assert result.exit_code == 0, result.output
    assert "trial of bigger: pool.size 2 -> 4" in result.stderr
    assert "seed 3" in result.stderr
    assert "load read pool.size (observed)" in result.stdout
    assert "pass: in 5 rounds nothing was worse, and a harm of 50 % is ruled out (95 % sure)" in result.stdout


def test_what_was_found_is_kept_with_the_promotion(ground: Project) -> None:
    result = ground.causal("trial", "bigger", *QUICK, *program("fails"))
    assert "recorded with P-1: causal decide bigger" in result.stderr
    assert "P-1 bigger: tried, to be decided: pool.size: 2 -> 4" in ground.causal("status").stdout
    words = "UTC: fail after 5 rounds: worse"
    assert words in ground.causal("status").stdout
    assert words in ground.causal("decide").stdout
    (promotion,) = ground.json("status")["promotions"]
    assert (promotion["state"], promotion["trial"]["reasons"]) == ("trial", ["worse"])
    row = ground.parsed(ground.causal("audit", "--json").stdout)
    ground.check_schema(row, "audit")
    assert (row["state_after"], row["trial"]["verdict"], row["trial"]["seed"]) == ("trial", "fail", 3)
    decided = ground.parsed(ground.causal("decide", "bigger", "--json").stdout)
    ground.check_schema(decided, "decision")
    assert decided["rules"][0]["trial"]["rounds"] == 5


def test_what_cannot_be_kept_is_said_and_what_was_found_still_stands(ground: Project) -> None:
    (ground.root / ".causal").mkdir()
    put_overrides(ground.root / ".causal" / "runtime_overrides.json", 1, {"pool.size": 3}, {})
    result = ground.causal("trial", "bigger", *QUICK, *program("honest"))
    assert result.exit_code == 0, result.output
    assert "the trial is not recorded with its promotion: " in result.stderr
    assert "causal reconcile" in result.stderr


def test_a_failure_exits_1(ground: Project) -> None:
    found = document(ground, "bigger", *QUICK, *program("fails"), code=1)
    assert (found["verdict"], found["reasons"]) == ("fail", ["worse"])
    assert (found["kind"], found["command"][-1], found["seed"]) == ("command", "fails", 3)
    assert found["change"] == [{"path": "pool.size", "from": 2, "to": 4}]
    assert len(found["sessions"]) == 10


@pytest.mark.parametrize(("word", "reason"), [("silent", "no_data"), ("no-policy", "inert")])
def test_m10_what_shows_nothing_exits_3(ground: Project, word: str, reason: str) -> None:
    found = document(ground, "bigger", *QUICK, *program(word), code=3)
    assert (found["verdict"], found["reasons"]) == ("inconclusive", [reason])


def test_where_nothing_would_change_it_exits_3(ground: Project) -> None:
    result = ground.causal("trial", "same", *program("honest"))
    assert result.exit_code == 3
    assert "the policy has these values already" in result.stdout


def test_the_default_is_enough_rounds_for_a_clean_pass(ground: Project) -> None:
    found = document(ground, "bigger", *program("honest"), code=0)
    assert (found["rounds"], found["rounds_needed"]) == (16, 14)


def test_without_a_seed_one_is_drawn_and_shown(ground: Project) -> None:
    quick = ("--sessions", "1", *program("honest"))
    seeds = {document(ground, "bigger", *quick, code=3)["seed"] for _ in range(2)}
    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["nobody", "--", "true"], 78, "there is no promotion 'nobody'"),
        (["bigger", "--as", "command"], 64, "there is no command to try"),
        (["bigger", "--as", "command", "--", "./none"], 66, "there is no program './none'"),
        (["bigger", "--sessions", "0", "--", "true"], 64, "0 is not in the range"),
        (["bigger", "--budget", "0", "--", "true"], 64, "0.0 is not in the range"),
        (["bigger", "--timeout", "nan", "--", "true"], 64, "nan is not"),
        (["bigger", "--min-effect", "0", "--", "true"], 64, "0.0 is not in the range"),
        ([], 64, "NAME"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(
    ground: Project, words: list[str], code: int, what: str
) -> None:
    result = ground.causal("trial", *words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert what in result.stderr
    assert not ground.store.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["-q", "test_suite.py"], ["test_suite.py::test_load"], ["pytest", "-q"], ["."]]
)
def test_arguments_of_pytest_are_told_from_a_program(ground: Project, words: list[str]) -> None:
    (ground.root / "test_suite.py").write_text(
        "import pytest\n"
        "@pytest.mark.scenario('load')\n"
        "def test_load(causal_policy):\n"
        "    assert causal_policy['pool']['size']\n"
    )
    found = document(ground, "bigger", "--sessions", "1", "--", *words, code=3)
    assert (found["kind"], found["reasons"]) == ("pytest", ["too_few_rounds"])
    assert found["scenarios"][0]["reads"] == [{"path": "pool.size", "how": "tracked"}]


@pytest.mark.fault
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_exits_75_and_leaves_nothing_running(ground: Project, number: int) -> None:
    code = "from pytest_causal.cli.main import main; main()"
    script = [sys.executable, "-c", code]
    words = ["trial", "bigger", "--json", *program("hangs")]
    with subprocess.Popen([*script, *words], stdout=subprocess.PIPE, text=True, cwd=ground.root) as trial:
        pids_file = ground.root / "pids"
        until = time.monotonic() + 30
        while not pids_file.exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        assert trial.poll() is None
        trial.send_signal(number)
        said, _ = trial.communicate(timeout=30)
    assert trial.returncode == 75
    found = json.loads(said)
    assert (found["reasons"], found["stopped"]) == (["interrupted"], "interrupted")
    pids = [int(word) for word in pids_file.read_text().split()]
    assert pids
    assert not any(is_alive(f"{pid}:0") for pid in pids)


@pytest.mark.needs_checkout
@pytest.mark.parametrize(
    ("path", "value", "verdict", "code"),
    [
        ("pool.size", 4, "pass", 0),
        ("standard.max_wall_time_ms", 1, "fail", 1),
        ("deep.max_rows", 9, "inconclusive", 3),
    ],
)
def test_the_example_service_is_measured_under_both_policies(
    project: Project, monkeypatch: pytest.MonkeyPatch, path: str, value: int, verdict: str, code: int
) -> None:
    config = (EXAMPLES / "query_service" / "causal.toml").read_text("utf-8")
    rule = f'[[promotion]]\nname = "tried"\nscenarios = ["service"]\nchanges = {{ "{path}" = {value} }}\n'
    (project.root / "causal.toml").write_text(config + rule)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")]))
    measure = ["--", sys.executable, "-m", "query_service.measure", "--orders", "4000"]
    found = document(project, "tried", *QUICK, *measure, code=code)
    assert found["verdict"] == verdict
    (scenario,) = found["scenarios"]
    assert scenario["is_inert"] == (verdict == "inconclusive")
    assert "p95_latency_ms" in scenario["metrics"]
