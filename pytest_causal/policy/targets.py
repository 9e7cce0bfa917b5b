"""In-process targets: mappings of the system under test that hold the policy's values while a session runs.

A target ``pkg.mod:NAME`` is updated in place, because the system may hold a reference to it, and restored exactly.
Only keys that it has are set: the policy may hold more than one target knows, and a target more than the policy.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from pytest_causal.errors import ConfigError
from pytest_causal.policy.tree import thawed
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean


@dataclass(frozen=True, kw_only=True)
class AppliedTargets:
    """What was set in the targets, and what stood there before: (table, key, value before), in order of setting."""

    _before: list[tuple[MutableMapping[Any, Any], Any, Any]] = field(default_factory=list)

    def restore(self) -> None:
        """Put back what stood there, the last set first. Called again it does nothing."""
        while self._before:
            table, key, value = self._before.pop()
            table[key] = value

    def set(self, table: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        """Set one value, to be put back by :meth:`restore`."""
        self._before.append((table, key, table[key]))
        table[key] = value


def apply_targets(names: Iterable[str], values: Mapping[str, Any]) -> AppliedTargets:
    """Set the policy's values (nested tables) in each target, and return what restores them.

    All or nothing: raises :class:`ConfigError`, having restored what it set, for a target that is not written
    ``pkg.mod:NAME``, cannot be imported, is no mapping that can be changed, has none of the policy's values, or
    has a table where the policy has a value.
    """
    applied = AppliedTargets()
    try:
        for name in names:
            wanted = list(_matching(_found(name), values, name))
            if not wanted:
                raise ConfigError(f"target {name} has none of the policy's values", "name a mapping that has")
            for table, key, value in wanted:
                applied.set(table, key, value)
    except BaseException:
        applied.restore()
        raise
    return applied


def _found(name: str) -> MutableMapping[Any, Any]:
    module_name, colon, attribute = name.partition(":")
    if (
        not colon
        or not attribute.isidentifier()
        or not all(part.isidentifier() for part in module_name.split("."))
    ):
        raise ConfigError(f"target {shown(name)}", "write it as pkg.mod:NAME")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module of the user may raise anything
        problem = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"target {name}: importing {module_name} failed: {problem}", "correct it"
        ) from error
    if not hasattr(module, attribute):
        raise ConfigError(f"target {name}: no such name", did_you_mean(attribute, vars(module)))
    target = getattr(module, attribute)
    if not isinstance(target, MutableMapping):
        raise ConfigError(
            f"target {name} is a {type(target).__name__}", "expected a mapping that can be changed"
        )
    return target


def _matching(
    table: MutableMapping[Any, Any], values: Mapping[str, Any], where: str
) -> Iterator[tuple[MutableMapping[Any, Any], str, Any]]:
    """Yield (table, key, new value) for each of the policy's values that the target has."""
    for key, value in values.items():
        if key not in table:
            continue
        inner, place = table[key], f"{where}[{key!r}]"
        if isinstance(value, Mapping) != isinstance(inner, Mapping):
            raise ConfigError(
                f"target {place} and the policy disagree: one has a table", "give both the same shape"
            )
        if not isinstance(value, Mapping):
            yield table, key, tuple(value) if isinstance(inner, tuple) else thawed(value)
        elif isinstance(inner, MutableMapping):
            yield from _matching(inner, value, place)
        else:
            raise ConfigError(f"target {place} cannot be changed", "make it a dict")
