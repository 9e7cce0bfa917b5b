"""The dependence campaign: changes whose effect is known, many times over, and the verdicts they must get.

Each repeat is a history of its own, with its own seed. The system under test reads its policy through the tracked
mapping, as a test does, and its outcomes are a stated function of what it read. What is asserted is what the project
is for: a change is promoted because the evidence depends on it, and for no other reason.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.case import gather_case
from pytest_causal.model.evidence import Reason, Verdict
from pytest_causal.model.promotion import State
from pytest_causal.policy.promotion_rules import find_rule, proposed_change
from tests.actions.world import World
from tests.scale import times

REPEATS = times(200, 40)
PARTS = times(8, 2)
"""The repeats are split, so that several processes can share them."""
SESSIONS = 6
RUNS_A_SESSION = 10

CONFIG = """
[policy]
same = 1
unread = 1
neutral = 1
helpful = 1
harmful = 1
load = 1
dose = 1

[criteria]
unit = "run"
max_failure_rate = 0.15

[guards]
max_actions = 1000

[[promotion]]
name = "aa"
scenarios = ["plain"]
changes = {same = 1}

[[promotion]]
name = "placebo"
scenarios = ["plain"]
changes = {unread = 2}

[[promotion]]
name = "neutral"
scenarios = ["scored"]
changes = {neutral = 2}
metrics = {score = {min = 1.15}}

[[promotion]]
name = "helps"
scenarios = ["scored"]
changes = {helpful = 2}
metrics = {score = {min = 1.15}}

[[promotion]]
name = "harms"
scenarios = ["plain"]
changes = {harmful = 2}

[[promotion]]
name = "harms-under-load"
scenarios = ["light", "heavy"]
changes = {load = 2}

[[promotion]]
name = "dose-2"
scenarios = ["dosed"]
changes = {dose = 2}

[[promotion]]
name = "dose-3"
scenarios = ["dosed"]
changes = {dose = 3}

[[promotion]]
name = "dose-4"
scenarios = ["dosed"]
changes = {dose = 4}
"""

NOT_TO_BE_PROMOTED = ("aa", "placebo", "neutral", "harms", "harms-under-load")


def build(root: Path, seed: int) -> World:
    """Return a world whose system fails and scores as its policy says, with noise of its own seed."""
    chance = random.Random(seed)
    world = World(root, CONFIG)

    def fail_with(rate: float) -> None:
        if chance.random() < rate:
            raise ValueError("a failure")

    def plain(policy: Any, metric: Any) -> None:
        assert policy["same"] == 1
        fail_with(0.40 if policy["harmful"] == 2 else 0.01)

    def scored(policy: Any, metric: Any) -> None:
        assert policy["neutral"] in (1, 2)
        gain = 0.3 if policy["helpful"] == 2 else 0.0
        fail_with(0.01 if gain else 0.05)
        metric("score", chance.gauss(1.0 + gain, 0.1))

    def light(policy: Any, metric: Any) -> None:
        assert policy["load"] in (1, 2)

    def heavy(policy: Any, metric: Any) -> None:
        fail_with(0.40 if policy["load"] == 2 else 0.01)

    def dosed(policy: Any, metric: Any) -> None:
        metric("answer_ms", chance.gauss(100.0 - 5.0 * policy["dose"], 5.0))

    world.tests = {"plain": plain, "scored": scored, "light": light, "heavy": heavy, "dosed": dosed}
    return world


def standing_of(world: World, name: str) -> State | None:
    found = [each for each in world.store.promotions() if each.name == name]
    return found[-1].state if found else None


def dose_means(world: World) -> list[float]:
    """Return the mean of the metric under each dose, from the candidates' own evidence."""
    means = []
    for name in ("dose-2", "dose-3", "dose-4"):
        rule = find_rule(world.settings, name)
        change = proposed_change(rule, world.settings, world.policy)
        assert change is not None
        case = gather_case(world.store, rule, change, world.policy, world.settings.criteria, world.now_us)
        (standing,) = case.scenarios[0].metrics
        assert standing.mean is not None
        assert standing.measured == SESSIONS * RUNS_A_SESSION
        means.append(standing.mean)
    return means


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_changes_get_the_verdicts_that_their_effect_deserves(part: int, tmp_path: Path) -> None:
    """Ever eligible counts: in mode ``auto`` it would have been promoted at that moment."""
    ever_eligible: Counter[str] = Counter()
    in_order = 0
    seeds = range(part, REPEATS, PARTS)
    for seed in seeds:
        world = build(tmp_path / str(seed), seed)
        earned = set()
        for _ in range(SESSIONS):
            world.session(repeats=RUNS_A_SESSION)
            earned |= {each.name for each in world.store.promotions() if each.state is State.ELIGIBLE}
        ever_eligible.update(earned)
        assert standing_of(world, "aa") is None, "a change to the values in force is no change"
        placebo = world.promotion("placebo").verdict
        assert placebo is not None
        assert (placebo.verdict, placebo.reasons) == (Verdict.INERT, (Reason.NEVER_READ,))
        means = dose_means(world)
        in_order += means == sorted(means, reverse=True)
        world.store.close()
    repeats = len(seeds)
    assert ever_eligible["placebo"] == ever_eligible["aa"] == ever_eligible["neutral"] == 0
    assert ever_eligible["harms"] <= 0.05 * repeats
    assert ever_eligible["harms-under-load"] <= 0.05 * repeats
    assert ever_eligible["helps"] >= 0.90 * repeats
    assert in_order >= 0.95 * repeats, "three steps of the dose must move the metric in their order"
