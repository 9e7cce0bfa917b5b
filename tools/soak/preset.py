"""A preset: what values are moved to while the warm-up lasts (:mod:`tools.soak.warmup`).

It is computed from the base each time, never from what a value was moved to before, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_causal.errors import ConfigError
from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.values import conform
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.text_file import read_text

OPERATIONS = ("add", "mul")


def read_preset(path: Path) -> dict[str, dict[str, Any]]:
    """Return dotted path -> ``{"op": "add" | "mul", "value": number}`` of a preset file.

    The file holds ``{"changes": {table: {name: {"op", "value"}}}}``; other keys are for people. Raises ConfigError.
    """
    try:
        document = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        raise ConfigError(f"there is no preset {path}", "give the path of a JSON file") from None
    changes = document.data.get("changes") if isinstance(document.data, dict) else None
    if not isinstance(changes, dict) or not changes:
        raise ConfigError(f"{path} has no changes", 'expected {"changes": {table: {name: {"op", "value"}}}}')
    found: dict[str, dict[str, Any]] = {}
    for table, names in changes.items():
        for name, change in names.items() if isinstance(names, dict) else [("", names)]:
            found[f"{table}.{name}"] = _change(change, document.at(("changes", table, name)))
    return found


def under_preset(
    preset: Mapping[str, Mapping[str, Any]], base: Mapping[str, Any], bounds: Mapping[str, Bound]
) -> dict[str, Any]:
    """Return the values (dotted path -> value) of a warm-up iteration.

    Raises ConfigError for a path that the policy does not have, and for a value out of bounds or of another type.
    """
    values = dict(base)
    for path, change in preset.items():
        if path not in base:
            raise ConfigError(f"preset: the policy has no {path!r}", did_you_mean(path, base))
        moved = base[path] + change["value"] if change["op"] == "add" else base[path] * change["value"]
        bound = bounds.get(path)
        if bound is not None and not bound.holds(moved):
            raise ConfigError(f"preset: {path} would be {moved:g}", f"expected {bound} ({bound.place})")
        try:
            values[path] = conform(moved, base[path])
        except ValueError as error:
            raise ConfigError(f"preset: {path}: {error}", "correct the preset") from error
    return values


def _change(change: Any, place: str) -> dict[str, Any]:
    is_whole = isinstance(change, dict) and change.get("op") in OPERATIONS
    value = change.get("value") if is_whole else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(
            f"{place}: found {shown(change)}", 'expected {"op": "add" or "mul", "value": NUMBER}'
        )
    return {"op": change["op"], "value": value}
