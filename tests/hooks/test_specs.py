"""The hooks are documented where people look, and each has a user among the examples."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from pytest_causal.hooks import specs
from pytest_causal.hooks.extensions import HOOKS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_says_what_it_is_for(name: str) -> None:
    hook = getattr(specs, name)
    assert inspect.getdoc(hook)
    assert hook.__annotations__["return"]
    body = inspect.getsource(hook).rpartition('"""')[2]
    assert not body.strip(), "a specification has no body"


def test_there_are_hooks_for_what_the_design_names() -> None:
    assert set(HOOKS) == {
        f"pytest_causal_{each}" for each in ("metrics", "decision", "apply", "revert", "transition")
    }


@pytest.mark.needs_checkout
@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_in_the_reference_as_it_is_in_the_code(name: str) -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    parameters = ", ".join(inspect.signature(getattr(specs, name)).parameters)
    assert f"### `{name}({parameters})`" in reference
    first = (inspect.getdoc(getattr(specs, name)) or "").partition("\n")[0].replace("``", "`")
    assert first in reference


@pytest.mark.needs_checkout
@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_a_real_user_among_the_examples(name: str) -> None:
    example = (ROOT / "examples" / "query_service" / "causal_hooks.py").read_text("utf-8")
    assert f"def {name}(" in example
