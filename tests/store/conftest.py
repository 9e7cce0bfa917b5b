"""A store of each kind, and short ways to make what goes into it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.model.evidence import Evidence, Tally
from pytest_causal.model.run import Cause, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store

CHILDREN = Path(__file__).parent / "children"
START_US = 1_763_700_000_000_000


class Make:
    """Makes records whose every field is valid, and sessions that are whole."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def facts(self, **fields: Any) -> SessionFacts:
        number = next(self._numbers)
        return SessionFacts(
            **{"uid": f"uid-{number}", "key": f"key-{number}", "started_us": START_US, **fields}
        )

    def ending(self, **fields: Any) -> SessionEnding:
        finished_us = START_US + next(self._numbers)
        return SessionEnding(**{"state": SessionState.FINISHED, "finished_us": finished_us, **fields})

    def run(
        self, scenario: str = "tests/test_a.py::test_a", outcome: Outcome = Outcome.PASSED, **fields: Any
    ) -> Run:
        started_us = START_US + next(self._numbers)
        given = {"scenario": scenario, "nodeid": scenario, "outcome": outcome, "started_us": started_us}
        return Run(**{**given, **fields})

    def failed(self, scenario: str = "tests/test_a.py::test_a", **fields: Any) -> Run:
        cause = self.cause(is_infrastructure=fields.pop("is_infrastructure", False))
        return self.run(scenario, **{"outcome": Outcome.FAILED, "cause": cause, **fields})

    def cause(self, **fields: Any) -> Cause:
        return Cause(**{"phase": Phase.CALL, "type": "ValueError", "message": "no", **fields})

    def reads(self, how: ReadHow = ReadHow.TRACKED, **values: object) -> tuple[Read, ...]:
        return tuple(sorted(Read(path=path, value=str(value), how=how) for path, value in values.items()))

    def session(
        self, store: HistoryStore, runs: Sequence[Run], ending: SessionEnding | None = None, **facts: Any
    ) -> tuple[int, list[Tally]]:
        """Record a session from begin to end; return its number and tallies."""
        number = store.begin_session(self.facts(**facts))
        store.add_runs(number, runs)
        with store.concluding(number, ending or self.ending()) as conclusion:
            return number, list(conclusion.tallies())

    def evidence(self, tally: Tally, **fields: Any) -> Evidence:
        """Return a running state that is as good as a fold for a store, which only keeps it."""
        base = Evidence(scenario_id=tally.scenario_id, reads_id=tally.reads_id, passed=tally.passed)
        return base._replace(last_order=tally.order, last_session=tally.session, **fields)


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / ".causal" / "history.db"


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, store_path: Path) -> Iterator[HistoryStore]:
    opened = open_store(str(store_path))
    yield opened
    opened.close()


@pytest.fixture
def child():
    """Start a script of ``children/`` in a process of its own, which is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(
        script: str, *arguments: object, prefix: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[str]:
        command = [*prefix, sys.executable, str(CHILDREN / script), *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **{**pipes, **options}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def own_mounts() -> list[str]:
    """The start of a command line that runs the rest as root of a mount table of its own."""
    prefix = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    )
    probe = [*prefix, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    if sys.platform != "linux" or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this system gives no mount table of one's own, so no full or read-only disk can be made")
    return prefix
