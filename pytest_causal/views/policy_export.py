"""The policy as other programs take it in: shell variables, JSON, and GitHub's environment file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pytest_causal.policy.tree import nest, thawed
from pytest_causal.settings.table import POLICY_ENV
from pytest_causal.views.escape import shell_word
from pytest_causal.views.policy import variable_name

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class ExportFormat(StrEnum):
    """How values are written."""

    ENV = "env"
    JSON = "json"
    GITHUB = "github"


def export(leaves: Mapping[str, Any], form: ExportFormat) -> str:
    """Return dotted path -> value in a form that gives the same policy again when it is read back.

    A path that is no variable's name travels in ``CAUSAL_POLICY``, as JSON.
    """
    match form:
        case ExportFormat.JSON:
            return json.dumps(nest(leaves), indent=2, sort_keys=True, allow_nan=False) + "\n"
        case ExportFormat.ENV:
            return "".join(f"export {name}={shell_word(text)}\n" for name, text in variables(leaves).items())
        case ExportFormat.GITHUB:
            return "".join(_block(name, text) for name, text in variables(leaves).items())


def variables(leaves: Mapping[str, Any]) -> dict[str, str]:
    """Return variable name -> text for each value, sorted."""
    named = {path: variable_name(path) for path in leaves}
    folded = [name.casefold() for name in named.values()]
    single = {
        path
        for path, name in named.items()
        if _VARIABLE.fullmatch(name) and folded.count(name.casefold()) == 1 and _is_plain(leaves[path])
    }
    found = {named[path]: _text(leaves[path]) for path in sorted(single)}
    others = {path: value for path, value in leaves.items() if path not in single}
    if others:
        found[POLICY_ENV] = json.dumps(nest(others), sort_keys=True, allow_nan=False)
    return dict(sorted(found.items()))


def _is_plain(value: Any) -> bool:
    """Return whether a variable of its own can carry the value."""
    return not isinstance(value, str) or value.isprintable()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(thawed(value), allow_nan=False)


def _block(name: str, text: str) -> str:
    """Return the form of ``$GITHUB_ENV`` that may hold any text, under an end mark that the text does not hold."""
    mark = "CAUSAL_EOF"
    while mark in text:
        mark += "_"
    return f"{name}<<{mark}\n{text}\n{mark}\n"
