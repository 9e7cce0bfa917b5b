"""Changes of the policy in words and as JSON. Secrets are masked."""

from __future__ import annotations

import json
from typing import Any

from pytest_causal.model.change import Change, Step
from pytest_causal.policy.secrets import MASK
from pytest_causal.policy.tree import thawed
from pytest_causal.views.escape import terminal


def value_words(path: str, value: Any, secrets: frozenset[str]) -> str:
    """Return a value on one line: JSON, or the mask of a secret; ``-`` for none."""
    if value is None:
        return "-"
    return MASK if path in secrets else terminal(json.dumps(thawed(value), ensure_ascii=False))


def step_words(step: Step, secrets: frozenset[str]) -> str:
    """Return ``limits.rows: 500 -> 800``."""
    before, after = (value_words(step.path, value, secrets) for value in (step.before, step.after))
    return f"{terminal(step.path)}: {before} -> {after}"


def change_words(change: Change, secrets: frozenset[str]) -> str:
    """Return the steps of a change on one line."""
    return ", ".join(step_words(step, secrets) for step in change.steps)


def change_steps(change: Change | None, secrets: frozenset[str]) -> list[dict[str, Any]]:
    """Return the steps of a change for JSON."""
    return [
        {
            "path": step.path,
            "from": json_value(step.path, step.before, secrets),
            "to": json_value(step.path, step.after, secrets),
        }
        for step in (change.steps if change else ())
    ]


def json_value(path: str, value: Any, secrets: frozenset[str]) -> Any:
    """Return a value in plain JSON types, or the mask of a secret."""
    return MASK if path in secrets and value is not None else thawed(value)
