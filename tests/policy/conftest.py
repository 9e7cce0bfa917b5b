"""A project on disk whose policy can be resolved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.layers import OVERRIDES_PATH, resolve_policy
from pytest_causal.policy.overrides import Entry, read_overrides, write_overrides
from pytest_causal.settings.sources import resolve_settings


class Project:
    """A root directory and what its policy comes from."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def config(self, text: str) -> Path:
        """Write ``causal.toml``."""
        path = self.root / "causal.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def profile(self, name: str, values: Mapping[str, Any], **others: Any) -> Path:
        """Write a profile."""
        path = self.root / "profiles" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        data = {"schema": "causal.profile/1", "name": name, **others, "values": values}
        path.write_text(json.dumps(data, indent=2), encoding="utf-8")
        return path

    def override(self, leaves: Mapping[str, Any], by: str = "promotion P-1") -> Path:
        """Write the next revision of the override file."""
        path = self.root / OVERRIDES_PATH
        current = read_overrides(path)
        entry = Entry(by=by, at="2026-11-02T10:00:00Z", revision=current.revision + 1)
        write_overrides(current, leaves, dict.fromkeys(leaves, entry))
        return path

    def resolve(
        self, profile: str = "", cli: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> Policy:
        """Return the policy in force."""
        flags = {"profile": profile} if profile else {}
        settings = resolve_settings(flags=flags, env=env or {}, root=self.root)
        return resolve_policy(settings, cli=cli, env=env or {}, root=self.root)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project."""
    return Project(tmp_path)
