from __future__ import annotations

import copy
import sys
import types
from typing import Any

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.policy.targets import apply_targets

LIMITS: dict[str, Any] = {
    "standard": {"max_wall_time_ms": 30000, "hosts": ("a",), "names": ["x"]},
    "other": 1,
    "top": 2,
}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = types.ModuleType("system_under_test")
    module.LIMITS = copy.deepcopy(LIMITS)  # type: ignore[attr-defined]
    module.MORE = {"top": 7}  # type: ignore[attr-defined]
    module.FROZEN = types.MappingProxyType({"top": 1})  # type: ignore[attr-defined]
    module.HALF = {"standard": types.MappingProxyType({"max_wall_time_ms": 1})}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "system_under_test", module)
    return module


VALUES = {
    "standard": {"max_wall_time_ms": 45000, "hosts": ["b", "c"], "names": ("y",), "unknown": 1},
    "top": 5,
}


def test_values_are_set_in_place_and_restored_exactly(module: Any) -> None:
    table, inner, names = module.LIMITS, module.LIMITS["standard"], module.LIMITS["standard"]["names"]
    applied = apply_targets(["system_under_test:LIMITS", "system_under_test:MORE"], VALUES)
    assert table == {
        "standard": {"max_wall_time_ms": 45000, "hosts": ("b", "c"), "names": ["y"]},
        "other": 1,
        "top": 5,
    }
    assert module.MORE == {"top": 5}
    applied.restore()
    assert table == LIMITS
    assert module.MORE == {"top": 7}
    assert module.LIMITS is table
    assert table["standard"] is inner
    assert inner["names"] is names
    assert list(table) == list(LIMITS)


def test_restoring_twice_does_not_undo_what_came_after(module: Any) -> None:
    applied = apply_targets(["system_under_test:LIMITS"], VALUES)
    applied.restore()
    module.LIMITS["top"] = 99
    applied.restore()
    assert module.LIMITS["top"] == 99


def test_one_target_named_twice_is_restored_to_what_it_was_first(module: Any) -> None:
    applied = apply_targets(["system_under_test:LIMITS"] * 2, VALUES)
    applied.restore()
    assert module.LIMITS == LIMITS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("system_under_test", "write it as pkg.mod:NAME"),
        ("system_under_test:", "write it as pkg.mod:NAME"),
        ("system_under_test:A.b", "write it as pkg.mod:NAME"),
        ("../evil:A", "write it as pkg.mod:NAME"),
        ("no_such_module_here:A", "importing no_such_module_here failed: ModuleNotFoundError"),
        ("system_under_test:LIMTS", "did you mean 'LIMITS'"),
        ("system_under_test:__name__", "is a str; expected a mapping"),
        ("system_under_test:FROZEN", "expected a mapping that can be changed"),
        ("system_under_test:HALF", r"HALF\['standard'\] cannot be changed"),
    ],
)
def test_a_target_that_cannot_be_set_is_an_error_and_nothing_stays_set(
    name: str, message: str, module: Any
) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_targets(["system_under_test:LIMITS", name], VALUES)
    assert module.LIMITS == LIMITS


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"standrad": {"max_wall_time_ms": 1}}, "has none of the policy's values"),
        ({}, "has none of the policy's values"),
        ({"standard": 5}, "disagree"),
        ({"top": {"x": 1}}, "disagree"),
    ],
)
def test_a_target_and_a_policy_that_do_not_fit_are_an_error(
    values: dict[str, Any], message: str, module: Any
) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_targets(["system_under_test:LIMITS"], values)
    assert module.LIMITS == LIMITS
