from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.actions.audit import verify_audit
from pytest_causal.actions.retire import kept_lessons, retire
from pytest_causal.actions.revert import RefusedError
from pytest_causal.errors import MissingInputError
from pytest_causal.model.promotion import Lesson
from tests.actions.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, "[policy]\nrows = 10\n")
    with made.store.acting() as ledger:
        for scenario in ("t.py::test_load", "named"):
            ledger.put_lesson(Lesson(0, scenario, "rows", 10, 20, "slow", 1, f"of {scenario}", 1))
    yield made
    made.store.close()


@pytest.mark.parametrize("label", ["L-2", "l-2", "2"])
def test_a_lesson_is_retired_by_its_number_with_a_row_that_says_why(world: World, label: str) -> None:
    retired = retire(world.context, label, "the bug is mended")
    assert (retired.id, retired.retired_us) == (2, world.now_us)
    assert [each.retired_us for each in world.store.lessons()] == [0, world.now_us]
    (row,) = (json.loads(each.document) for each in world.store.audit())
    assert (row["action"], row["retired"], row["reason"]) == ("observe", "L-2", "the bug is mended")
    assert verify_audit(world.store, world.context.overrides_path).problems == ()


def test_it_is_retired_once(world: World) -> None:
    retire(world.context, "L-1", "x")
    with pytest.raises(RefusedError, match="L-1 was retired on 2025-11-21T04:40:00Z"):
        retire(world.context, "L-1", "y")
    assert len(list(world.store.audit())) == 1


@pytest.mark.parametrize("label", ["L-3", "", "L-0", "x", "L-"])
def test_what_is_not_there_is_missing(world: World, label: str) -> None:
    with pytest.raises(MissingInputError, match="there is no lesson"):
        retire(world.context, label, "x")


def test_a_lesson_is_about_the_tests_that_ran_as_its_scenario_last(world: World) -> None:
    world.tests["t.py::test_load"] = lambda policy, metric: None
    world.tests["named"] = lambda policy, metric: None  # no node id of pytest: a program, say
    world.session(reviewed=False)
    kept = kept_lessons(world.store, world.store.lessons())
    assert [(each.lesson.label, each.tests) for each in kept] == [("L-1", ("t.py::test_load",)), ("L-2", ())]
