"""Resolving the policy: flags > environment > profile (overrides above the file) > default, leaf by leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_causal.policy.in_force import Policy
from pytest_causal.settings.table import LEGACY_POLICY_ENV, POLICY_ENV, POLICY_ENV_PREFIX

if TYPE_CHECKING:
    from pytest_causal.settings.sources import Settings

OVERRIDES_PATH = Path(".causal") / "runtime_overrides.json"
"""Where the override file is, below the root directory."""


def resolve_policy(settings: Settings, *, cli: Sequence[str], env: Mapping[str, str], root: Path) -> Policy:
    """Return the policy in force.

    ``cli`` holds ``PATH=VALUE`` texts; ``root`` is the directory whose ``.causal`` may hold overrides. Raises
    :class:`UsageError` for a bad flag and :class:`ConfigError` for anything else that cannot be used as it
    stands, each naming the place: nothing is skipped or guessed.
    """
    overrides_path = root / OVERRIDES_PATH
    if not cli and not _is_given(settings, env) and not overrides_path.exists():
        return Policy(leaves={})  # a session without a policy does not pay for importing the rest
    from pytest_causal.policy.resolution import resolve

    return resolve(settings, cli=cli, env=env, overrides_path=overrides_path)


def _is_given(settings: Settings, env: Mapping[str, str]) -> bool:
    if settings.profile or settings.policy_table or settings.bounds_table:
        return True
    return any(name in (LEGACY_POLICY_ENV, POLICY_ENV) or name.startswith(POLICY_ENV_PREFIX) for name in env)
