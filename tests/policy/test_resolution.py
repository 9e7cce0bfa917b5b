from __future__ import annotations

from typing import Any

from pytest_causal.policy.resolution import resolve
from pytest_causal.settings.sources import resolve_settings


def test_a_profile_can_be_looked_at_by_itself(project: Any) -> None:
    project.config("[policy]\na = 1\nb = 2\n")
    project.profile("p", {"b": 3})
    project.override({"a": 9})
    settings = resolve_settings(flags={"profile": "p"}, env={}, root=project.root)
    alone = resolve(settings._replace(config=None), cli=(), env={}, overrides_path=None)
    assert alone.flat == {"b": 3}
    assert alone.overrides is None
    without_overrides = resolve(settings, cli=(), env={}, overrides_path=None)
    assert without_overrides.flat == {"a": 1, "b": 3}
