"""JSON that a person wrote: strictly read, and every key knows its line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from pytest_causal.errors import ConfigError

_SPACE = " \t\n\r"
_MOST_LEVELS = 200
"""What is nested deeper is refused: later readers recurse, and Python's own goes as deep as its version has it."""
_decode_at = json.JSONDecoder(strict=False).raw_decode


@dataclass(frozen=True, kw_only=True)
class JsonDocument:
    """Parsed JSON. ``place`` is the file or the variable that it stands in."""

    place: str
    text: str
    data: Any

    def line(self, path: tuple[str, ...]) -> int:
        """Return the line (from 1) of a key, or that of the nearest object that holds it."""
        for length in range(len(path), 0, -1):
            if number := self._lines.get(path[:length]):
                return number
        return 1

    def at(self, path: tuple[str, ...]) -> str:
        """Return ``PLACE:LINE`` of a key."""
        return f"{self.place}:{self.line(path)}"

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        return dict(reversed(_key_lines(self.text)))


def parse_json(text: str, place: str) -> JsonDocument:
    """Return the document. Raises :class:`ConfigError` with the line for bad syntax, NaN or a duplicate key."""

    def refuse_constant(name: str) -> NoReturn:
        line = text.count("\n", 0, text.find(name)) + 1
        raise ConfigError(f"{place}:{line}: {name} is not JSON", "write a finite number")

    duplicates: list[str] = []

    def note_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            duplicates.extend(key for key in table if keys.count(key) > 1)
        return table

    try:
        data = json.loads(text, object_pairs_hook=note_duplicates, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{place}:{error.lineno} is not valid JSON: {error.msg}", "correct the line"
        ) from error
    except RecursionError as error:
        raise _too_deep(place) from error
    except ValueError as error:  # a whole number of thousands of digits
        raise ConfigError(f"{place} cannot be read as JSON: {error}", "write a smaller number") from error
    if not _has_levels(data, _MOST_LEVELS):
        raise _too_deep(place)
    if duplicates:
        _refuse_duplicate(text, place)
    return JsonDocument(place=place, text=text, data=data)


def _too_deep(place: str) -> ConfigError:
    return ConfigError(f"{place} is nested too deep to be read", "flatten it")


def _has_levels(data: Any, most: int) -> bool:
    """Return whether data is nested in at most so many levels. Level by level: it may be thousands."""
    level = [data]
    for _ in range(most):
        nested = [each for each in level if isinstance(each, dict | list) and each]
        if not nested:
            return True
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return not any(isinstance(each, dict | list) and each for each in level)


def _refuse_duplicate(text: str, place: str) -> NoReturn:
    first: dict[tuple[str, ...], int] = {}
    for path, line in _key_lines(text):
        if path in first:
            what = f"{place}:{line}: the key {'.'.join(path)!r} stands on line {first[path]} already"
            raise ConfigError(what, "keep one of the two")
        first[path] = line
    raise ConfigError(f"{place} has a key twice, inside a list", "keep one of the two")


def _key_lines(text: str) -> list[tuple[tuple[str, ...], int]]:
    """Return (path, line) of each object key of valid JSON, in order; keys inside lists are left out."""
    found: list[tuple[tuple[str, ...], int]] = []
    if (start := _skip(text, 0)) < len(text) and text[start] == "{":
        _scan_object(text, start, (), found)
    starts = [index for index, character in enumerate(text) if character == "\n"]
    return _with_lines(found, starts)


def _with_lines(
    found: list[tuple[tuple[str, ...], int]], line_ends: list[int]
) -> list[tuple[tuple[str, ...], int]]:
    from bisect import bisect_left

    return [(path, bisect_left(line_ends, offset) + 1) for path, offset in found]


def _scan_object(text: str, at: int, above: tuple[str, ...], found: list[tuple[tuple[str, ...], int]]) -> int:
    """Note the offset of each key of the object that begins at ``at``; return the offset behind it."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, behind = _decode_at(text, at)
        path = (*above, key)
        found.append((path, at))
        at = _skip(text, _skip(text, behind) + 1)
        at = _scan_object(text, at, path, found) if text[at] == "{" else _decode_at(text, at)[1]
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return at + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
