"""Looks after artifacts when a session is over; registered only where the settings ask for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_causal import clock
from pytest_causal.errors import CausalError
from pytest_causal.hooks.edge import Edge, contained
from pytest_causal.views.escape import terminal

if TYPE_CHECKING:
    from pytest_causal.settings.sources import Settings


def register_upkeep(config: pytest.Config, settings: Settings) -> None:
    """Register the upkeep if the file asks for it. Raises pytest.UsageError where what it says cannot be used."""
    from pytest_causal.settings.artifact_table import artifact_settings

    try:
        in_force = artifact_settings(settings)
    except CausalError as error:
        raise pytest.UsageError(f"causal: {error}") from error
    if in_force.after_session and not config.option.collectonly:
        config.pluginmanager.register(Upkeep(settings), "causal-upkeep")


class Upkeep(Edge):
    """Rotates the roots when all else is done, in the process that records; its faults are lines on standard error."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._is_interrupted = False

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Remember whether a person wants to be gone."""
        self._is_interrupted = exitstatus == pytest.ExitCode.INTERRUPTED

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Do it, and tell what came of it."""
        if not (self.is_child or self._is_interrupted) and (fault := contained(self._keep_up)):
            _tell(fault)

    def _keep_up(self) -> None:
        from pytest_causal.actions.upkeep import keep_up
        from pytest_causal.views.rotation import last_lines

        for told in keep_up(self._settings, now_us=clock.now_us()):
            if isinstance(told, str):
                _tell(told)
            elif (rotation := told[1]).exit_code or (rotation.outcome and rotation.outcome.results):
                for line in last_lines(rotation, str(told[0])):
                    _tell(line.text)


def _tell(text: str) -> None:
    print(f"causal: {terminal(text)}", file=sys.stderr)  # noqa: T201 - the terminal reporter has ended
