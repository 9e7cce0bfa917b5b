"""A project in a directory of its own, a history recorded through the store's own interface, and ``causal`` on it."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click.testing
import jsonschema
import pytest

from pytest_causal import clock
from pytest_causal.actions.conclude import conclude_session
from pytest_causal.cli.main import causal
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.run import Cause, Outcome, Phase, Read, Run
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.liveness import process_identity
from pytest_causal.store.opening import open_store

if TYPE_CHECKING:
    from tests.cli.worlds import Commands

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "causal")
MINUTE_US = 60_000_000
FAILURE = Cause(phase=Phase.CALL, type="builtins.AssertionError", message="AssertionError: it broke")
FAILURES = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED})

Spec = Outcome | Run | Sequence[Outcome | Run]
"""What a scenario did in a session: an outcome, a whole run, or several of them."""


class Project:
    """A directory with a history. Sessions begin a minute apart and lie in the last hours."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / ".causal" / "history.db"
        self.criteria = Criteria()
        self.next_us = clock.now_us() - 400 * MINUTE_US

    @contextmanager
    def writing(self) -> Iterator[HistoryStore]:
        store = open_store(str(self.store))
        try:
            yield store
        finally:
            store.close()

    def record(
        self,
        runs: Mapping[str, Spec],
        *,
        state: SessionState = SessionState.FINISHED,
        declare: Iterable[Declaration] = (),
        **facts: Any,
    ) -> int:
        """Record a session and return its number; one that is RUNNING is left so, and recorded by this process."""
        began_us = self.next_us
        self.next_us += MINUTE_US
        uid = f"{began_us:x}"
        given: dict[str, Any] = {"uid": uid, "key": uid, "started_us": began_us} | facts
        given = {"host": os.uname().nodename, "process": process_identity()} | given
        with self.writing() as store:
            number = store.begin_session(SessionFacts(**given))
            store.add_runs(number, list(whole_runs(runs, began_us)))
            store.declare(list(declare))
            if state is not SessionState.RUNNING:
                ending = SessionEnding(state=state, finished_us=began_us + MINUTE_US // 2, is_dirty=False)
                conclude_session(store, number, ending, self.criteria)
        return number

    def causal(self, *arguments: str) -> click.testing.Result:
        """Run ``causal`` in this process."""
        return click.testing.CliRunner().invoke(causal, list(arguments), prog_name="causal")

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with ``--json``; its output must be one object, as its schema says, and nothing else."""
        result = self.causal(*arguments, "--json")
        assert result.exit_code == code, result.stderr
        document: dict[str, Any] = self.parsed(result.stdout)
        self.check_schema(document, arguments[0])
        return document

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        """Run ``causal history --json``; every line must be one object, as the schema says."""
        result = self.causal("history", *arguments, "--json")
        assert result.exit_code == 0, result.stderr
        documents = [self.parsed(line) for line in result.stdout.splitlines()]
        for document in documents:
            self.check_schema(document, "history")
        return documents

    @staticmethod
    def a_run(scenario: str, outcome: Outcome, started_us: int = 0, **fields: Any) -> Run:
        """Return a run; one that failed has a cause."""
        cause = FAILURE if outcome in FAILURES else None
        given: dict[str, Any] = {"nodeid": scenario, "call_seconds": 0.25, "cause": cause} | fields
        return Run(scenario=scenario, outcome=outcome, started_us=started_us or clock.now_us(), **given)

    @staticmethod
    def reads(**leaves: object) -> tuple[Read, ...]:
        """Return reads of ``section__key=value``."""
        named = {name.replace("__", "."): json.dumps(value) for name, value in sorted(leaves.items())}
        return tuple(Read(path=path, value=value) for path, value in named.items())

    @staticmethod
    def parsed(text: str) -> Any:
        """Return what a text of JSON says; NaN, duplicate keys and anything but ASCII are refused."""

        def refuse(constant: str) -> None:
            raise ValueError(constant)

        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            assert len(dict(pairs)) == len(pairs)
            return dict(pairs)

        assert text.isascii()
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)

    @staticmethod
    def check_schema(document: Any, name: str) -> None:
        """Hold a document against the package's JSON Schema of this name."""
        schema = json.loads((files("pytest_causal") / "schemas" / f"{name}.schema.json").read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(document)

    def start(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``causal`` as a process."""
        return self.start_command(SCRIPT, *arguments, **env)

    def start_read_only(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command for which the project's directory cannot be written.

        Permissions do not stop the superuser, for whom it is mounted read-only, in a namespace of its own.
        """
        if os.geteuid() == 0:
            mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd "$1" && shift && exec "$@"'
            return self.start_command(
                "unshare", "-m", "sh", "-c", mount, "sh", str(self.root), *command, **env
            )
        places = [self.root, *self.root.rglob("*")]
        modes = [place.stat().st_mode for place in places]
        try:
            for place, mode in zip(places, modes, strict=True):
                place.chmod(mode & ~0o222)
            return self.start_command(*command, **env)
        finally:
            for place, mode in zip(places, modes, strict=True):
                place.chmod(mode)

    def start_command(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env=os.environ | env,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )


def whole_runs(runs: Mapping[str, Spec], began_us: int) -> Iterator[Run]:
    for name, spec in runs.items():
        for place, each in enumerate([spec] if isinstance(spec, Outcome | Run) else spec, 1):
            yield each if isinstance(each, Run) else Project.a_run(name, each, began_us, occurrence=place)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return an empty project, which is the current directory."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(root)
    return Project(root)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Give ``causal`` on a world with one rule of promotion, ``more-rows``, in mode ``propose``."""
    from tests.cli.worlds import commands_in

    with commands_in(tmp_path / "world", monkeypatch) as made:
        yield made
