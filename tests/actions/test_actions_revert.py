"""A revert sets the paths of its own promotion alone, refuses what it must not touch, and teaches once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.promote import promote
from pytest_causal.actions.proposal import propose
from pytest_causal.actions.revert import RefusedError, check_revert, find_promotion, revert
from pytest_causal.errors import MissingInputError
from pytest_causal.model.promotion import Promotion, State
from pytest_causal.policy.promotion_rules import find_rule
from tests.actions.world import World

CONFIG = """
[policy]
a = 1
b = 1
[criteria]
rule = "threshold"
min_runs = 1
min_sessions = 1
[guards]
cooldown_hours = 0
max_actions = 99
"""
RULE = '[[promotion]]\nname = "%s"\nscenarios = ["load"]\nevidence = "control"\nchanges = {%s}\n'


class Reverting:
    """A world in which rules are made as they are needed; every one is eligible."""

    def __init__(self, root: Path) -> None:
        self.world = World(root, CONFIG)
        self.world.tests["load"] = lambda policy, metric: policy["a"] + policy["b"]
        self.rules = ""

    def make(self, name: str, changes: str) -> Promotion:
        self.rules += RULE % (name, changes)
        (self.world.root / "causal.toml").write_text(CONFIG + self.rules)
        self.world.session(reviewed=False, shadow=False)
        context, policy = self.world.context, self.world.policy
        evaluation = propose(context, find_rule(context.settings, name), policy).evaluation
        assert evaluation is not None
        return promote(context, evaluation, policy)

    def revert(self, promotion: Promotion, **others: Any) -> Promotion:
        return revert(self.world.context, promotion, reason="by test", **others)

    @property
    def values(self) -> tuple[int, int]:
        return self.world.value("a"), self.world.value("b")


@pytest.fixture
def reverting(tmp_path: Path) -> Iterator[Reverting]:
    made = Reverting(tmp_path)
    yield made
    made.world.store.close()


def test_an_older_change_is_taken_back_and_a_newer_one_stays(reverting: Reverting) -> None:
    first, second = reverting.make("first", "a = 2"), reverting.make("second", "b = 2")
    assert reverting.revert(first).state is State.REVERTED
    assert reverting.values == (1, 2)
    assert find_promotion(reverting.world.store, "") == second


def test_where_two_overlap_the_newer_one_is_named_and_goes_first(reverting: Reverting) -> None:
    first, second = reverting.make("first", "a = 2, b = 2"), reverting.make("second", "a = 3")
    for attempt in (lambda: reverting.revert(first), lambda: check_revert(reverting.world.context, first)):
        with pytest.raises(RefusedError, match=r"a is no longer what P-1 set .*; revert P-2 first"):
            attempt()
    assert reverting.values == (3, 2)
    reverting.revert(second)
    assert reverting.values == (2, 2)
    reverting.revert(first)
    assert reverting.values == (1, 1)
    assert reverting.world.store.live().leaves == {}


def test_a_value_that_would_be_out_of_bounds_by_now_is_not_set(reverting: Reverting) -> None:
    reverting.make("first", "a = 5")
    made = reverting.make("second", "a = 3")
    toml = reverting.world.root / "causal.toml"
    toml.write_text(toml.read_text() + "[bounds]\na = {max = 4}\n")
    with pytest.raises(RefusedError, match="a would go back to 5, which is out of bounds now"):
        reverting.revert(made)
    assert reverting.values == (3, 1)


@pytest.mark.parametrize("state", [state for state in State if not state.is_live])
def test_only_what_stands_is_taken_back(reverting: Reverting, state: State) -> None:
    made = reverting.make("first", "a = 2")
    with pytest.raises(RefusedError, match=rf"P-1 is (on )?{state}; only a change that stands"):
        reverting.revert(made._replace(state=state))
    assert reverting.values == (2, 1)


def test_the_same_failure_twice_makes_one_lesson_of_the_nearer_value(reverting: Reverting) -> None:
    reverting.revert(reverting.make("first", "a = 9"))
    reverting.revert(reverting.make("second", "a = 5"))
    (lesson,) = reverting.world.store.lessons()
    assert (lesson.times, lesson.after, lesson.scenario, lesson.promotion) == (2, 5, "load", 2)
    reverting.revert(reverting.make("third", "a = 0"))  # the other way is another failure
    assert [(each.times, each.after) for each in reverting.world.store.lessons()] == [(2, 5), (1, 0)]


def test_a_lesson_names_what_failed_and_where_nothing_did_all_that_vouched(reverting: Reverting) -> None:
    reverting.revert(reverting.make("first", "a = 2"), failing=["other"])
    reverting.revert(reverting.make("second", "b = 2"), teaches=False)
    assert [each.scenario for each in reverting.world.store.lessons()] == ["other"]


@pytest.mark.parametrize(("label", "found"), [("P-1", 1), ("p-1", 1), ("2", 2), ("", 2)])
def test_a_promotion_is_found_by_its_number_and_else_the_newest_that_stands(
    reverting: Reverting, label: str, found: int
) -> None:
    reverting.make("first", "a = 2")
    reverting.make("second", "b = 2")
    assert find_promotion(reverting.world.store, label).id == found


@pytest.mark.parametrize(
    ("label", "words"), [("P-1", "there is no promotion 'P-1'"), ("", "no change of the policy")]
)
def test_what_is_not_there_is_missing(reverting: Reverting, label: str, words: str) -> None:
    with pytest.raises(MissingInputError, match=words):
        find_promotion(reverting.world.store, label)
