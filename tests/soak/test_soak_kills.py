"""Runs that are killed, with SIGKILL, at every step there is, and go on: in processes of their own.

``SOAK_KILL_ROUNDS`` (1) says how often each line of the journal is gone through. A run has six iterations, so that
17 rounds kill it 102 times in each state, in each of three ways.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
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
ROUNDS = int(os.environ.get("SOAK_KILL_ROUNDS", "1"))
LINES = 38
"""Lines that the child's journal has when nothing kills it: BEGUN, six for each of six iterations, FINISHED."""
Order = Callable[..., int]


@pytest.fixture(scope="module")
def order() -> Iterator[Order]:
    """Give an order to ``killed_soak.py``; return how the process that did it ended, 0 or -9."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, str(CHILD)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        orders, answers = server.stdin, server.stdout
        assert orders is not None
        assert answers is not None

        def give(out: Path, how: str, where: str = "after", line: int = 0, kill_after: int = 0) -> int:
            orders.write(json.dumps([str(out), how, where, line, kill_after]) + "\n")
            orders.flush()
            code = int(answers.readline())
            assert code in (0, -signal.SIGKILL)
            return code

        yield give
        orders.close()
        assert server.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, order: Order) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("whole") / "soak"
    assert order(out, "begin") == 0
    assert sum(1 for _ in read_journal(out / "a" / "journal.jsonl")) == LINES
    return artifacts(out / "a")


def artifacts(folder: Path) -> dict[str, str]:
    """Return the text of the artifacts of a run without what is declared to differ."""
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


@pytest.mark.parametrize("round_number", range(ROUNDS))
@pytest.mark.parametrize("where", ["before", "torn", "after"])
def test_k1_d15_killed_at_every_step_it_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, order: Order, uninterrupted: dict[str, Any], where: str, round_number: int
) -> None:
    for line in range(2, LINES + 1):
        out = tmp_path / str(line) / "soak"
        assert order(out, "begin", where, line) == -signal.SIGKILL
        before = replay(read_journal(out / "a" / "journal.jsonl"))
        assert (before.finished is not None) == (line == LINES and where == "after")
        assert order(out, "resume") == 0
        check(out, uninterrupted)


@pytest.mark.parametrize("round_number", range(ROUNDS))
@pytest.mark.parametrize("where", ["before", "torn", "after"])
def test_k2_killed_in_each_of_ten_resumes(
    tmp_path: Path, order: Order, uninterrupted: dict[str, Any], where: str, round_number: int
) -> None:
    out = tmp_path / "soak"
    assert order(out, "begin", where, 3 + round_number % 6) == -signal.SIGKILL
    for killed in range(10):
        assert order(out, "resume", where, 2 + killed % 4) == -signal.SIGKILL
    assert order(out, "resume") == 0
    check(out, uninterrupted)


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_k1_killed_at_random_moments(
    tmp_path: Path, order: Order, uninterrupted: dict[str, Any], round_number: int
) -> None:
    """Where a kill comes is chance here: in a write, between two, in the making of an artifact."""
    chance = random.Random(round_number)
    kills = interrupted = 0
    for soak in range(5):
        out = tmp_path / str(soak) / "soak"
        journal, how = out / "a" / "journal.jsonl", "begin"
        for _ in range(8):
            kills += order(out, how, kill_after=chance.randint(1, 15_000)) == -signal.SIGKILL
            if journal.exists() and list(read_journal(journal)):
                how = "resume"
        interrupted += how == "resume" and replay(read_journal(journal)).resumes > 0
        assert order(out, how) == 0
        check(out, uninterrupted)
    assert kills >= 5
    assert interrupted >= 2, "some were killed on their way"
