"""Nested tables and dotted paths: two views of the same leaves.

A *leaf* is a number, a string, a switch or a list; a table only holds leaves. Keys are non-empty text without
dots, so that a dotted path names one leaf.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

Path = tuple[str, ...]
MAX_DEPTH = 32
MAX_LEAVES = 10_000


class TreeError(ValueError):
    """A table holds what a policy cannot: ``path`` says where, the message what."""

    def __init__(self, path: Path, problem: str) -> None:
        """Take where, as keys from the outermost in, and what is wrong there."""
        super().__init__(problem)
        self.path = path


def flatten(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted path -> frozen leaf, in the order written.

    Lists become tuples. Raises :class:`TreeError` for a key that is empty, has a dot or is no text, for null,
    NaN, infinity, dates and other values without a JSON form, and for a table too deep or too large.
    """
    leaves: dict[str, Any] = {}
    for path, value in _walk(table, ()):
        leaves[".".join(path)] = value
        if len(leaves) > MAX_LEAVES:
            raise TreeError(path, f"more than {MAX_LEAVES} values")
    return leaves


def nest(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested table of dotted path -> value, sorted by path; lists are lists again."""
    table: dict[str, Any] = {}
    for path in sorted(leaves):
        *tables, key = path.split(".")
        inner = table
        for name in tables:
            inner = inner.setdefault(name, {})
        inner[key] = thawed(leaves[path])
    return table


def is_at_or_under(path: str, table: str) -> bool:
    """Return whether a dotted path is ``table`` or lies in it."""
    return path == table or path.startswith(f"{table}.")


def frozen(value: Any, path: Path = ()) -> Any:
    """Return a leaf that nobody can change. Raises :class:`TreeError` for what a policy cannot hold."""
    match value:
        case str() | bool():
            return value
        case int() if abs(value) >= 2**63:
            raise TreeError(path, "a whole number beyond 64 bits")
        case float() if not math.isfinite(value):
            raise TreeError(path, f"{value} is no policy value; a number must be finite")
        case int() | float():
            return value
        case list() | tuple():
            return tuple(frozen(item, path) for item in value)
        case Mapping():
            return MappingProxyType({key: frozen(item, path) for key, item in value.items()})
        case None:
            raise TreeError(path, "null is no policy value; leave the key out")
    raise TreeError(path, f"a value of type {type(value).__name__} is no policy value; write it as text")


def thawed(value: Any) -> Any:
    """Return a leaf as plain JSON types."""
    if isinstance(value, tuple):
        return [thawed(item) for item in value]
    if isinstance(value, Mapping):
        return {key: thawed(item) for key, item in value.items()}
    return value


def _walk(table: Mapping[Any, Any], above: Path) -> Iterator[tuple[Path, Any]]:
    if len(above) >= MAX_DEPTH:
        raise TreeError(above, f"tables nested more than {MAX_DEPTH} deep")
    for key, value in table.items():
        path = (*above, str(key))
        if not isinstance(key, str) or not key or "." in key or not key.isprintable():
            raise TreeError(path, f"the key {key!r}; a key is printable text without dots")
        if isinstance(value, Mapping):
            yield from _walk(value, path)
        else:
            yield path, frozen(value, path)
