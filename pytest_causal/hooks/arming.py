"""Puts the arms of a session to work in a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_causal.hooks.arms import Arms, Shadows
from pytest_causal.hooks.shadow import ShadowItems, ShadowReports
from pytest_causal.views.escape import terminal

if TYPE_CHECKING:
    import pytest

    from pytest_causal.hooks.notes import NoteTaker


class ArmHeader:
    """Says at the head of a session which policies its tests run under."""

    def __init__(self, header: str) -> None:
        self._header = header

    def pytest_report_header(self) -> str:
        """Return the line."""
        return self._header


def register_arms(
    manager: pytest.PytestPluginManager, arms: Arms, targets: Sequence[str], taker: NoteTaker
) -> None:
    """Register what a plain session or a controller needs."""
    manager.register(ArmHeader(terminal(arms.header)), "causal-arm-header")
    if arms.shadows is not None and arms.shadows.arms:
        manager.register(ShadowReports(arms.shadows), "causal-shadow-reports")
        manager.register(ShadowItems(arms.shadows, targets, taker), "causal-shadow-items")


def register_handed_over(
    manager: pytest.PytestPluginManager, handover: str, targets: Sequence[str], taker: NoteTaker
) -> None:
    """Register what a worker needs, from what its controller handed over."""
    manager.register(ShadowItems(Shadows.from_json(handover), targets, taker), "causal-shadow-items")
