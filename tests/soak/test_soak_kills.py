"""Runs that are killed, with SIGKILL, at every step there is, and go on: in processes of their own."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tools.soak.journal import Step, read_journal
from tools.soak.progress import replay
from tools.soak.verify import verify

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"),
]
ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).parent / "children" / "killed_soak.py"
LINES = 38
"""Lines that the child's journal has when nothing kills it: BEGUN, six for each of six iterations, FINISHED."""


def start(out: Path, where: str, line: int, how: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(out), "a", where, str(line), how],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def run(out: Path, where: str, line: int, how: str) -> int:
    process = start(out, where, line, how)
    _, error = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), error.decode()
    return process.returncode


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("whole") / "soak"
    assert run(out, "after", 0, "begin") == 0
    assert sum(1 for _ in read_journal(out / "a" / "journal.jsonl")) == LINES
    return artifacts(out / "a")


def artifacts(folder: Path) -> dict[str, Any]:
    """Return the artifacts of a run without what is declared to differ."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_bytes())
        data.pop("volatile", None)
        for entry in data.get("entries", {}).values():
            del entry["at"]
        found[path.name] = json.dumps(data, sort_keys=True)
    return found


def check(out: Path, expected: dict[str, Any]) -> None:
    folder = out / "a"
    lines = list(read_journal(folder / "journal.jsonl"))
    for step in (Step.PLANNED, Step.MEASURED, Step.DECIDED, Step.APPLIED, Step.DONE):
        assert [line.iteration for line in lines if line.step is step] == [1, 2, 3, 4, 5, 6]
    assert artifacts(folder) == expected
    assert len(expected) == 9, "six summaries, report, gate, overrides"
    assert verify(folder).found == ()


@pytest.mark.parametrize("where", ["before", "torn", "after"])
@pytest.mark.parametrize("line", range(2, LINES + 1, 1))
def test_k1_d15_killed_at_every_step_it_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, where: str, line: int, uninterrupted: dict[str, Any]
) -> None:
    out = tmp_path / "soak"
    assert run(out, where, line, "begin") == -signal.SIGKILL
    before = replay(read_journal(out / "a" / "journal.jsonl"))
    assert (before.finished is not None) == (line == LINES and where == "after")
    assert run(out, "after", 0, "resume") == 0
    check(out, uninterrupted)


@pytest.mark.parametrize("where", ["before", "torn", "after"])
def test_k2_killed_in_each_of_ten_resumes(tmp_path: Path, where: str, uninterrupted: dict[str, Any]) -> None:
    out = tmp_path / "soak"
    assert run(out, where, 3, "begin") == -signal.SIGKILL
    for killed in range(10):
        assert run(out, where, 2 + killed % 4, "resume") == -signal.SIGKILL
    assert run(out, "after", 0, "resume") == 0
    check(out, uninterrupted)


def test_k1_killed_at_random_moments(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    chance = random.Random(1)
    (tmp_path / "timed").mkdir()
    began = time.monotonic()
    assert run(tmp_path / "timed" / "soak", "after", 0, "begin") == 0
    takes_seconds = time.monotonic() - began
    kills = 0
    for round_number in range(10):
        out = tmp_path / str(round_number) / "soak"
        out.parent.mkdir()
        how = "begin"
        for _ in range(8):
            process = start(out, "after", 0, how)
            time.sleep(chance.uniform(0.5, 1.0) * takes_seconds)
            process.kill()
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
            journal = out / "a" / "journal.jsonl"
            how = "resume" if journal.exists() and journal.stat().st_size else "begin"
        if how == "begin":
            continue
        assert run(out, "after", 0, "resume") == 0
        check(out, uninterrupted)
    assert kills > 10
