"""A world to act in from the command line: its histories are made by the world, its clock is that of the commands."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click.testing
import pytest

from pytest_causal import clock
from pytest_causal.cli.main import causal
from pytest_causal.model.promotion import Promotion, State
from pytest_causal.model.run import Run
from pytest_causal.policy.in_force import Policy
from tests.actions.world import System, World
from tests.cli.conftest import Project

POLICY = """
[policy.limits]
rows = 500
wait_ms = 200

[bounds]
"limits.rows" = {min = 10, max = 5000}
"""
RULE = """
[[promotion]]
name = "more-rows"
scenarios = ["load"]
changes = {"limits.rows" = 800}
mode = "%s"
criteria = {unit = "run", min_runs = 25}
revert_when = {failure_rate = {max = 0.2}}
watch_sessions = 2
"""


class Commands:
    """``causal`` on a world. ``breaks_above`` is the number of rows from which on the scenario ``load`` fails.

    The scenario ``idle`` reads no value.
    """

    def __init__(self, root: Path, config: str) -> None:
        self.world = World(root, config)
        self.root = root
        self.breaks_above = 10**9
        self.world.tests |= {"load": self._load, "idle": lambda policy, metric: None}

    def _load(self, policy: Any, metric: Any) -> None:
        rows = policy["limits"]["rows"]
        metric("rows", rows)
        if rows > self.breaks_above:
            raise ValueError(f"{rows} rows are too many")

    def sessions(self, count: int, *, reviewed: bool = False, **others: Any) -> None:
        """Record sessions; without a review nothing is decided in them."""
        for _ in range(count):
            self.world.session(reviewed=reviewed, **others)

    def sessions_under(self, count: int, **values: Any) -> None:
        """Record sessions that ran under values of their own, as ``--causal-set`` gives them (``section__key``)."""
        given = {name.replace("__", "."): value for name, value in values.items()}
        ordinary = self.world._run

        def run(name: str, system: System, arm: str, policy: Policy, after: Mapping[str, Any]) -> Run:
            return ordinary(name, system, arm, policy, given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.world, "_run", run)
            self.sessions(count, shadow=False)

    def causal(self, *arguments: str, code: int | None = None) -> click.testing.Result:
        """Run ``causal`` in this process, and hold it to an exit code."""
        result = click.testing.CliRunner().invoke(causal, list(arguments), prog_name="causal")
        if code is not None:
            assert result.exit_code == code, result.output
        return result

    def said(self, *arguments: str, code: int = 0) -> str:
        """Run ``causal`` and return what it wrote, on both streams."""
        return self.causal(*arguments, code=code).output

    def json(self, *arguments: str, schema: str, code: int = 0) -> dict[str, Any]:
        """Run a command with ``--json``; its output must be one object, as the schema says."""
        result = self.causal(*arguments, "--json", code=code)
        document: dict[str, Any] = Project.parsed(result.stdout)
        Project.check_schema(document, schema)
        return document

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the audit as JSON Lines; each must be as the schema says."""
        documents = [
            Project.parsed(line) for line in self.causal("audit", *arguments, "--json").stdout.splitlines()
        ]
        for document in documents:
            Project.check_schema(document, "audit")
        return documents

    def value(self, path: str) -> Any:
        return self.world.value(path)

    def promotion(self, name: str = "more-rows") -> Promotion:
        return self.world.promotion(name)

    def states(self) -> dict[str, State]:
        return {each.name: each.state for each in self.world.store.promotions()}

    def edit_overrides(self, path: str, value: Any) -> None:
        """Change a value of the override file as a hand does."""
        file = self.world.context.overrides_path
        data = json.loads(file.read_text())
        table, key = path.split(".")
        data["values"].setdefault(table, {})[key] = value
        file.write_text(json.dumps(data))


@contextmanager
def commands_in(
    root: Path, monkeypatch: pytest.MonkeyPatch, config: str = POLICY + RULE % "propose"
) -> Iterator[Commands]:
    """Give a world in a directory, which is the current one, and whose newest session was a minute ago."""
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    made = Commands(root, config)
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    monkeypatch.setattr(clock, "now_us", lambda: made.world.now_us + 60_000_000)
    try:
        yield made
    finally:
        made.world.store.close()
