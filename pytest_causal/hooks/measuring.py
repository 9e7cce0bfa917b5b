"""Asks ``pytest_causal_metrics`` for more metrics of each run. Imported where somebody implements one of our hooks."""

from __future__ import annotations

import pytest

from pytest_causal.hooks import specs
from pytest_causal.hooks.extensions import Extensions
from pytest_causal.hooks.notes import note_taker, notes_of

NAME = "causal-measuring"


def declare_hooks(manager: pytest.PytestPluginManager) -> None:
    """Tell pytest of our hooks, once, and be ready to ask for metrics."""
    manager.add_hookspecs(specs)
    manager.register(Measuring(Extensions(manager)), NAME)


class Measuring:
    """Adds to the notes of a run what the implementations measured."""

    def __init__(self, extensions: Extensions) -> None:
        self.extensions = extensions
        self._told = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin to ask where anybody is there to answer: every conftest is loaded by now."""
        taker = note_taker(session.config)
        if taker is not None and session.config.hook.pytest_causal_metrics.get_hookimpls():
            taker.measure = self.measure
            taker.announce()

    def measure(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Ask once a run: when its call has ended, or its set-up failed."""
        if report.when == "call" or (report.when == "setup" and report.failed):
            noted = notes_of(item)
            for name, value in self.extensions.metrics_of(item, report).items():
                noted.add_metric(str(name), value)
            self._tell(item)

    def _tell(self, item: pytest.Item) -> None:
        """Warn of each problem once. Where warnings are errors the metric alone tells of it."""
        new = self.extensions.problems[self._told :]
        self._told += len(new)
        for problem in new:
            try:
                item.warn(pytest.PytestWarning(problem))
            except pytest.PytestWarning:
                return
