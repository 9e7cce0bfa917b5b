"""A suite in a folder of its own, run by a real pytest process, and what the store then holds."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_causal.model.evidence import Evidence
from pytest_causal.model.run import Run
from pytest_causal.model.session import Session
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store


@dataclass
class Suite:
    root: Path

    @property
    def store(self) -> Path:
        return self.root / ".causal" / "history.db"

    def write(self, **files: str) -> Suite:
        for name, text in files.items():
            path = self.root / (name + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), "utf-8")
        return self

    def env(self, **more: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CAUSAL_", "PYTEST_", "COV_", "MM_", "GITHUB_", "CI", "GITLAB_"))
        }
        return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **more}

    def command(self, *args: str, causal: bool = True) -> list[str]:
        plugins = ["-p", "causal"] if causal else []
        if any(arg.startswith(("-n", "--dist")) for arg in args):
            plugins = ["-p", "xdist", *plugins]
        return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins, *args]

    def run(self, *args: str, causal: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*args, causal=causal),
            cwd=self.root,
            env=self.env(**env),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )

    def causal(self, *args: str) -> str:
        """What the command line says of the store; it must succeed."""
        code = "import sys; from pytest_causal.cli.main import main; sys.exit(main())"
        said = subprocess.run(
            [sys.executable, "-c", code, *args],
            cwd=self.root,
            env=self.env(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return said.stdout

    def runs(self) -> list[Run]:
        """Every stored run, oldest first."""
        store = open_store(str(self.store), readonly=True)
        try:
            return [record.run for record in store.history(HistoryQuery())][::-1]
        finally:
            store.close()

    def by_test(self) -> dict[str, Run]:
        """The stored runs of the only session by test name; each name must be there once."""
        runs = self.runs()
        named = {run.nodeid.rpartition("::")[2]: run for run in runs}
        assert len(named) == len(runs), Counter(run.nodeid for run in runs)
        return named

    def outcomes(self) -> dict[str, str]:
        return {name: str(run.outcome) for name, run in self.by_test().items()}

    def evidence(self) -> dict[str, Evidence]:
        """The running states by scenario; each must have one."""
        store = open_store(str(self.store), readonly=True)
        try:
            states = list(store.all_evidence())
            names = store.scenario_names([state.scenario_id for state in states])
        finally:
            store.close()
        assert len(names) == len(states)
        return {names[state.scenario_id]: state for state in states}

    def sessions(self) -> list[Session]:
        store = open_store(str(self.store), readonly=True)
        try:
            return store.sessions()
        finally:
            store.close()

    def session(self) -> Session:
        (session,) = self.sessions()
        return session


@pytest.fixture(params=[(), pytest.param(("-n2",), marks=pytest.mark.needs_xdist)], ids=["plain", "n2"])
def distribution(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The arguments that distribute a run, or none: a test that asks for it is run both ways."""
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    root = tmp_path / "suite"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    return Suite(root)


@dataclass
class InnerSuite(Suite):
    """The same, run by pytest inside this process: fast, for what neither loads, forks, kills nor distributes."""

    pytester: pytest.Pytester
    patch: pytest.MonkeyPatch

    def run(self, *args: str, causal: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*args, causal=causal)
        with self.patch.context() as patch:
            for name in set(os.environ) - set(self.env()):
                patch.delenv(name)
            for name, value in self.env(**env).items():
                patch.setenv(name, value)
            result = self.pytester.runpytest_inprocess(*command[3:])
        return subprocess.CompletedProcess(command, result.ret, str(result.stdout), str(result.stderr))


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> InnerSuite:
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    return InnerSuite(pytester.path, pytester, monkeypatch)
