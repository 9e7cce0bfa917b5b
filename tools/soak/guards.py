"""The guards of live tuning: what may be changed now, what not, why, and when it could.

Every guard looks at every proposal, in one order, and each answer is kept. A proposal is applied only if all let it
pass. The values of the last good iteration are restored after several hard failures in a row: that safety action asks
only the kill switch and the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from pytest_causal.policy.bounds import Bound
from tools.soak.guard_limits import GuardLimits
from tools.soak.guard_state import HOUR_US, PastStep, State, Step, advanced
from tools.soak.kpi import Verdict
from tools.soak.oscillation import oscillates
from tools.soak.tuner import Proposal, holds

_HAIR = 1e-9
_DECIMALS = 9
"""Values are rounded to so many places: 0.08 + 0.01 is 0.09, and a value at its bound is not a hair beyond it."""


class Guard(StrEnum):
    """The guards, in the order in which they are asked."""

    KILL_SWITCH = "kill_switch"
    HARD_KPI = "hard_kpi"
    FREEZE = "freeze"
    BOUNDS = "bounds"
    COOLDOWN = "cooldown"
    RATE = "rate"
    VELOCITY = "velocity"
    OSCILLATION = "oscillation"
    BUDGET = "budget"
    KEYS = "keys"
    LAST_ITERATION = "last_iteration"


class Situation(NamedTuple):
    """The iteration that was just measured.

    ``iteration`` counts from 1. ``now_us`` is the clock by which refusals are told, ``since_last_us`` the monotonic
    time since the last decision (None if it is not known), ``period_us`` the time between scheduled starts.
    """

    iteration: int
    is_last: bool
    now_us: int
    since_last_us: int | None
    period_us: int
    verdict: Verdict
    metrics: Mapping[str, float | None]
    is_killed: bool = False


class Check(NamedTuple):
    """What one guard says of one proposal. ``could_pass_at_us`` is by the situation's clock; None: time will not do."""

    path: str
    guard: Guard
    passes: bool
    reason: str = ""
    could_pass_at_us: int | None = None


class Decision(NamedTuple):
    """What to apply, all that the guards said, and what they remember.

    ``is_revert`` says that the steps restore the last good values. ``is_safety_stop`` says that the run still fails
    under them: a person must look.
    """

    applied: tuple[Step, ...]
    checks: tuple[Check, ...]
    state: State
    is_revert: bool = False
    is_safety_stop: bool = False

    @property
    def refused(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple([check for check in self.checks if not check.passes])


class _Case(NamedTuple):
    """One proposal before one guard: the step as it would be applied, what was applied in the last hour (``recent``),
    and what was accepted before it in this iteration."""

    step: Step
    proposal: Proposal
    bound: Bound | None
    state: State
    situation: Situation
    limits: GuardLimits
    recent: tuple[PastStep, ...]
    accepted: tuple[PastStep, ...]
    is_panic: bool


class _Answer(NamedTuple):
    """A refusal and when it would end, in iterations or on the guards' clock; or a remark on a step that may pass."""

    reason: str
    iterations: int | None = None
    wait_us: int | None = None
    passes: bool = False


def decide(
    proposals: Iterable[Proposal],
    values: Mapping[str, Any],
    bounds: Mapping[str, Bound],
    limits: GuardLimits,
    state: State,
    situation: Situation,
) -> Decision:
    """Return what of the proposals to apply to the values (dotted path -> value) in force.

    Raises ValueError for an iteration that was decided already: no delta is applied twice.
    """
    if situation.iteration <= state.iteration:
        raise ValueError(f"iteration {situation.iteration} is decided after iteration {state.iteration}")
    state = _observed(state, values, bounds, limits, situation)
    is_panic = state.failures_in_row >= limits.panic_after and state.last_good is not None
    recent = state.steps_of_last_hour()
    accepted: tuple[PastStep, ...] = ()
    checks: list[Check] = []
    for proposal in proposals:
        step, bound = _step(proposal, values, bounds), bounds.get(proposal.path)
        case = _Case(step, proposal, bound, state, situation, limits, recent, accepted, is_panic)
        said = [
            _passed(proposal.path, guard) if (answer := ask(case)) is None else _check(guard, answer, case)
            for guard, ask in _GUARDS.items()
        ]
        checks += said
        if all(check.passes for check in said):
            accepted += (PastStep(*step, situation.iteration, state.clock_us),)
    if is_panic:
        return _panic(values, bounds, state, situation, tuple(checks), limits)
    after = _remembering(state, accepted, limits, spent=state.spent + len(accepted))
    return Decision(tuple([Step(*step[:3]) for step in accepted]), tuple(checks), after)


def _observed(
    state: State,
    values: Mapping[str, Any],
    bounds: Mapping[str, Bound],
    limits: GuardLimits,
    situation: Situation,
) -> State:
    """Return the state with what this iteration showed: the clock, good and failed iterations, the freeze."""
    is_fail = situation.verdict is Verdict.FAIL
    is_clear = situation.verdict in (Verdict.PASS, Verdict.WARN)
    is_frozen = situation.iteration <= state.frozen_until
    is_good = is_clear and bool(limits.freeze_when) and holds(limits.freeze_when, situation.metrics)
    good = state.good_in_row + 1 if is_good and not is_frozen else 0
    frozen_until = state.frozen_until
    if good >= limits.freeze_after:
        good, frozen_until = 0, situation.iteration + limits.freeze_for - 1
    clear = state.clear_in_row + 1 if is_clear else 0
    tuned = {path: value for path, value in values.items() if path in bounds}
    return state._replace(
        iteration=situation.iteration,
        clock_us=advanced(state, situation.now_us, situation.since_last_us, situation.period_us),
        now_us=situation.now_us,
        good_in_row=good,
        frozen_until=frozen_until,
        failures_in_row=state.failures_in_row + 1 if is_fail else 0 if is_clear else state.failures_in_row,
        clear_in_row=clear,
        is_held=state.is_held and not is_clear,
        last_good=tuned if clear >= limits.good_after else state.last_good,
    )


def _panic(
    values: Mapping[str, Any],
    bounds: Mapping[str, Bound],
    state: State,
    situation: Situation,
    checks: tuple[Check, ...],
    limits: GuardLimits,
) -> Decision:
    """Return the decision that restores the last good values. It is tried again where a guard forbade a part of it."""
    good = state.last_good or {}
    wanted = [
        Step(path, values[path], good[path]) for path in good if path in values and values[path] != good[path]
    ]
    asked = [check for step in wanted for check in _asked_of_revert(step, bounds.get(step.path), situation)]
    refused = {check.path for check in asked if not check.passes}
    applied = tuple(step for step in wanted if step.path not in refused)
    past = tuple(PastStep(*step, situation.iteration, state.clock_us) for step in applied)
    failures_in_row = state.failures_in_row if refused else 0
    after = _remembering(state, past, limits, failures_in_row=failures_in_row, is_held=True)
    is_safety_stop = state.is_held and not wanted
    return Decision(applied, (*checks, *asked), after, is_revert=True, is_safety_stop=is_safety_stop)


def _asked_of_revert(step: Step, bound: Bound | None, situation: Situation) -> tuple[Check, Check]:
    """Return the two checks that a safety action must pass."""
    is_inside = bound is not None and bound.holds(step.after)
    return (
        Check(step.path, Guard.KILL_SWITCH, not situation.is_killed, _KILLED if situation.is_killed else ""),
        Check(step.path, Guard.BOUNDS, is_inside, "" if is_inside else f"{step.after:g} is outside {bound}"),
    )


def _step(proposal: Proposal, values: Mapping[str, Any], bounds: Mapping[str, Bound]) -> Step:
    """Return a proposal as a step: in whole steps of its bound, and no further than the rule's cap and the bound."""
    before = values.get(proposal.path)
    if isinstance(before, bool) or not isinstance(before, int | float):
        return Step(proposal.path, math.nan, math.nan)
    bound = bounds.get(proposal.path, Bound())
    after = round(before + in_whole_steps(proposal.delta, step_of(before, bound)), _DECIMALS)
    if not math.isfinite(after):
        return Step(proposal.path, before, math.nan)
    for low, high in ((proposal.floor, proposal.cap), (bound.min, bound.max)):
        after = max(after, low) if low is not None else after
        after = min(after, high) if high is not None else after
    if isinstance(before, int):  # and so is what it becomes, on this side of a bound that is not
        after = math.floor(after) if after > before else math.ceil(after)
    return Step(proposal.path, before, after)


def step_of(value: float, bound: Bound | None) -> float | None:
    """Return the step in which a value is moved: that of its bound, else 1 for a whole number."""
    return (bound.step if bound else None) or (1.0 if isinstance(value, int) else None)


def in_whole_steps(delta: float, step: float | None) -> float:
    """Return a change as a whole number of steps, at least one; as it is where no step is stated."""
    if not step or not delta or not math.isfinite(delta / step):
        return delta
    return math.copysign(max(1, round(abs(delta / step))) * step, delta)


def _remembering(state: State, accepted: tuple[PastStep, ...], limits: GuardLimits, **changes: Any) -> State:
    """Return the state after steps were applied, with changes, and without what no guard will ask about again."""
    cooling = {path: until for path, until in state.cooling.items() if until > state.iteration}
    for step in accepted:
        if _share(step) > limits.cooldown_above_ratio:
            cooling[step.path] = state.iteration + limits.cooldown_for
    oldest = state.iteration - limits.oscillation_window
    begins_us = state.clock_us - HOUR_US
    steps = [
        step for step in (*state.steps, *accepted) if step.iteration > oldest or step.clock_us > begins_us
    ]
    return state._replace(cooling=cooling, steps=tuple(steps), **changes)


def _share(step: Step | PastStep) -> float:
    """Return how large a step is, as a share of the value it starts from."""
    return abs(step.after - step.before) / abs(step.before) if step.before else math.inf


def _check(guard: Guard, answer: _Answer, case: _Case) -> Check:
    wait_us = answer.wait_us
    if answer.iterations is not None:
        wait_us = answer.iterations * case.situation.period_us
    return Check(
        case.step.path,
        guard,
        answer.passes,
        answer.reason,
        None if wait_us is None else case.situation.now_us + wait_us,
    )


@cache
def _passed(path: str, guard: Guard) -> Check:
    """Return a check that passes: most are that, and there are no more of them than guards and paths to tune."""
    return Check(path, guard, True)


_KILLED = "the kill switch is on"


def _kill_switch(case: _Case) -> _Answer | None:
    return _Answer(_KILLED) if case.situation.is_killed else None


def _hard_kpi(case: _Case) -> _Answer | None:
    if case.situation.verdict is Verdict.INCONCLUSIVE:
        return _Answer("the iteration gave no verdict", iterations=1)
    if case.is_panic:
        return _Answer(
            f"{case.state.failures_in_row} hard failures in a row: the last good values are restored"
        )
    if case.state.is_held:
        return _Answer("the last good values were restored, and no iteration has passed since")
    return None


def _freeze(case: _Case) -> _Answer | None:
    left = case.state.frozen_until - case.situation.iteration + 1
    if left <= 0 or case.step.path not in case.limits.freeze_paths:
        return None
    return _Answer(f"frozen up to iteration {case.state.frozen_until}", iterations=left)


def _bounds(case: _Case) -> _Answer | None:
    step, bound, delta = case.step, case.bound, case.proposal.delta
    if not math.isfinite(step.before):
        return _Answer("the policy has no such number")
    if not math.isfinite(step.after):
        return _Answer(f"{step.before:g} changed by {delta:g} is no finite number")
    if bound is None:
        return _Answer("no bounds are declared for it")
    if not bound.holds(step.after):
        return _Answer(f"{step.after:g} is outside {bound}")
    moved = step.after - step.before
    if not moved or (moved > 0) != (delta > 0):
        return _Answer(f"{step.before:g} is as far as {bound} and the rule's own limit allow")
    if abs(moved) < abs(delta) - _HAIR:
        return _Answer(f"cut from {delta:+g} to {moved:+g}", passes=True)
    return None


def _cooldown(case: _Case) -> _Answer | None:
    left = case.state.cooling.get(case.step.path, 0) - case.situation.iteration + 1
    if left <= 0:
        return None
    return _Answer(f"rests after a large step for {left} more", iterations=left)


def _rate(case: _Case) -> _Answer | None:
    recent = (*case.recent, *case.accepted)
    over = len(recent) - case.limits.max_steps_per_hour
    if over < 0:
        return None
    return _Answer(
        f"{len(recent)} steps in the last hour, {case.limits.max_steps_per_hour} are allowed",
        wait_us=_until_gone(recent[over], case.state),
    )


def _velocity(case: _Case) -> _Answer | None:
    limit = case.limits.max_change_per_hour.get(case.step.path)
    size = abs(case.step.after - case.step.before)
    if limit is None or not math.isfinite(size):
        return None
    recent = [step for step in case.recent if step.path == case.step.path]
    moved = sum(abs(step.after - step.before) for step in recent)
    if round(moved + size - limit, _DECIMALS) <= 0:
        return None
    left = moved
    for step in recent:
        left -= abs(step.after - step.before)
        if round(left + size - limit, _DECIMALS) <= 0:
            wait_us = _until_gone(step, case.state)
            return _Answer(f"moved {moved:g} in the last hour, {limit:g} is allowed", wait_us=wait_us)
    return _Answer(f"a step of {size:g} is more than the {limit:g} allowed in an hour")


def _oscillation(case: _Case) -> _Answer | None:
    window = case.limits.oscillation_window
    past = case.state.steps_of(case.step.path, case.situation.iteration - window)
    if not past:
        return None
    values = [past[0].before, *[step.after for step in past], case.step.after]
    if not oscillates(values):
        return None
    # Dropping the oldest steps one by one ends it at the latest when none is left.
    ends = next(past[kept].iteration for kept in range(len(past)) if not oscillates(values[kept + 1 :]))
    shown = ", ".join(f"{value:g}" for value in values[-4:])
    return _Answer(f"goes to and fro: {shown}", iterations=ends + window + 1 - case.situation.iteration)


def _budget(case: _Case) -> _Answer | None:
    budget = case.limits.budget
    if budget is None or case.state.spent + len(case.accepted) < budget:
        return None
    return _Answer(f"all {budget} steps of this run are spent")


def _keys(case: _Case) -> _Answer | None:
    if any(step.path == case.step.path for step in case.accepted):
        return _Answer("another proposal changes it in this iteration", iterations=1)
    if len(case.accepted) < case.limits.max_keys:
        return None
    return _Answer(f"{case.limits.max_keys} values change in this iteration already", iterations=1)


def _last_iteration(case: _Case) -> _Answer | None:
    return _Answer("no iteration follows that could show its effect") if case.situation.is_last else None


def _until_gone(step: PastStep, state: State) -> int:
    """Return how long until a step is an hour old."""
    return HOUR_US - (state.clock_us - step.clock_us)


_GUARDS: Mapping[Guard, Callable[[_Case], _Answer | None]] = {
    Guard.KILL_SWITCH: _kill_switch,
    Guard.HARD_KPI: _hard_kpi,
    Guard.FREEZE: _freeze,
    Guard.BOUNDS: _bounds,
    Guard.COOLDOWN: _cooldown,
    Guard.RATE: _rate,
    Guard.VELOCITY: _velocity,
    Guard.OSCILLATION: _oscillation,
    Guard.BUDGET: _budget,
    Guard.KEYS: _keys,
    Guard.LAST_ITERATION: _last_iteration,
}
