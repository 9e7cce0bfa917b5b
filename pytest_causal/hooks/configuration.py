"""The settings and the policy of a pytest run: from its flags, the environment and the files at its root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_causal.settings.flags import SET_DEST, given_flags

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_causal.policy.in_force import Policy
    from pytest_causal.settings.sources import Settings


def run_settings(config: pytest.Config, root: Path | None = None) -> Settings:
    """Return the settings in force. Raises ConfigError, or UsageError of ours for a flag."""
    from pytest_causal.settings.sources import resolve_settings

    return resolve_settings(
        flags=given_flags(vars(config.option)), env=os.environ, root=root or config.rootpath
    )


def run_policy(config: pytest.Config, settings: Settings) -> Policy:
    """Return the policy in force. Raises CausalError."""
    from pytest_causal.policy.layers import resolve_policy

    given = getattr(config.option, SET_DEST, None) or ()
    return resolve_policy(settings, cli=given, env=os.environ, root=settings.root)
