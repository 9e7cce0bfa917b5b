"""Checking a document against one of the package's JSON Schemas, without the cost of importing a validator.

Importing ``jsonschema`` takes 40 to 60 ms, in every pytest session and every worker. The schemas of this package
use the few keywords below; a test holds that this reader and ``jsonschema`` agree on every document, and that no
schema uses a keyword unknown here. Unlike the general validator it can name the line and the nearest known key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError
from pytest_causal.policy.json_document import JsonDocument
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean

Schema = dict[str, Any]
KEYWORDS = frozenset(
    {
        *(
            "type",
            "const",
            "pattern",
            "required",
            "properties",
            "additionalProperties",
            "propertyNames",
            "items",
        ),
        *("minProperties", "minimum", "exclusiveMinimum", "$ref"),
    }
)
ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description"})
_DIRECTORY = Path(__file__).parent.parent / "schemas"


class Violation(NamedTuple):
    """One way in which a document is not what its schema says: where, what was found, and what was expected."""

    path: tuple[str, ...]
    found: str
    remedy: str


@cache
def schema(name: str) -> Schema:
    """Return the package's schema of that name, such as ``profile``."""
    loaded: Schema = json.loads((_DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


def check(document: JsonDocument, name: str, part: str = "") -> None:
    """Raise :class:`ConfigError` for the first violation: file, line, path, what was found and expected.

    ``part`` names a property of the schema, where the document is that property's value and not the whole.
    """
    whole = schema(name)
    for violation in _check(document.data, whole["properties"][part] if part else whole, (), whole):
        path = ".".join(violation.path) or "the document"
        place = document.at(violation.path)
        raise ConfigError(f"{place}: {path}: found {violation.found}", violation.remedy)


def violations(data: Any, whole: Schema) -> Iterator[Violation]:
    """Yield every violation, in the order of the document."""
    yield from _check(data, whole, (), whole)


def _check(data: Any, part: Schema, path: tuple[str, ...], whole: Schema) -> Iterator[Violation]:
    if reference := part.get("$ref"):
        yield from _check(data, whole["$defs"][reference.removeprefix("#/$defs/")], path, whole)
    if expected := _broken_value_rule(data, part):
        yield Violation(path=path, found=shown(data), remedy=f"expected {expected}")
    elif isinstance(data, dict):
        yield from _check_object(data, part, path, whole)
    elif isinstance(data, list) and "items" in part:
        for item in data:
            yield from _check(item, part["items"], path, whole)


def _broken_value_rule(data: Any, part: Schema) -> str:
    """Return what was expected of a value by itself, or nothing where it is so."""
    if "const" in part and data != part["const"]:
        return shown(part["const"])
    types = part.get("type", ())
    types = [types] if isinstance(types, str) else types
    if types and not any(_is_of(data, name) for name in types):
        return " or ".join(types)
    if isinstance(data, str) and not re.search(part.get("pattern", ""), data):
        return f"text that matches {part['pattern']}"
    if isinstance(data, int | float):
        if data < part.get("minimum", data):
            return f"at least {part['minimum']}"
        if "exclusiveMinimum" in part and data <= part["exclusiveMinimum"]:
            return f"more than {part['exclusiveMinimum']}"
    if isinstance(data, dict) and len(data) < part.get("minProperties", 0):
        return f"at least {part['minProperties']} of {', '.join(part['properties'])}"
    return ""


def _check_object(data: Schema, part: Schema, path: tuple[str, ...], whole: Schema) -> Iterator[Violation]:
    known = part.get("properties", {})
    others = part.get("additionalProperties", True)
    for key in part.get("required", ()):
        if key not in data:
            yield Violation(path=path, found=f"no {key!r}", remedy="add it")
    for key, value in data.items():
        inner = (*path, key)
        if "propertyNames" in part:
            yield from _check(key, part["propertyNames"], inner, whole)
        if key in known:
            yield from _check(value, known[key], inner, whole)
        elif others is False:
            yield Violation(path=inner, found=f"unknown key {shown(key)}", remedy=did_you_mean(key, known))
        elif isinstance(others, dict):
            yield from _check(value, others, inner, whole)


def _is_of(data: Any, name: str) -> bool:
    match name:
        case "number":
            return isinstance(data, int | float) and not isinstance(data, bool)
        case "integer":
            whole = isinstance(data, int) or (isinstance(data, float) and data.is_integer())
            return whole and not isinstance(data, bool)
        case _:
            return isinstance(data, _TYPES[name])


_TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool}
