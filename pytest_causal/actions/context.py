"""What every action on the policy works with: the store, the settings, who acts, and when."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from pytest_causal.errors import CausalError, ExitCode
from pytest_causal.model.change import Change
from pytest_causal.model.promotion import Promotion, State
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.standing import overrides_path, standing_policy
from pytest_causal.settings.sources import Settings
from pytest_causal.store.interface import HistoryStore


class TargetError(CausalError):
    """A custom target could not follow a change, or its revert."""

    exit_code = ExitCode.IO_ERROR


class Extensions(Protocol):
    """What plugins of other people add to decisions and to changes."""

    @property
    def problems(self) -> Sequence[str]:
        """What they raised where nothing hung on it, a line each."""

    def vetoes(self, decision: Promotion) -> tuple[str, ...]:
        """Return why a change must not be made now, a line each; one that fails to answer is a veto."""

    def apply(self, change: Change, promotion: Promotion) -> None:
        """Tell custom targets of a change that was made. Raises :class:`TargetError`."""

    def revert(self, change: Change, promotion: Promotion) -> None:
        """Tell custom targets of a change that was taken back; ``change`` is the inverse.

        Raises :class:`TargetError`.
        """

    def notify(self, promotion: Promotion, before: State, after: State) -> None:
        """Tell of a transition."""


class NoExtensions:
    """Nobody adds anything."""

    problems: Sequence[str] = ()

    def vetoes(self, decision: Promotion) -> tuple[str, ...]:
        """Return no veto."""
        return ()

    def apply(self, change: Change, promotion: Promotion) -> None:
        """Do nothing."""

    def revert(self, change: Change, promotion: Promotion) -> None:
        """Do nothing."""

    def notify(self, promotion: Promotion, before: State, after: State) -> None:
        """Do nothing."""


class Context(NamedTuple):
    """Where an action happens. ``actor`` is ``session NUMBER`` or ``person NAME``; ``now_us`` is one for all of it."""

    store: HistoryStore
    settings: Settings
    actor: str
    now_us: int
    extensions: Extensions = NoExtensions()

    @property
    def overrides_path(self) -> Path:
        """Where the override file is."""
        return overrides_path(self.settings)

    def policy(self) -> Policy:
        """Return the standing policy as it is now. Raises ConfigError."""
        return standing_policy(self.settings)

    @property
    def frozen_by(self) -> str:
        """What keeps everything as it is, in words; empty if nothing does."""
        if self.settings.freeze:
            return self.settings.origins["freeze"].place or "the setting freeze"
        path = self.settings.freeze_file
        return path if os.path.lexists(path) else ""
