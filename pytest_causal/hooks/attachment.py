"""When notes are attached to reports: at once, or later in a plain session of tests that have nothing to say.

At once is while pytest makes the report, before anybody sees it. A worker's reports leave its process, so there it must
be. In a plain session a test that passes and notes nothing is spared the three calls that this takes, a fifth of what
it costs to record a test: what a failed test raised is then attached when pytest has shown its report around, and the
recorder folds no failure before. The first test that notes more ends that, and so does whatever runs tests in a way of
its own, and need not tell of failures as pytest does.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_causal.hooks.notes import NoteTaker, item_notes_key

_NAME = "causal-attachment"


class AttachedAtOnce:
    """Attaches notes while a report is made."""

    def __init__(self, taker: NoteTaker) -> None:
        self._taker = taker

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the notes, where there are any."""
        # Three times a test: a stash asked to get what it has not raises inside, which takes three times as long.
        noted = item.stash[item_notes_key] if item_notes_key in item.stash else None  # noqa: SIM401
        if noted is None or noted.policy is None:
            report = yield
        else:
            # A report of a failure shows the test's arguments: that prints the policy, and is no read of the test's.
            with noted.policy.unnoticed():
                report = yield
        # Asked only now: what a test of unittest raised is put there while the report is made.
        if noted is not None or call.excinfo is not None or self._taker.measure is not None:
            self._taker.attach(report, item, call)
        return report


class AttachedLater:
    """Attaches what a failed test raised after its report was shown around, until anybody notes more than that."""

    def __init__(self, taker: NoteTaker, manager: pytest.PytestPluginManager) -> None:
        self._taker = taker
        self._manager = manager
        self._is_over = False
        taker.on_note = self._end

    @pytest.hookimpl(tryfirst=True)
    def pytest_exception_interact(self, node: object, call: pytest.CallInfo[Any], report: object) -> None:
        """Attach what a test raised. pytest calls this for what it would debug: neither skips nor expected failures."""
        if not self._is_over and isinstance(node, pytest.Item) and isinstance(report, pytest.TestReport):
            self._taker.attach(report, node, call)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Attach at once where somebody else runs the tests: every plugin is loaded by now."""
        if any(map(_runs_tests, session.config.hook.pytest_runtest_protocol.get_hookimpls())):
            self._taker.announce()

    def _end(self) -> None:
        self._is_over = True
        self._manager.register(AttachedAtOnce(self._taker), _NAME)


def attach_at_once(config: pytest.Config, taker: NoteTaker) -> None:
    """Attach notes while reports are made."""
    config.pluginmanager.register(AttachedAtOnce(taker), _NAME)


def attach_later(config: pytest.Config, taker: NoteTaker) -> None:
    """Attach nothing while reports are made, as long as that makes no difference."""
    config.pluginmanager.register(AttachedLater(taker, config.pluginmanager), "causal-late-attachment")


def _runs_tests(implementation: Any) -> bool:
    """Whether an implementation of ``pytest_runtest_protocol`` may run tests itself, and is not pytest's own."""
    is_around = implementation.hookwrapper or implementation.wrapper
    return not is_around and not implementation.function.__module__.startswith("_pytest.")
