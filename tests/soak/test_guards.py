from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.policy.bounds import Bound
from tools.soak.guard_limits import GuardLimits
from tools.soak.guard_state import HOUR_US, PastStep, State, Step
from tools.soak.guards import Check, Decision, Guard, Situation, decide
from tools.soak.kpi import Verdict
from tools.soak.tuner import Condition, Proposal

PERIOD_US = 300_000_000
START_US = 1_000 * HOUR_US
INTERVAL, SPREAD, IMPACT = (
    "quoting.min_interval_ms",
    "quoting.base_spread_bps_delta",
    "impact.impact_cap_ratio",
)
BOUNDS = {INTERVAL: Bound(40, 80), SPREAD: Bound(0.08, 0.25), IMPACT: Bound(0.08, 0.12)}
VALUES = {INTERVAL: 60, SPREAD: 0.16, IMPACT: 0.10}
OPEN = GuardLimits(max_steps_per_hour=1000, max_keys=10, cooldown_above_ratio=10.0, oscillation_window=0)
"""Limits under which no guard that has a limit refuses anything."""
GOOD = {"risk_ratio": 0.3, "net_bps": 3.0}
FREEZE = dataclasses.replace(
    OPEN,
    freeze_when=(Condition(metric="risk_ratio", at_most=0.35), Condition(metric="net_bps", at_least=2.7)),
    freeze_paths=frozenset({IMPACT}),
)


def propose(path: str, delta: float, *, floor: float | None = None, cap: float | None = None) -> Proposal:
    return Proposal(path, delta, "rule", "because", floor, cap)


def at(iteration: int, verdict: Verdict = Verdict.PASS, **changed: Any) -> Situation:
    situation = Situation(
        iteration=iteration,
        is_last=False,
        now_us=START_US + iteration * PERIOD_US,
        since_last_us=None if iteration == 1 else PERIOD_US,
        period_us=PERIOD_US,
        verdict=verdict,
        metrics={},
    )
    return situation._replace(**changed)


def one(
    proposal: Proposal, limits: GuardLimits = OPEN, state: State | None = None, **changed: Any
) -> Decision:
    """Return the decision on one proposal in the iteration after the state's."""
    state = state or State()
    values = changed.pop("values", VALUES)
    bounds = changed.pop("bounds", BOUNDS)
    return decide([proposal], values, bounds, limits, state, at(state.iteration + 1, **changed))


class Run:
    """Decisions in a row, each applied to the values; the state passes through JSON, as at a restart."""

    def __init__(self, limits: GuardLimits, values: Mapping[str, Any] = VALUES) -> None:
        self.limits = limits
        self.values = dict(values)
        self.state = State()

    def decide(self, *proposals: Proposal, **changed: Any) -> Decision:
        restarted = State().changed_by(json.loads(json.dumps(self.state.changes_since(State()))))
        situation = at(self.state.iteration + 1, **changed)
        decision = decide(proposals, self.values, BOUNDS, self.limits, restarted, situation)
        self.state = decision.state
        for step in decision.applied:
            self.values[step.path] = step.after
        return decision


def guards_of(decision: Decision) -> set[Guard]:
    return {check.guard for check in decision.refused}


def refusal(decision: Decision, guard: Guard) -> Check:
    (check,) = (check for check in decision.refused if check.guard is guard)
    return check


def test_without_a_reason_against_it_a_step_is_applied() -> None:
    decision = one(propose(INTERVAL, 5))
    assert decision.applied == (Step(INTERVAL, 60, 65),)
    assert isinstance(decision.applied[0].after, int)
    assert decision.refused == ()
    assert decision.state.steps == (PastStep(INTERVAL, 60, 65, 1, 0),)


def test_every_guard_looks_at_every_proposal_in_one_order() -> None:
    proposals = [propose(INTERVAL, 5), propose(SPREAD, 0.01), propose("unknown", 1)]
    decision = decide(proposals, VALUES, BOUNDS, OPEN, State(), at(1, is_killed=True, is_last=True))
    asked = [(check.path, check.guard) for check in decision.checks]
    assert asked == [(proposal.path, guard) for proposal in proposals for guard in Guard]
    assert [guard.value for guard in Guard] == [
        *(
            "kill_switch",
            "hard_kpi",
            "freeze",
            "bounds",
            "cooldown",
            "rate",
            "velocity",
            "oscillation",
            "budget",
        ),
        *("keys", "last_iteration"),
    ]
    assert guards_of(decision) == {Guard.KILL_SWITCH, Guard.BOUNDS, Guard.LAST_ITERATION}
    assert all(check.reason for check in decision.refused)


def fired(guard: Guard) -> tuple[Proposal, GuardLimits, State, dict[str, Any]]:
    """Return the case in which this guard, and no other, refuses; and the same without its cause is applied."""
    busy = State(iteration=5, now_us=START_US, steps=(PastStep(SPREAD, 0.15, 0.16, 5, 0),))
    to_and_fro = State(iteration=5, now_us=START_US, steps=(PastStep(INTERVAL, 65, 60, 5, 0),))
    cases: dict[Guard, tuple[Proposal, GuardLimits, State, dict[str, Any]]] = {
        Guard.KILL_SWITCH: (propose(INTERVAL, 5), OPEN, State(), {"is_killed": True}),
        Guard.HARD_KPI: (propose(INTERVAL, 5), OPEN, State(), {"verdict": Verdict.INCONCLUSIVE}),
        Guard.FREEZE: (propose(IMPACT, 0.01), FREEZE, State(iteration=5, frozen_until=6), {}),
        Guard.BOUNDS: (propose(INTERVAL, 5), OPEN, State(), {"values": {**VALUES, INTERVAL: 80}}),
        Guard.COOLDOWN: (propose(INTERVAL, 5), OPEN, State(iteration=5, cooling={INTERVAL: 6}), {}),
        Guard.RATE: (propose(INTERVAL, 5), dataclasses.replace(OPEN, max_steps_per_hour=1), busy, {}),
        Guard.VELOCITY: (
            propose(INTERVAL, 5), dataclasses.replace(OPEN, max_change_per_hour={INTERVAL: 4.9}), State(), {},
        ),
        Guard.OSCILLATION: (
            propose(INTERVAL, 5), dataclasses.replace(OPEN, oscillation_window=6), to_and_fro, {},
        ),
        Guard.BUDGET: (propose(INTERVAL, 5), dataclasses.replace(OPEN, budget=3), State(spent=3), {}),
        Guard.LAST_ITERATION: (propose(INTERVAL, 5), OPEN, State(), {"is_last": True}),
    }  # fmt: skip
    return cases[guard]


@pytest.mark.parametrize("guard", [guard for guard in Guard if guard is not Guard.KEYS])
def test_each_guard_fires_alone_and_nothing_is_applied(guard: Guard) -> None:
    proposal, limits, state, changed = fired(guard)
    decision = one(proposal, limits, state, **changed)
    assert guards_of(decision) == {guard}
    assert decision.applied == ()
    assert decision.state.spent == state.spent


@pytest.mark.parametrize("guard", [guard for guard in Guard if guard is not Guard.KEYS])
def test_without_that_guard_the_same_step_would_have_been_applied(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.soak import guards

    if guard is Guard.BOUNDS:
        monkeypatch.setattr(guards, "_step", lambda proposal, values, bounds: Step(proposal.path, 80, 85))
    without = {name: ask for name, ask in guards._GUARDS.items() if name is not guard}
    monkeypatch.setattr(guards, "_GUARDS", without)
    proposal, limits, state, changed = fired(guard)
    assert one(proposal, limits, state, **changed).applied  # so the test above notices the guard's absence


def test_at_most_two_keys_change_in_an_iteration() -> None:
    limits = dataclasses.replace(OPEN, max_keys=2)
    proposals = [propose(INTERVAL, 5), propose(SPREAD, 0.01), propose(IMPACT, 0.01)]
    decision = decide(proposals, VALUES, BOUNDS, limits, State(), at(1))
    assert [step.path for step in decision.applied] == [INTERVAL, SPREAD]
    check = refusal(decision, Guard.KEYS)
    assert (check.path, check.could_pass_at_us) == (IMPACT, START_US + 2 * PERIOD_US)


def test_a_refused_proposal_takes_no_place_of_another() -> None:
    limits = dataclasses.replace(OPEN, max_keys=1)
    decision = decide([propose("unknown", 1), propose(SPREAD, 0.01)], VALUES, BOUNDS, limits, State(), at(1))
    assert [step.path for step in decision.applied] == [SPREAD]


def test_one_value_is_changed_once_in_an_iteration() -> None:
    decision = decide([propose(INTERVAL, 5), propose(INTERVAL, 5)], VALUES, BOUNDS, OPEN, State(), at(1))
    assert decision.applied == (Step(INTERVAL, 60, 65),)
    assert guards_of(decision) == {Guard.KEYS}


def test_d10_nothing_is_applied_on_the_last_iteration() -> None:
    decision = one(propose(INTERVAL, 5), is_last=True)
    assert decision.applied == ()
    assert refusal(decision, Guard.LAST_ITERATION).could_pass_at_us is None


def test_an_iteration_is_decided_once() -> None:
    state = one(propose(INTERVAL, 5)).state
    with pytest.raises(ValueError, match="iteration 1 is decided after iteration 1"):
        decide([], VALUES, BOUNDS, OPEN, state, at(1))


# Bounds


@pytest.mark.parametrize(
    ("proposal", "after"),
    [
        (propose(INTERVAL, 50), 80),
        (propose(INTERVAL, -50), 40),
        (propose(INTERVAL, 50, cap=75), 75),
        (propose(INTERVAL, 50, cap=100), 80),
        (propose(INTERVAL, -50, floor=50), 50),
        (propose(SPREAD, 0.5), 0.25),
    ],
)
def test_d1_k7_a_step_beyond_the_bound_ends_at_the_bound(proposal: Proposal, after: float) -> None:
    decision = one(proposal)
    assert [step.after for step in decision.applied] == [after]
    (cut,) = (check for check in decision.checks if check.reason)
    assert (cut.guard, cut.passes) == (Guard.BOUNDS, True)
    assert cut.reason.startswith("cut from")


@pytest.mark.parametrize(
    ("proposal", "values"),
    [
        (propose(INTERVAL, math.nan), VALUES),
        (propose(INTERVAL, math.inf), VALUES),
        (propose(INTERVAL, 5), {**VALUES, INTERVAL: math.nan}),
        (propose(INTERVAL, 5), {**VALUES, INTERVAL: "60"}),
        (propose(INTERVAL, 5), {**VALUES, INTERVAL: True}),
        (propose(INTERVAL, 5), {**VALUES, INTERVAL: None}),
        (propose("quoting.min_intervall_ms", 5), VALUES),
        (propose(INTERVAL, 5), {**VALUES, INTERVAL: 80}),
        (propose(INTERVAL, 5, cap=60), VALUES),
        (propose(INTERVAL, 5, cap=50), VALUES),  # the rule's cap lies behind: no step the other way
        (propose(INTERVAL, 0), VALUES),
        (propose(SPREAD, -0.01), {**VALUES, SPREAD: 0.05}),  # out of bounds already, and further out
    ],
)
def test_k7_what_is_no_step_within_the_bounds_is_refused(proposal: Proposal, values: dict[str, Any]) -> None:
    decision = one(proposal, values=values)
    assert decision.applied == ()
    assert guards_of(decision) == {Guard.BOUNDS}
    json.dumps([check.reason for check in decision.refused])


def test_k7_a_value_without_bounds_is_not_tuned() -> None:
    decision = one(propose(INTERVAL, 5), bounds={})
    assert refusal(decision, Guard.BOUNDS).reason == "no bounds are declared for it"


def test_k7_rounding_does_not_cross_the_bound_nor_leave_a_hair() -> None:
    values = {**VALUES, IMPACT: 0.08}
    for _ in range(4):
        (step,) = one(propose(IMPACT, 0.01), values=values).applied
        values[IMPACT] = step.after
    assert values[IMPACT] == 0.12  # by floats 0.08 + 4 * 0.01 is 0.12000000000000001
    assert guards_of(one(propose(IMPACT, 0.01), values=values)) == {Guard.BOUNDS}
    odd = {IMPACT: Bound(0.08, 0.1 + 1e-12)}
    (step,) = one(propose(IMPACT, 0.5), bounds=odd).applied
    assert step.after == odd[IMPACT].max


def test_a_value_out_of_bounds_may_come_back_to_them() -> None:
    assert one(propose(SPREAD, 0.01), values={**VALUES, SPREAD: 0.05}).applied == (Step(SPREAD, 0.05, 0.08),)


@pytest.mark.parametrize(("delta", "moved"), [(3, 5), (-3, -5), (7, 5), (8, 10), (25, 20)])
def test_values_move_in_the_whole_steps_of_their_bounds(delta: float, moved: float) -> None:
    bounds = {INTERVAL: Bound(40, 80, 5)}
    (step,) = one(propose(INTERVAL, delta), bounds=bounds).applied
    assert step.after - step.before == moved


@pytest.mark.parametrize(("delta", "after"), [(0.4, 61), (-9.3, 51), (19.0, 79), (-30, 41)])
def test_a_whole_number_stays_one_and_on_this_side_of_its_bound(delta: float, after: int) -> None:
    (step,) = one(propose(INTERVAL, delta), bounds={INTERVAL: Bound(40.5, 79.5)}).applied
    assert step.after == after
    assert isinstance(step.after, int)


finite = st.floats(-1e6, 1e6)


@given(
    value=finite | st.integers(-1000, 1000),
    delta=st.floats(),
    ends=st.tuples(finite, finite).map(sorted),
    size=st.none() | st.floats(0.001, 100),
)
def test_k7_nothing_that_is_applied_is_out_of_bounds(
    value: float, delta: float, ends: list[float], size: float | None
) -> None:
    bounds = {"x": Bound(ends[0], ends[1], size)}
    decision = decide([propose("x", delta)], {"x": value}, bounds, OPEN, State(), at(1))
    for step in decision.applied:
        assert ends[0] <= step.after <= ends[1]
        assert (step.after > step.before) == (delta > 0)


# Freeze


def test_d6_d11_k11_two_good_iterations_freeze_some_values_for_four_and_leave_others_free() -> None:
    run = Run(FREEZE)
    applied = []
    for _ in range(8):
        decision = run.decide(propose(IMPACT, 0.001), propose(INTERVAL, 1), metrics=GOOD)
        applied.append({step.path for step in decision.applied})
    # Iteration 2 is the second good one: 2 to 5 are frozen, 6 is free, and 7 is the second good one since.
    assert [IMPACT in paths for paths in applied] == [True, False, False, False, False, True, False, False]
    assert all(INTERVAL in paths for paths in applied)


def test_k11_a_frozen_value_is_told_when_it_is_free() -> None:
    run = Run(FREEZE)
    run.decide(metrics=GOOD)
    check = refusal(run.decide(propose(IMPACT, 0.001), metrics=GOOD), Guard.FREEZE)
    assert check.could_pass_at_us == START_US + 6 * PERIOD_US


@pytest.mark.parametrize(
    ("metrics", "verdict"),
    [
        ({"risk_ratio": 0.36, "net_bps": 3.0}, Verdict.PASS),
        ({"risk_ratio": 0.3}, Verdict.PASS),
        ({"risk_ratio": 0.3, "net_bps": None}, Verdict.PASS),
        ({"risk_ratio": 0.3, "net_bps": math.nan}, Verdict.PASS),
        (GOOD, Verdict.FAIL),
        (GOOD, Verdict.INCONCLUSIVE),
    ],
)
def test_what_is_not_known_to_be_good_breaks_the_row(metrics: dict[str, Any], verdict: Verdict) -> None:
    run = Run(FREEZE)
    run.decide(metrics=GOOD)
    run.decide(metrics=metrics, verdict=verdict)
    assert run.decide(propose(IMPACT, 0.001), metrics=GOOD).applied


# Cooldown


def test_d7_k10_a_large_step_makes_its_value_rest_over_a_restart() -> None:
    run = Run(dataclasses.replace(OPEN, cooldown_above_ratio=0.10, cooldown_for=3))
    assert run.decide(propose(INTERVAL, 7)).applied  # 11.7 % of 60
    answers = [run.decide(propose(INTERVAL, 1), propose(SPREAD, 0.001)) for _ in range(4)]
    assert [INTERVAL in {step.path for step in answer.applied} for answer in answers] == [
        False,
        False,
        False,
        True,
    ]
    assert all(SPREAD in {step.path for step in answer.applied} for answer in answers)
    waits = [refusal(answer, Guard.COOLDOWN).could_pass_at_us for answer in answers[:3]]
    assert waits == [START_US + 5 * PERIOD_US] * 3


def test_a_step_of_just_the_ratio_needs_no_rest() -> None:
    run = Run(dataclasses.replace(OPEN, cooldown_above_ratio=0.10, cooldown_for=3))
    run.decide(propose(INTERVAL, 6))
    assert run.decide(propose(INTERVAL, 1)).applied


def test_a_step_from_zero_is_a_large_one() -> None:
    limits = dataclasses.replace(OPEN, cooldown_above_ratio=0.10)
    decision = one(propose("x", 0.1), limits, values={"x": 0}, bounds={"x": Bound(0, 1)})
    assert decision.state.cooling == {"x": 4}


# Rate and velocity


def test_the_rate_is_of_steps_in_the_last_hour() -> None:
    run = Run(dataclasses.replace(OPEN, max_steps_per_hour=2))
    assert run.decide(propose(INTERVAL, 1)).applied
    assert run.decide(propose(INTERVAL, 1)).applied
    check = refusal(run.decide(propose(INTERVAL, 1)), Guard.RATE)
    assert check.could_pass_at_us == START_US + PERIOD_US + HOUR_US
    for _ in range(9):
        assert not run.decide(propose(INTERVAL, 1)).applied
    assert run.decide(propose(INTERVAL, 1)).applied  # iteration 13 begins an hour after the first


def test_the_rate_counts_the_steps_of_this_iteration() -> None:
    limits = dataclasses.replace(OPEN, max_steps_per_hour=1)
    decision = decide([propose(INTERVAL, 1), propose(SPREAD, 0.01)], VALUES, BOUNDS, limits, State(), at(1))
    assert [step.path for step in decision.applied] == [INTERVAL]
    assert refusal(decision, Guard.RATE).could_pass_at_us == at(1).now_us + HOUR_US


VELOCITY = dataclasses.replace(OPEN, max_change_per_hour={INTERVAL: 10.0})


def test_d9_k9_two_small_steps_that_sum_above_the_limit_are_one_too_many() -> None:
    run = Run(VELOCITY)
    assert run.decide(propose(INTERVAL, 6)).applied
    decision = run.decide(propose(INTERVAL, 6))
    check = refusal(decision, Guard.VELOCITY)
    assert check.could_pass_at_us == START_US + PERIOD_US + HOUR_US
    assert run.decide(propose(INTERVAL, 4)).applied  # up to the limit itself


def test_d9_proposing_often_is_no_velocity() -> None:
    run = Run(VELOCITY)
    assert all(run.decide(propose(INTERVAL, 1)).applied for _ in range(10))


def test_k9_steps_to_and_fro_count_without_sign() -> None:
    run = Run(VELOCITY)
    run.decide(propose(INTERVAL, 6))
    assert guards_of(run.decide(propose(INTERVAL, -6))) == {Guard.VELOCITY}


@pytest.mark.parametrize(
    "jump",
    [
        {"now_us": 0},
        {"now_us": START_US + 10**7 * HOUR_US},
        {"now_us": START_US + 10**7 * HOUR_US, "since_last_us": None},
        {"now_us": 0, "since_last_us": None},
    ],
    ids=["back", "on ten years", "on, over a restart", "back, over a restart"],
)
def test_k9_a_clock_that_jumps_wins_no_room(jump: dict[str, Any]) -> None:
    run = Run(VELOCITY)
    run.decide(propose(INTERVAL, 6))
    assert guards_of(run.decide(propose(INTERVAL, 6), **jump)) == {Guard.VELOCITY}


def test_k9_room_comes_back_after_an_hour() -> None:
    run = Run(VELOCITY)
    run.decide(propose(INTERVAL, 6))
    assert run.decide(propose(INTERVAL, 6), since_last_us=HOUR_US).applied


def test_the_velocity_of_one_value_is_not_that_of_another() -> None:
    run = Run(dataclasses.replace(OPEN, max_change_per_hour={INTERVAL: 10.0, SPREAD: 0.05}))
    run.decide(propose(INTERVAL, 10))
    assert run.decide(propose(SPREAD, 0.05)).applied


def test_a_step_larger_than_an_hours_worth_never_passes() -> None:
    check = refusal(one(propose(INTERVAL, 11), VELOCITY), Guard.VELOCITY)
    assert check.could_pass_at_us is None


@given(
    deltas=st.lists(st.floats(-20, 20), max_size=30),
    gaps=st.lists(st.integers(0, HOUR_US), min_size=30, max_size=30),
)
def test_k9_no_hour_holds_more_change_than_allowed(deltas: list[float], gaps: list[int]) -> None:
    run, clock, moved = Run(VELOCITY), 0, []
    for delta, gap in zip(deltas, gaps, strict=False):
        clock += gap if run.state.now_us is not None else 0
        decision = run.decide(propose(INTERVAL, delta), since_last_us=gap)
        moved += [(clock, abs(step.after - step.before)) for step in decision.applied]
    for since, _ in moved:
        assert sum(size for at_us, size in moved if since <= at_us < since + HOUR_US) <= 10.0 + 1e-6


# Oscillation

STEADY = dataclasses.replace(OPEN, oscillation_window=6)


def test_d8_k8_a_value_does_not_go_back_to_where_it_was() -> None:
    run = Run(STEADY)
    run.decide(propose(INTERVAL, 5))
    check = refusal(run.decide(propose(INTERVAL, -5)), Guard.OSCILLATION)
    assert check.could_pass_at_us == START_US + 8 * PERIOD_US
    assert check.reason == "goes to and fro: 60, 65, 60"
    assert run.decide(propose(INTERVAL, -3)).applied  # a correction is another value


def test_d13_k8_nor_does_it_drift_to_and_fro() -> None:
    run = Run(STEADY)
    assert run.decide(propose(INTERVAL, 10)).applied
    assert run.decide(propose(INTERVAL, -9)).applied
    assert guards_of(run.decide(propose(INTERVAL, 10))) == {Guard.OSCILLATION}


def test_d12_a_ramp_is_let_pass() -> None:
    run = Run(STEADY, {**VALUES, INTERVAL: 40})
    assert all(run.decide(propose(INTERVAL, 2)).applied for _ in range(10))


def test_k8_a_refused_oscillation_can_pass_when_it_said() -> None:
    run = Run(STEADY)
    run.decide(propose(INTERVAL, 5))
    answers = [bool(run.decide(propose(INTERVAL, -5)).applied) for _ in range(7)]
    assert answers == [False] * 6 + [True]  # told in iteration 2: iteration 8


def test_k8_keys_that_come_and_go_are_remembered() -> None:
    run = Run(STEADY)
    run.decide(propose(SPREAD, 0.01))
    run.decide(propose(INTERVAL, 5))
    run.decide()
    assert guards_of(run.decide(propose(INTERVAL, -5), propose(SPREAD, -0.01))) == {Guard.OSCILLATION}
    assert run.values == {**VALUES, INTERVAL: 65, SPREAD: 0.17}


def test_k8_it_is_remembered_by_iterations_however_long_they_take() -> None:
    run = Run(STEADY)
    run.decide(propose(INTERVAL, 5))
    run.decide(since_last_us=5 * HOUR_US)
    assert guards_of(run.decide(propose(INTERVAL, -5), since_last_us=5 * HOUR_US)) == {Guard.OSCILLATION}


def test_d17_the_same_step_may_be_made_again() -> None:
    run = Run(STEADY)
    assert run.decide(propose(INTERVAL, 5)).applied
    assert run.decide(propose(INTERVAL, 5)).applied


# Budget


def test_the_budget_is_of_the_whole_run() -> None:
    run = Run(dataclasses.replace(OPEN, budget=2))
    assert len(run.decide(propose(INTERVAL, 1), propose(SPREAD, 0.01), propose(IMPACT, 0.01)).applied) == 2
    for _ in range(20):
        check = refusal(run.decide(propose(INTERVAL, 1), since_last_us=HOUR_US), Guard.BUDGET)
        assert check.could_pass_at_us is None


# Hard KPI and the panic


def panicking() -> Run:
    """Return a run that was good at 60, moved on, and has failed twice since."""
    run = Run(OPEN)
    run.decide(propose(INTERVAL, 0))
    run.decide(propose(INTERVAL, 5), propose(SPREAD, 0.01))
    run.decide(propose(INTERVAL, 5), verdict=Verdict.FAIL)
    run.decide(propose(INTERVAL, 5), verdict=Verdict.FAIL)
    assert run.values == {**VALUES, INTERVAL: 75, SPREAD: 0.17}
    return run


def test_k12_hard_failures_in_a_row_restore_the_last_good_values_at_once() -> None:
    run = panicking()
    decision = run.decide(propose(INTERVAL, 5), verdict=Verdict.FAIL)
    assert decision.is_revert
    assert not decision.is_safety_stop
    assert run.values == VALUES
    assert Guard.HARD_KPI in guards_of(decision)  # the proposal is recorded all the same


def test_k12_the_panic_passes_over_every_guard_but_kill_switch_and_bounds() -> None:
    run = panicking()
    run.limits = dataclasses.replace(
        OPEN,
        budget=0,
        max_keys=1,
        max_steps_per_hour=1,
        max_change_per_hour={INTERVAL: 0.0},
        oscillation_window=9,
    )
    assert run.decide(verdict=Verdict.FAIL, is_last=True).is_revert
    assert run.values == VALUES


def test_k12_the_kill_switch_holds_the_panic_and_it_is_tried_again() -> None:
    run = panicking()
    decision = run.decide(verdict=Verdict.FAIL, is_killed=True)
    assert (decision.applied, guards_of(decision)) == ((), {Guard.KILL_SWITCH})
    assert run.decide(verdict=Verdict.FAIL).applied
    assert run.values == VALUES


def test_k12_good_values_out_of_bounds_are_not_restored() -> None:
    run = Run(OPEN, {**VALUES, SPREAD: 0.05})
    run.decide()
    run.decide(propose(SPREAD, 0.01), propose(INTERVAL, 5))
    for _ in range(3):
        decision = run.decide(verdict=Verdict.FAIL)
    assert run.values == {**VALUES, SPREAD: 0.08}
    assert guards_of(decision) == {Guard.BOUNDS}


def test_k12_after_a_panic_nothing_is_tuned_until_an_iteration_is_clear() -> None:
    run = panicking()
    run.decide(verdict=Verdict.FAIL)
    assert guards_of(run.decide(propose(INTERVAL, 1), verdict=Verdict.FAIL)) == {Guard.HARD_KPI}
    assert guards_of(run.decide(propose(INTERVAL, 1), verdict=Verdict.INCONCLUSIVE)) == {Guard.HARD_KPI}
    assert run.decide(propose(INTERVAL, 1), verdict=Verdict.WARN).applied


def test_k12_a_run_that_fails_under_its_good_values_too_is_stopped() -> None:
    run = panicking()
    stops = [run.decide(verdict=Verdict.FAIL).is_safety_stop for _ in range(4)]
    assert stops == [False, False, False, True]


def test_k12_where_nothing_was_changed_the_first_panic_restores_nothing_and_stops_nothing() -> None:
    run = Run(OPEN)
    run.decide()
    run.decide()
    decisions = [run.decide(verdict=Verdict.FAIL) for _ in range(6)]
    assert [decision.is_revert for decision in decisions] == [False, False, True, False, False, True]
    assert [decision.is_safety_stop for decision in decisions] == [False] * 5 + [True]
    assert not any(decision.applied for decision in decisions)


def test_k12_an_iteration_without_a_verdict_neither_clears_nor_counts() -> None:
    run = panicking()
    assert not run.decide(verdict=Verdict.INCONCLUSIVE).is_revert
    assert run.decide(verdict=Verdict.FAIL).is_revert


def test_a_clear_iteration_ends_the_row_of_failures() -> None:
    run = panicking()
    run.decide(verdict=Verdict.WARN)
    assert not run.decide(verdict=Verdict.FAIL).is_revert


def test_without_good_values_there_is_nothing_to_restore_and_tuning_goes_on() -> None:
    run = Run(OPEN)
    assert all(run.decide(propose(INTERVAL, 1), verdict=Verdict.FAIL).applied for _ in range(8))


def test_one_clear_iteration_among_failures_makes_no_good_values() -> None:
    run = Run(OPEN)
    for verdict in (Verdict.FAIL, Verdict.PASS, Verdict.FAIL, Verdict.FAIL, Verdict.FAIL):
        assert not run.decide(verdict=verdict).is_revert
    assert run.state.last_good is None


# Memory


def test_the_memory_stays_small_however_long_the_run() -> None:
    limits = dataclasses.replace(OPEN, max_steps_per_hour=12, oscillation_window=6)
    run, sizes = Run(limits, {**VALUES, INTERVAL: 40}), []
    for iteration in range(500):
        run.decide(propose(INTERVAL, 1 if iteration % 30 < 15 else -1), propose(SPREAD, 0.001))
        sizes.append(len(run.state.steps))
    assert 0 < max(sizes) <= 12 + 2 * 6
