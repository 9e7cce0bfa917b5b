"""The standing policy: what is in force for everybody, before a flag or a variable of one session changes it.

Promotions change the standing policy. A session that runs under values of its own still speaks for it, or for a
candidate, by what its runs read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_causal.policy.layers import OVERRIDES_PATH
from pytest_causal.policy.resolution import resolve
from pytest_causal.settings.sources import Layer, resolve_settings

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_causal.policy.in_force import Policy
    from pytest_causal.settings.sources import Settings


def overrides_path(settings: Settings) -> Path:
    """Return where the override file of a project is."""
    return settings.root / OVERRIDES_PATH


def standing_policy(settings: Settings, *, with_overrides: bool = True) -> Policy:
    """Return the policy of the profile and the files alone; without overrides, what lies below them.

    A profile that a flag named is one session's choice, and left out. Raises :class:`ConfigError`.
    """
    if settings.origins["profile"].layer is Layer.FLAG:
        below = resolve_settings(flags={}, env={}, root=settings.root)
        settings = settings._replace(profile=below.profile, origins=below.origins)
    path = overrides_path(settings) if with_overrides else None
    return resolve(settings, cli=(), env={}, overrides_path=path)
