"""What makes a run that run: its plan, as it was and as it would be now."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from pytest_causal.errors import ExitCode, UsageError
from tools.soak.plan import (
    ChangedPlanError,
    Plan,
    check_run_name,
    differences,
    refuse_changes,
    refuse_the_impossible,
)

PLAN = Plan(
    run="a", version="1", workload="mock", iterations=3, seed=7, profile="p", sets=("x=1",),
    values={"a.b": 1, "a.c": [1, 2]}, bounds={"a.b": {"min": 0.0}}, kpi={"net": {"min": 2.0}},
)  # fmt: skip


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    assert Plan.from_json(json.loads(json.dumps(PLAN.to_json()))) == PLAN


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(Plan)])
def test_k3_every_field_of_a_plan_counts(field: str) -> None:
    value = getattr(PLAN, field)
    other = {
        str: f"{value}x",
        bool: not value,
        int: 99,
        float: 99.5,
        tuple: ("y=2",),
        dict: {"z": {"min": 5.0}},
    }
    changes: dict[str, Any] = {field: other.get(type(value), 99)}
    changed = dataclasses.replace(PLAN, **changes)
    found = differences(PLAN, changed)
    assert found
    assert all(line.startswith(field) for line in found)
    with pytest.raises(ChangedPlanError, match="began with another plan") as caught:
        refuse_changes(PLAN, changed)
    assert caught.value.exit_code == ExitCode.BAD_CONFIG


def test_an_equal_plan_is_not_refused() -> None:
    refuse_changes(PLAN, dataclasses.replace(PLAN))


def test_a_difference_names_the_leaf_with_both_values() -> None:
    changed = dataclasses.replace(PLAN, values={"a.b": 2, "a.c": [1, 2]})
    assert differences(PLAN, changed) == ["values.a.b: was 1, is 2"]


@pytest.mark.parametrize(
    "name", ["", "..", ".", "a/b", "../x", "-a", ".hidden", "a\n", "ä", "a" * 101, "a b"]
)
def test_d25_a_name_that_is_no_plain_name_of_a_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a run"):
        check_run_name(name)


@pytest.mark.parametrize("name", ["a", "20270101T000000Z-0f0f", "a.b_c-d", "a" * 100])
def test_a_plain_name_is_one(name: str) -> None:
    assert check_run_name(name) == name


@pytest.mark.parametrize(
    ("iterations", "sleep", "budget", "fits"),
    [
        (7, 10.0, 60.0, False),
        (6, 10.0, 60.0, True),
        (7, 0.0, 1.0, True),
        (None, 10.0, 5.0, True),
        (9, 9.0, None, True),
    ],
)
def test_d28_a_schedule_that_is_longer_than_its_budget_is_refused(
    iterations: int | None, sleep: float, budget: float | None, fits: bool
) -> None:
    plan = dataclasses.replace(PLAN, iterations=iterations, sleep_seconds=sleep, budget_seconds=budget)
    if fits:
        refuse_the_impossible(plan)
    else:
        with pytest.raises(UsageError, match="the budget is"):
            refuse_the_impossible(plan)


def test_the_scenario_is_that_of_the_workload_and_the_profile() -> None:
    assert PLAN.scenario == "soak:mock/p"
    assert dataclasses.replace(PLAN, profile="").scenario == "soak:mock/default"
