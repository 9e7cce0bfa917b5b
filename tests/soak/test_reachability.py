from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.profiles import load_profile, shipped_profiles
from tools.soak.guard_limits import GuardLimits, guard_limits
from tools.soak.guard_state import State
from tools.soak.guards import Decision, Guard, Situation, decide
from tools.soak.kpi import Verdict
from tools.soak.reachability import Outlook, Reach, explain
from tools.soak.tuner import RULES_FILE, TuningRules, propose, read_rules

RULES = read_rules(parse_json(RULES_FILE.read_text("utf-8"), str(RULES_FILE)))
LIMITS = guard_limits(RULES.guards)
PROFILE = load_profile("steady_safe", (shipped_profiles(),))
NIGHT = Outlook(iterations=24, warmup=0, period_us=300_000_000, has_hard_limit=True)


def told(
    outlook: Outlook = NIGHT, limits: GuardLimits = LIMITS, bounds: Any = None, rules: TuningRules = RULES
) -> dict[Guard, Reach]:
    found = explain(rules, limits, PROFILE.bounds if bounds is None else bounds, PROFILE.leaves, outlook)
    assert [reach.guard for reach in found] == list(Guard)
    assert all(reach.reason for reach in found)
    return {reach.guard: reach for reach in found}


def never(**changed: Any) -> set[Guard]:
    return {guard for guard, reach in told(**changed).items() if not reach.can_happen}


def test_in_a_night_every_guard_can_fire_but_the_one_that_was_not_asked_for() -> None:
    assert never() == {Guard.BUDGET}
    assert never(limits=dataclasses.replace(LIMITS, budget=10)) == set()


def test_d27_a_threshold_that_the_run_cannot_reach_is_told() -> None:
    short = told(NIGHT._replace(iterations=3))
    assert not short[Guard.HARD_KPI].can_happen
    assert "only 3 of 5 iterations are there" in short[Guard.HARD_KPI].reason
    assert never(outlook=NIGHT._replace(iterations=3)) == {Guard.HARD_KPI, Guard.RATE, Guard.BUDGET}


def test_warm_up_leaves_fewer_iterations() -> None:
    assert Guard.FREEZE in never(outlook=NIGHT._replace(iterations=6, warmup=4))
    assert Guard.FREEZE not in never(outlook=NIGHT._replace(iterations=7, warmup=4))


def test_a_single_iteration_changes_nothing_and_says_so() -> None:
    assert never(outlook=NIGHT._replace(iterations=1)) == set(Guard) - {
        Guard.KILL_SWITCH,
        Guard.LAST_ITERATION,
    }


def test_one_iteration_an_hour_can_never_be_too_many() -> None:
    assert Guard.RATE in never(outlook=NIGHT._replace(period_us=3_600_000_000))


def test_a_run_that_time_ends_can_reach_all() -> None:
    assert never(outlook=NIGHT._replace(iterations=None)) == {Guard.BUDGET}


def test_without_a_hard_limit_nothing_is_restored() -> None:
    assert Guard.HARD_KPI in never(outlook=NIGHT._replace(has_hard_limit=False))


@pytest.mark.parametrize(
    ("guard", "changed"),
    [
        (Guard.FREEZE, {"freeze_when": ()}),
        (Guard.FREEZE, {"freeze_for": 0}),
        (Guard.FREEZE, {"freeze_paths": frozenset({"other"})}),
        (Guard.COOLDOWN, {"cooldown_above_ratio": 0.9}),
        (Guard.COOLDOWN, {"cooldown_for": 0}),
        (Guard.RATE, {"max_steps_per_hour": 24}),
        (Guard.VELOCITY, {"max_change_per_hour": {}}),
        (Guard.VELOCITY, {"max_change_per_hour": {"impact.impact_cap_ratio": 1.0}}),
        (Guard.OSCILLATION, {"oscillation_window": 0}),
        (Guard.KEYS, {"max_keys": 6}),
        (Guard.BUDGET, {"budget": 1000}),
    ],
)
def test_limits_that_cannot_bind_are_told(guard: Guard, changed: dict[str, Any]) -> None:
    assert guard in never(limits=dataclasses.replace(LIMITS, **changed))


def test_bounds_out_of_reach_and_bounds_that_are_missing() -> None:
    wide = {path: Bound(-1e9, 1e9) for path in PROFILE.bounds}
    endless = tuple(
        rule._replace(
            then=tuple(
                effect._replace(add=effect.add or -1.0, mul=None, floor=None, cap=None)
                for effect in rule.then
            )
        )
        for rule in RULES.rules
    )
    assert Guard.BOUNDS in never(bounds=wide, rules=RULES._replace(rules=endless))
    assert Guard.BOUNDS not in never(bounds=wide)  # the rules' own limits are as good as bounds
    assert "no bounds are declared" in told(bounds={})[Guard.BOUNDS].reason


@pytest.mark.parametrize("seed", range(60))
def test_a_guard_that_is_said_never_to_fire_never_does(seed: int) -> None:
    chance = random.Random(seed)
    outlook = Outlook(
        iterations=chance.choice([1, 2, 3, 5, 12, 24]),
        warmup=0,
        period_us=chance.choice([0, 5_000_000, 300_000_000, 3_600_000_000]),
        has_hard_limit=True,
    )
    limits = dataclasses.replace(
        LIMITS,
        budget=chance.choice([None, 0, 3, 30]),
        max_keys=chance.choice([1, 2, 6]),
        max_steps_per_hour=chance.choice([1, 4, 18, 100]),
        cooldown_above_ratio=chance.choice([0.05, 0.1, 0.5]),
        oscillation_window=chance.choice([0, 1, 6]),
        max_change_per_hour={
            path: limit * chance.choice([0.5, 1, 4]) for path, limit in LIMITS.max_change_per_hour.items()
        },
    )
    quiet = {
        reach.guard
        for reach in explain(RULES, limits, PROFILE.bounds, PROFILE.leaves, outlook)
        if not reach.can_happen
    }
    assert fired(chance, limits, outlook) & quiet == set()


def fired(chance: random.Random, limits: GuardLimits, outlook: Outlook) -> set[Guard]:
    """Return the guards that refused in a run with metrics at random; a panic stands for the hard KPI."""
    values, state, found = dict(PROFILE.leaves), State(), set()
    assert outlook.iterations is not None
    for iteration in range(1, outlook.iterations + 1):
        metrics: dict[str, float | None] = {
            "risk_ratio": chance.uniform(0.2, 0.7), "net_bps": chance.uniform(1, 4),
            "maker_taker_ratio": chance.uniform(0.8, 1), "p95_latency_ms": chance.uniform(200, 400),
            "adverse_bps_p95": chance.uniform(1, 5), "slippage_bps_p95": chance.uniform(1, 3),
            "order_age_p95_ms": chance.uniform(250, 400), "cancel_ratio": chance.uniform(0.3, 0.6),
            "ws_lag_p95_ms": chance.uniform(50, 130),
        }  # fmt: skip
        situation = Situation(
            iteration=iteration, is_last=iteration == outlook.iterations, now_us=iteration * outlook.period_us,
            since_last_us=outlook.period_us, period_us=outlook.period_us,
            verdict=chance.choice([Verdict.PASS, Verdict.WARN, Verdict.FAIL]), metrics=metrics,
        )  # fmt: skip
        made = propose(RULES, metrics, values).made
        decision = decide(made, values, PROFILE.bounds, limits, state, situation)
        found |= alone(decision) if not situation.is_last else {Guard.LAST_ITERATION} & guards_of(decision)
        values.update({step.path: step.after for step in decision.applied})
        state = decision.state
    return found


def guards_of(decision: Decision) -> set[Guard]:
    return {check.guard for check in decision.refused}


def alone(decision: Decision) -> set[Guard]:
    """Return the guards that were the only ones to hold a step back."""
    by_path: dict[str, set[Guard]] = {}
    for check in decision.refused:
        by_path.setdefault(check.path, set()).add(check.guard)
    return {guard for guards in by_path.values() if len(guards) == 1 for guard in guards}


def test_what_is_said_to_be_reachable_is_reached() -> None:
    reachable = {
        reach.guard
        for reach in told(limits=dataclasses.replace(LIMITS, budget=20)).values()
        if reach.can_happen
    }
    found: set[Guard] = set()
    for seed in range(40):
        found |= fired(random.Random(seed), dataclasses.replace(LIMITS, budget=20), NIGHT)
    assert found == reachable - {Guard.KILL_SWITCH}
