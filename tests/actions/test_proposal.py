from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.actions.promote import promote
from pytest_causal.actions.proposal import Proposal, propose, supersede_replaced
from pytest_causal.model.evidence import Verdict
from pytest_causal.model.promotion import State
from pytest_causal.policy.promotion_rules import find_rule
from tests.actions.world import World

CONFIG = """
[policy]
rows = 10
[criteria]
rule = "threshold"
min_runs = 1
min_sessions = 1
[guards]
cooldown_hours = 0
[[promotion]]
name = "more"
scenarios = ["load"]
changes = {rows = %d}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, CONFIG % 20)
    made.tests["load"] = lambda policy, metric: policy["rows"]
    yield made
    made.store.close()


def proposal(world: World) -> Proposal:
    return propose(world.context, find_rule(world.settings, "more"), world.policy)


def make(world: World) -> None:
    evaluation = proposal(world).evaluation
    assert evaluation is not None
    promote(world.context, evaluation, world.policy)


def test_a_rule_is_evaluated_and_nothing_is_written(world: World) -> None:
    world.session(reviewed=False)
    found = proposal(world)
    assert found.evaluation is not None
    assert found.evaluation.is_eligible
    assert (found.evaluation.state_before, found.standing, found.replaced) == (None, None, None)
    assert (world.store.promotions(), list(world.store.audit())) == ([], [])


def test_what_is_on_its_way_goes_on(world: World) -> None:
    world.session()
    found = proposal(world)
    assert found.evaluation is not None
    assert (found.evaluation.state_before, found.evaluation.promotion.id) == (State.ELIGIBLE, 1)


def test_where_its_values_are_in_force_the_promotion_that_made_them_so_stands(world: World) -> None:
    world.session(reviewed=False)
    make(world)
    found = proposal(world)
    assert (found.change, found.evaluation) == (None, None)
    assert found.standing == world.promotion("more")


def test_where_they_were_always_in_force_nothing_stands(world: World) -> None:
    (world.root / "causal.toml").write_text((CONFIG % 20).replace("rows = 10", "rows = 20"))
    found = proposal(world)
    assert (found.change, found.evaluation, found.standing) == (None, None, None)


def test_another_change_replaces_the_one_on_its_way(world: World) -> None:
    world.session()
    (world.root / "causal.toml").write_text(CONFIG % 30)
    found = proposal(world)
    assert found.evaluation is not None
    assert (found.evaluation.promotion.id, found.evaluation.state_before) == (0, None)
    assert found.evaluation.decision["verdict"]["verdict"] == Verdict.INERT
    assert found.replaced == world.promotion("more")
    supersede_replaced(world.context, found)
    assert world.promotion("more").state is State.SUPERSEDED


def test_a_change_that_stands_is_not_replaced_by_the_next(world: World) -> None:
    world.session(reviewed=False)
    make(world)
    (world.root / "causal.toml").write_text(CONFIG % 30)
    found = proposal(world)
    assert found.replaced is None
    assert found.change is not None
    assert found.change.before == {"rows": 20}
    supersede_replaced(world.context, found)
    assert world.promotion("more").state is State.PROVISIONAL
