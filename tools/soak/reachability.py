"""What can never happen: the guards, each asked whether it could ever be what holds a step back in a run as planned.

A guard that cannot fire protects nobody, and a person should know before the run. Three of the predecessor's could
not: what they waited for was never written, or came after they were asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pytest_causal.policy.bounds import Bound
from tools.soak.guard_limits import GuardLimits
from tools.soak.guard_state import HOUR_US
from tools.soak.guards import Guard, in_whole_steps, step_of
from tools.soak.tuner import Effect, TuningRules


class Outlook(NamedTuple):
    """A run as planned: ``iterations`` is None where time ends it. ``has_hard_limit``: whether any KPI can fail."""

    iterations: int | None
    warmup: int
    period_us: int
    has_hard_limit: bool


class Reach(NamedTuple):
    """Whether a guard can be what holds a step back in the run, and why or why not."""

    guard: Guard
    can_happen: bool
    reason: str


class _Way(NamedTuple):
    """One direction in which rules move a value: the largest step, without sign, and the nearest end of the way."""

    path: str
    is_up: bool
    largest: float
    end: float


class _Prospect(NamedTuple):
    """What the run allows. Steps are judged at every value within the bounds: nothing is ruled out wrongly."""

    decisions: float
    decisions_an_hour: float
    ways: tuple[_Way, ...]
    values: Mapping[str, float]
    bounds: Mapping[str, Bound]
    limits: GuardLimits
    outlook: Outlook

    @property
    def paths(self) -> frozenset[str]:
        """The values that rules move."""
        return frozenset(way.path for way in self.ways)

    def share(self, way: _Way, of: Callable[..., float]) -> float:
        """Return the largest step as a share of the smallest (``of=min``) or the largest value that there can be."""
        value = of(abs(end) for end in _range(self.values[way.path], self.bounds.get(way.path)))
        return way.largest / value if value else math.inf

    def must_rest(self, way: _Way) -> bool:
        """Whether the largest step makes its value rest wherever it is made."""
        return self.limits.cooldown_for > 0 and self.share(way, max) > self.limits.cooldown_above_ratio


def explain(
    rules: TuningRules,
    limits: GuardLimits,
    bounds: Mapping[str, Bound],
    values: Mapping[str, Any],
    outlook: Outlook,
) -> tuple[Reach, ...]:
    """Return for each guard, in their order, whether it can be what keeps a step of the run from being made."""
    steady = math.inf if outlook.iterations is None else outlook.iterations - outlook.warmup
    decisions = max(0, steady - 1)
    an_hour = math.ceil(HOUR_US / outlook.period_us) if outlook.period_us else math.inf
    numbers = {path: value for path, value in values.items() if _is_number(value)}
    ways = tuple(_ways(rules, bounds, numbers))
    prospect = _Prospect(decisions, min(decisions, an_hour), ways, numbers, bounds, limits, outlook)
    return tuple(Reach(guard, *ask(prospect)) for guard, ask in _ASKED.items())


def _ways(rules: TuningRules, bounds: Mapping[str, Bound], values: Mapping[str, float]) -> Iterator[_Way]:
    effects = [effect for rule in rules.rules for effect in rule.then if effect.path in values]
    for path in dict.fromkeys(effect.path for effect in effects):
        bound = bounds.get(path)
        for is_up in (True, False):
            sizes, ends = [], []
            for effect in (each for each in effects if each.path == path):
                deltas = [effect.delta(value) for value in _range(values[path], bound)]
                moves = [abs(in_whole_steps(delta, step_of(values[path], bound))) for delta in deltas]
                if any(delta and (delta > 0) == is_up for delta in deltas):
                    sizes.append(max(moves))
                    ends += _ends(effect, bound, is_up=is_up)
            if sizes:
                nearest = min if is_up else max
                yield _Way(path, is_up, max(sizes), nearest(ends, default=math.inf if is_up else -math.inf))


def _ends(effect: Effect, bound: Bound | None, *, is_up: bool) -> list[float]:
    """Return where a rule's way ends: at its own limit and at the bound, as far as they are stated."""
    own, stated = (effect.cap, bound and bound.max) if is_up else (effect.floor, bound and bound.min)
    return [end for end in (own, stated) if end is not None]


def _range(value: float, bound: Bound | None) -> tuple[float, ...]:
    """Return the value and the ends of what it may become."""
    ends = (bound.min, bound.max) if bound else ()
    return (value, *(end for end in ends if end is not None))


_Answer = tuple[bool, str]


def _kill_switch(_: _Prospect) -> _Answer:
    return True, "a person can turn it on at any time"


def _hard_kpi(run: _Prospect) -> _Answer:
    needed = run.limits.good_after + run.limits.panic_after
    if not run.outlook.has_hard_limit:
        return False, "no KPI of the set has a hard limit, so nothing can fail and nothing is restored"
    said = f"a restoration takes {run.limits.good_after} good iterations and then {run.limits.panic_after} failed"
    return _enough(run.decisions + 1, needed, said)


def _freeze(run: _Prospect) -> _Answer:
    limits = run.limits
    if not limits.freeze_when or not limits.freeze_for:
        return False, "no freeze is declared"
    if not limits.freeze_paths & run.paths:
        return False, "no rule moves a value that would be frozen"
    return _enough(
        run.decisions, limits.freeze_after, f"it takes {limits.freeze_after} good iterations in a row"
    )


def _bounds(run: _Prospect) -> _Answer:
    unbound = sorted(path for path in run.paths if path not in run.bounds)
    if unbound:
        return run.decisions > 0, f"no bounds are declared for {', '.join(unbound)}"
    counted = [(_steps_to_end(run, way), way) for way in run.ways if math.isfinite(way.end)]
    if not counted:
        return False, "no rule moves a value towards a bound"
    fewest, way = min(counted)
    return _enough(
        run.decisions, fewest + 1, f"{way.path} is {fewest} steps from {way.end:g}, where its way ends"
    )


def _steps_to_end(run: _Prospect, way: _Way) -> int:
    """Return how many steps of the largest kind there is room for; the last may be cut."""
    distance = way.end - run.values[way.path] if way.is_up else run.values[way.path] - way.end
    return max(0, math.ceil(distance / way.largest - 1e-9))


def _cooldown(run: _Prospect) -> _Answer:
    share = max((run.share(way, min) for way in run.ways), default=0.0)
    if not run.limits.cooldown_for or share <= run.limits.cooldown_above_ratio:
        return False, f"no rule's step is more than {run.limits.cooldown_above_ratio:.0%} of its value"
    return _enough(run.decisions, 2, "it takes a large step, and a proposal after it")


def _rate(run: _Prospect) -> _Answer:
    most = _most_a_decision(run) * run.decisions_an_hour
    said = f"at most {most:g} steps can come in an hour, {run.limits.max_steps_per_hour} are allowed"
    return most > run.limits.max_steps_per_hour, said


def _velocity(run: _Prospect) -> _Answer:
    stated = {path: limit for path, limit in run.limits.max_change_per_hour.items() if path in run.paths}
    if not stated:
        return False, "no change an hour is declared for any value that a rule moves"
    most = {path: _change_an_hour(run, path) for path in stated}
    path = max(stated, key=lambda each: most[each] / stated[each] if stated[each] else math.inf)
    said = f"by its rules {path} could move {most[path]:g} in an hour, {stated[path]:g} is allowed"
    return most[path] > stated[path], said


def _change_an_hour(run: _Prospect, path: str) -> float:
    """Return how far a value could go, to and fro, in an hour if nothing but its rests held it."""
    ways = [way for way in run.ways if way.path == path]
    always_rests = all(run.must_rest(way) for way in ways) and all(
        way.largest == ways[0].largest for way in ways
    )
    spacing = run.limits.cooldown_for + 1 if always_rests else 1
    steps = run.decisions_an_hour / spacing
    return max(way.largest for way in ways) * (math.ceil(steps) if math.isfinite(steps) else steps)


def _oscillation(run: _Prospect) -> _Answer:
    window = run.limits.oscillation_window
    for path in sorted(run.paths):
        both = [way for way in run.ways if way.path == path]
        rest = min(run.limits.cooldown_for if run.must_rest(way) else 0 for way in both)
        if len(both) == 2 and rest < window:
            return _enough(run.decisions, 2, f"rules move {path} both ways")
    return False, f"no rules move a value both ways within {window} iterations"


def _most_a_decision(run: _Prospect) -> int:
    return min(run.limits.max_keys, len(run.paths))


def _budget(run: _Prospect) -> _Answer:
    if run.limits.budget is None:
        return False, "no budget is set"
    most = min(run.limits.max_keys, len(run.paths)) * run.decisions
    return (
        most > run.limits.budget,
        f"at most {most:g} steps can be proposed, {run.limits.budget} are allowed",
    )


def _keys(run: _Prospect) -> _Answer:
    said = f"rules move {len(run.paths)} values, {run.limits.max_keys} may change in an iteration"
    return len(run.paths) > run.limits.max_keys and run.decisions > 0, said


def _last_iteration(run: _Prospect) -> _Answer:
    if run.outlook.iterations is None:
        return True, "the last iteration is the one that the time ends"
    return run.outlook.iterations > run.outlook.warmup, f"iteration {run.outlook.iterations} is the last"


def _enough(there_are: float, needed: int, said: str) -> _Answer:
    if there_are >= needed:
        return True, said
    return False, f"{said}, and only {there_are:g} of {needed} iterations are there"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_ASKED: Mapping[Guard, Callable[[_Prospect], _Answer]] = {
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
