"""The policy for programs: what a system under test, a script or a tool reads outside a test."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_causal.policy.layers import resolve_policy
from pytest_causal.policy.mapping import PolicyMapping
from pytest_causal.settings.sources import resolve_settings


def load_policy(
    root: str | os.PathLike[str] | None = None,
    *,
    profile: str | None = None,
    set: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> PolicyMapping:
    """Return the policy in force as the read-only mapping that notes each leaf taken from it.

    The layers are those of a pytest run whose root directory is ``root`` (default: the working directory):
    ``set`` (texts ``PATH=VALUE``, as ``--causal-set``) > environment > overrides above the profile > default.
    Raises ConfigError, or UsageError for a bad ``profile`` or ``set``.
    """
    environment = os.environ if env is None else env
    folder = Path.cwd() if root is None else Path(root)
    settings = resolve_settings(flags={"profile": profile}, env=environment, root=folder)
    return resolve_policy(settings, cli=set, env=environment, root=settings.root).mapping()
