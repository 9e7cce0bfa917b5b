"""A trial that ran to its end is kept with the promotion it was of, and a failed one stands in its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.audit import verify_audit
from pytest_causal.actions.evaluate import new_promotion
from pytest_causal.actions.trial_record import record_trial
from pytest_causal.model.promotion import State, Tried
from pytest_causal.model.trial import Kind, TrialPlan, TrialReason, TrialResult, TrialVerdict
from pytest_causal.policy.promotion_rules import find_rule, proposed_change
from tests.actions.world import World

CONFIG = """
[policy]
rows = 10
other = 1
[criteria]
rule = "threshold"
min_runs = %s
min_sessions = 1
[[promotion]]
name = "more"
scenarios = ["load"]
changes = {rows = 20}
"""
PASS, FAIL = TrialVerdict.PASS, TrialVerdict.FAIL


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, CONFIG % 1)
    made.tests["load"] = lambda policy, metric: policy["rows"]
    yield made
    made.store.close()


def result(
    world: World, verdict: TrialVerdict = PASS, *reasons: TrialReason, rounds: int = 14, **plan: Any
) -> TrialResult:
    rule = find_rule(world.settings, "more")
    fields: dict[str, Any] = {
        "rule": rule, "change": proposed_change(rule, world.settings, world.policy), "kind": Kind.COMMAND,
        "words": ("true",), "rounds": 16, "timeout_seconds": 1.0, "seed": 7, "min_effect": 0.2, "alpha": 0.05,
    }  # fmt: skip
    return TrialResult(TrialPlan(**(fields | plan)), verdict, reasons, rounds, sessions=(3, 4))


def rows(world: World) -> list[dict[str, Any]]:
    return [json.loads(row.document) for row in world.store.audit()]


def test_a_change_that_nobody_has_looked_at_yet_begins_on_trial(world: World) -> None:
    made = record_trial(world.context, result(world))
    assert made is not None
    assert (made.id, made.state) == (1, State.TRIAL)
    assert made == world.promotion("more")
    assert made.trial == Tried("pass", (), 14, world.now_us)
    (row,) = rows(world)
    assert (row["state_before"], row["state_after"], row["decision"]) == ("", "trial", None)
    assert row["trial"] == {
        "verdict": "pass", "reasons": [], "rounds": 14, "ended_us": world.now_us, "seed": 7, "sessions": [3, 4],
    }  # fmt: skip
    assert verify_audit(world.store, world.context.overrides_path) == (1, 0, ())


@pytest.mark.parametrize("state", [state for state in State if not state.is_live and not state.is_final])
def test_what_is_on_its_way_comes_on_trial_unless_it_is_rejected_or_locked(
    world: World, state: State
) -> None:
    plan = result(world).plan
    assert plan.change is not None
    with world.store.acting() as ledger:
        ledger.put(new_promotion(world.context, plan.rule, plan.change)._replace(state=state))
    made = record_trial(world.context, result(world))
    assert made is not None
    stays = state in (State.REJECTED, State.LOCKED)
    assert made.state is (state if stays else State.TRIAL)
    assert (rows(world)[-1]["state_before"], made.trial is not None) == (state.value, True)


def test_it_stays_on_trial_until_it_is_earned(tmp_path: Path) -> None:
    world = World(tmp_path, CONFIG % 3)
    world.tests["load"] = lambda policy, metric: policy["rows"]
    states = []
    world.session()
    record_trial(world.context, result(world))
    for _ in range(2):
        states.append(world.promotion("more").state)
        world.session()
    assert [*states, world.promotion("more").state] == [State.TRIAL, State.TRIAL, State.ELIGIBLE]
    assert world.promotion("more").trial is not None
    world.store.close()


def test_after_a_failed_trial_it_is_only_proposed_and_not_made_until_one_passes(world: World) -> None:
    world.session()
    assert world.promotion("more").state is State.ELIGIBLE
    record_trial(world.context, result(world, FAIL, TrialReason.WORSE))
    world.session()
    assert world.promotion("more").state is State.HELD
    assert world.promotion("more").note == "its newest trial failed (worse)"
    assert rows(world)[-1]["decision"]["vetoes"] == ["its newest trial failed (worse)"]
    record_trial(world.context, result(world))
    world.session()
    assert world.promotion("more").state is State.ELIGIBLE
    assert verify_audit(world.store, world.context.overrides_path).problems == ()


def test_a_failed_trial_of_what_is_not_earned_lapses(tmp_path: Path) -> None:
    world = World(tmp_path, CONFIG % 99)
    world.tests["load"] = lambda policy, metric: policy["rows"]
    record_trial(world.context, result(world, FAIL, TrialReason.LIMIT_BROKEN))
    world.session()
    assert world.promotion("more").state is State.PROPOSED
    world.store.close()


def test_what_was_not_finished_or_compared_nothing_is_not_recorded(world: World) -> None:
    for unrecorded in (
        result(world, TrialVerdict.INCONCLUSIVE, TrialReason.INTERRUPTED),
        result(world, TrialVerdict.INCONCLUSIVE, TrialReason.NO_DATA, rounds=0),
        result(world, TrialVerdict.INCONCLUSIVE, TrialReason.NOTHING_TO_CHANGE, change=None),
    ):
        assert record_trial(world.context, unrecorded) is None
    assert world.store.promotions() == []


def test_a_trial_of_another_change_than_is_proposed_now_is_not_recorded(world: World) -> None:
    found = result(world)
    (world.root / "causal.toml").write_text((CONFIG % 1).replace("rows = 10", "rows = 12"))
    assert record_trial(world.context, found) is None
    assert world.store.promotions() == []


def test_a_change_that_the_rule_proposed_before_is_superseded(world: World) -> None:
    world.session()
    (world.root / "causal.toml").write_text((CONFIG % 1).replace("rows = 20", "rows = 30"))
    record_trial(world.context, result(world))
    assert [(each.change.after, each.state) for each in world.store.promotions()] == [
        ({"rows": 20}, State.SUPERSEDED),
        ({"rows": 30}, State.TRIAL),
    ]
