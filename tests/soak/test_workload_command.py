"""Programs as they come: each case is a real process."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.processes import MARK
from pytest_causal.model.run import Read, ReadHow
from tools.soak.interruption import Interruption
from tools.soak.measurement import Measurement
from tools.soak.workload_command import CommandWorkload
from tools.soak.workloads import Task

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups of POSIX")
ANSWER = """
import json, os, sys, time, signal, subprocess
policy = json.load(open(os.environ["CAUSAL_POLICY_FILE"]))
def answer(metrics, policy={"limits.rows": policy["limits"]["rows"]}):
    document = {"metrics": metrics} if policy is None else {"metrics": metrics, "policy": policy}
    open(os.environ["CAUSAL_RESULT_FILE"], "w").write(json.dumps(document))
"""


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., Measurement]:
    def run(program: str, **changes: Any) -> Measurement:
        given: dict[str, Any] = {
            "run": "a",
            "iteration": 3,
            "seed": 7,
            "values": {"limits.rows": 10, "limits.ms": 2.5},
            "folder": tmp_path / "attempt",
            "timeout_seconds": 30.0,
            "interruption": Interruption(),
        }
        task = Task(**{**given, **changes})
        return CommandWorkload(command=(sys.executable, "-c", ANSWER + program)).measure(task)

    return run


def marked_processes() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"{MARK}={os.getpid()}-".encode() in environment:
            found.append(folder.name)
    return found


def test_a_program_is_told_its_values_and_answers(measure) -> None:
    found = measure('answer({"rows": policy["limits"]["rows"], "ms": policy["limits"]["ms"]})')
    assert found.problem == ""
    assert {name: sample.value for name, sample in found.metrics.items()} == {"rows": 10.0, "ms": 2.5}
    assert found.reads == (Read("limits.rows", "10", ReadHow.OBSERVED),)


def test_a_program_knows_the_soak_it_runs_in(measure) -> None:
    found = measure('answer({name: float(os.environ["SOAK_" + name]) for name in ("ITERATION", "SEED")})')
    assert {name: sample.value for name, sample in found.metrics.items()} == {"ITERATION": 3.0, "SEED": 7.0}


def test_an_answer_without_policy_has_read_nothing(measure) -> None:
    found = measure('answer({"rows": 1}, None)')
    assert (found.problem, found.reads) == ("", ())


def test_a_program_that_used_other_values_than_it_was_given_is_told_on(measure) -> None:
    found = measure('answer({"rows": 1}, {"limits.rows": 11})')
    assert found.problem == "it used other values than it was given: limits.rows"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("pass", "it did not answer"),
        ('open(os.environ["CAUSAL_RESULT_FILE"], "w").write("{")', "the answer:1"),
        ('open(os.environ["CAUSAL_RESULT_FILE"], "w").write("[]")', "not a JSON object"),
        ('open(os.environ["CAUSAL_RESULT_FILE"], "w").write("{}")', "the answer has no metrics"),
        ('open(os.environ["CAUSAL_RESULT_FILE"], "w").write(" " * 2_000_000)', "larger than 1,000,000 bytes"),
        ('os.symlink("/etc/passwd", os.environ["CAUSAL_RESULT_FILE"])', "the answer is a link"),
        ('os.mkfifo(os.environ["CAUSAL_RESULT_FILE"])', "the answer is not a regular file"),
        ('answer({"rows": 1}, [])', "the answer's policy is []"),
        ('answer({"rows": 1}, {"limits.rowz": 10})', "there is no 'limits.rowz' in the policy"),
    ],
    ids=["none", "no json", "list", "no metrics", "huge", "link", "pipe", "no policy", "unknown path"],
)
def test_k13_k15_what_is_no_answer_is_a_problem(measure, program: str, problem: str) -> None:
    assert problem in measure(program).problem


@pytest.mark.parametrize("value", ["null", '"0"', "[1]"])
def test_k13_a_metric_that_is_no_number_has_no_value(measure, value: str) -> None:
    text = f'{{"metrics": {{"rows": {value}}}}}'
    found = measure(f"open(os.environ['CAUSAL_RESULT_FILE'], 'w').write({text!r})")
    assert found.metrics["rows"].value is None


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_k13_what_json_has_no_word_for_spoils_the_answer(measure, value: str) -> None:
    text = f'{{"metrics": {{"rows": {value}}}}}'
    found = measure(f"open(os.environ['CAUSAL_RESULT_FILE'], 'w').write({text!r})")
    assert (dict(found.metrics), value in found.problem) == ({}, True)


def test_k13_an_answer_of_before_is_not_taken_for_one_of_now(measure, tmp_path: Path) -> None:
    assert measure('answer({"rows": 1})').problem == ""
    (tmp_path / "attempt").mkdir()
    (tmp_path / "attempt" / "result.json").write_text(json.dumps({"metrics": {"rows": 1}}), "utf-8")
    assert measure("pass").problem == "it did not answer"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ('answer({"rows": 1}); print("out of rows"); sys.exit(3)', "exit status 3: out of rows"),
        ('answer({"rows": 1}); os.kill(os.getpid(), signal.SIGSEGV)', "killed by SIGSEGV"),
        ('sys.stdout.close(); os.close(1); os.close(2); answer({"rows": 1})', ""),
        ('sys.stdin.read(); answer({"rows": 1})', ""),
        ('answer({"rows": 1}); open("/dev/tty")', "exit status 1"),
    ],
    ids=["exits", "dies", "closes its output", "reads its input", "wants a terminal"],
)
def test_k15_how_a_program_ends_is_recorded(measure, program: str, problem: str) -> None:
    found = measure(program)
    assert found.problem.startswith(problem)
    assert bool(found.problem) == bool(problem)
    assert found.metrics["rows"].value == 1


def test_k15_a_program_that_hangs_is_ended_with_all_it_started(measure) -> None:
    program = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
time.sleep(600)
"""
    found = measure(program, timeout_seconds=0.5)
    assert found.problem.startswith("not done in ")
    assert marked_processes() == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_k15_a_daemon_that_left_the_group_is_found_and_killed(measure) -> None:
    program = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        time.sleep(600)
    os._exit(0)
time.sleep(0.3)
answer({"rows": 1})
"""
    found = measure(program)
    assert found.problem == "1 of its processes were left behind and killed"
    assert marked_processes() == []


@pytest.mark.slow
def test_k15_a_flood_of_output_is_read_and_forgotten(measure) -> None:
    found = measure(
        "chunk = b'\\x1b[2J\\xff\\0' * 200_000\n"
        "for _ in range(1000): sys.stdout.buffer.write(chunk)\n"
        "sys.stdout.flush(); answer({'rows': 1})"
    )
    assert found.problem == ""


@pytest.mark.parametrize("words", [b"\x1b]0;owned\x07", b"\xff\xfe\x00", "\u202eabc".encode()])
def test_k15_binary_output_in_a_problem_is_text(measure, words: bytes) -> None:
    found = measure(f"sys.stdout.buffer.write({words!r}); sys.stdout.flush(); sys.exit(1)")
    assert found.problem.startswith("exit status 1: ")
    json.dumps(found.to_json())


def test_k15_a_program_that_removes_its_directory_is_survived(measure, tmp_path: Path, monkeypatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert measure('import shutil; shutil.rmtree(os.getcwd()); answer({"rows": 1})').problem == ""
    assert not gone.exists()


def test_a_program_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    task = Task(
        run="a",
        iteration=1,
        seed=1,
        values={},
        folder=tmp_path / "a",
        timeout_seconds=1.0,
        interruption=Interruption(),
    )
    found = CommandWorkload(command=("/nowhere/program",)).measure(task)
    assert found.problem == "/nowhere/program cannot be started (No such file or directory)"


def test_k18_an_interruption_ends_the_program(measure) -> None:
    interruption = Interruption()
    threading.Timer(0.3, interruption.ask, ("SIGTERM",)).start()
    began = time.monotonic()
    found = measure("time.sleep(600)", interruption=interruption)
    assert found.problem.startswith("interrupted")
    assert time.monotonic() - began < 60
    assert marked_processes() == []


def test_the_policy_file_is_for_its_owner_alone_and_gone_afterwards(measure, tmp_path: Path) -> None:
    found = measure('answer({"mode": float(os.stat(os.environ["CAUSAL_POLICY_FILE"]).st_mode & 0o777)})')
    assert found.metrics["mode"].value == 0o600
    assert not (tmp_path / "attempt").exists()


def test_the_value_of_a_secret_is_recorded_as_a_hash(measure) -> None:
    found = measure(
        'answer({"rows": 1}, {"db.password": policy["db"]["password"]})',
        values={"db.password": "hunter2", "limits.rows": 1},
        secrets=frozenset({"db.password"}),
    )
    assert found.problem == ""
    assert "hunter2" not in json.dumps(found.to_json())
