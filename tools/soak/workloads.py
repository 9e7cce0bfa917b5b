"""Workloads: what a soak runs again and again. One protocol for all; each kind is a module of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tools.soak.interruption import Interruption
from tools.soak.measurement import Measurement

KINDS = ("mock", "command", "pytest", "http")


class Task(NamedTuple):
    """One iteration as a workload sees it.

    ``values`` is dotted path -> value in force, those at ``secrets`` not to be shown; ``folder`` is free for it.
    ``seed`` is the run's. The workload must come back when ``interruption`` is asked for, or when ``timeout_seconds``
    are over.
    """

    run: str
    iteration: int
    seed: int
    values: Mapping[str, Any]
    folder: Path
    timeout_seconds: float
    interruption: Interruption
    secrets: frozenset[str] = frozenset()
    profile: str = ""


@contextmanager
def empty_folder(folder: Path) -> Iterator[Path]:
    """Make the folder of a task, empty, and remove it afterwards: an answer in it can never be one of before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Workload(Protocol):
    """Something that can be run and measured under a policy."""

    def measure(self, task: Task) -> Measurement:
        """Run one iteration. What goes wrong inside the workload is a ``problem`` of the measurement, no exception."""


def open_workload(kind: str, options: Mapping[str, Any]) -> Workload:
    """Return the workload of a kind. ``options`` are those of a plan, checked when it was made."""
    match kind:
        case "mock":
            from tools.soak.mock_market import MockMarket, Mode
            from tools.soak.workload_mock import MockWorkload

            return MockWorkload(market=MockMarket(Mode(options["mode"]), options["seed"]))
        case "command":
            from tools.soak.workload_command import CommandWorkload

            return CommandWorkload(command=tuple(options["command"]))
        case "pytest":
            from tools.soak.workload_pytest import PytestWorkload

            return PytestWorkload(arguments=tuple(options["arguments"]))
        case "http":
            from tools.soak.workload_http import HttpWorkload

            return HttpWorkload(
                url=options["url"],
                rate=options["rate"],
                window_seconds=options["window"],
                policy_url=options["policy_url"],
            )
    raise ValueError(f"no kind of workload is called {kind!r}")
