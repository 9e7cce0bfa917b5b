"""Whether tuning really tunes: from each profile to the optimum of a market that reads what is applied.

The same check is then put to broken loops, among them that of the predecessor, and must catch each one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.mapping import PolicyMapping
from pytest_causal.policy.profiles import Profile, load_profile, shipped_profiles
from tools.soak.guard_limits import guard_limits
from tools.soak.guard_state import State, Step
from tools.soak.guards import Situation, decide
from tools.soak.kpi import Sample, judge, parse_kpi
from tools.soak.mock_market import MockMarket, Mode, optimum, stance
from tools.soak.tuner import RULES_FILE, propose, read_rules

PROFILES = ("steady_safe", "ultra_safe", "aggressive")
SEEDS = range(100)
FEW_SEEDS = range(20)  # a broken loop fails on nearly every seed
ITERATIONS = 24  # as many as the predecessor's nightly run had
PERIOD_US = 300_000_000  # and its sleep
RULES = read_rules(parse_json(RULES_FILE.read_text("utf-8"), str(RULES_FILE)))
LIMITS = guard_limits(RULES.guards)

Values = dict[str, Any]


def write(values: Values, step: Step) -> None:
    values[step.path] = step.after


def drop(values: Values, step: Step) -> None:
    """The summary says "applied", and nothing was."""


def write_the_delta(values: Values, step: Step) -> None:
    """The predecessor's defect: the delta is written as if it were the value."""
    values[step.path] = max(step.after - step.before, 1e-3)


def write_another_key(values: Values, step: Step) -> None:
    """The predecessor's other defect: the writer's nesting is not the reader's."""
    values[f"risk.{step.path.rpartition('.')[2]}"] = step.after


@dataclass(frozen=True, kw_only=True)
class Loop:
    """The tuning loop, with the places at which it can be broken."""

    apply: Callable[[Values, Step], None] = write
    sign: int = 1
    has_clamp: bool = True
    is_deaf: bool = False

    def bounds(self, profile: Profile) -> Mapping[str, Bound]:
        if self.has_clamp:
            return profile.bounds
        return {path: Bound(step=bound.step) for path, bound in profile.bounds.items()}

    def heard(self, profile: Profile, values: Values) -> PolicyMapping:
        return PolicyMapping.of(profile.leaves if self.is_deaf else values)


class End(NamedTuple):
    """Where a run came to: a share of the best net, and whether it ever went over the edge."""

    share_of_optimum: float
    has_crossed: bool


@functools.cache
def shipped(name: str) -> Profile:
    return load_profile(name, (shipped_profiles(),))


def run(profile: Profile, mode: Mode, seed: int, loop: Loop) -> End:
    """Tune by the clock of the schedule; a run that comes to a safety stop stays where it stopped."""
    market, kpis = MockMarket(mode, seed), parse_kpi(profile.kpi["production"])
    bounds, values, state, has_crossed = loop.bounds(profile), dict(profile.leaves), State(), False
    for iteration in range(1, ITERATIONS + 1):
        heard = loop.heard(profile, values)
        has_crossed |= stance(heard).margin <= 0
        metrics = market.measure(heard, iteration)
        gate = judge(kpis, {name: Sample.of(value) for name, value in metrics.items()})
        situation = Situation(
            iteration=iteration,
            is_last=iteration == ITERATIONS,
            now_us=iteration * PERIOD_US,
            since_last_us=PERIOD_US,
            period_us=PERIOD_US,
            verdict=gate.verdict,
            metrics=metrics,
        )
        proposals = [
            proposal._replace(delta=loop.sign * proposal.delta)
            for proposal in propose(RULES, metrics, values).made
        ]
        decision = decide(proposals, values, bounds, LIMITS, state, situation)
        state = decision.state
        for step in decision.applied:
            loop.apply(values, step)
        if decision.is_safety_stop:
            break
    net = market.expected(loop.heard(profile, values))["net_bps"]
    return End(net / optimum(mode).net_bps, has_crossed)


def check(profile: Profile, mode: Mode, loop: Loop, seeds: range = SEEDS) -> list[str]:
    """Return what is wrong with tuning from a profile, nothing where it is right."""
    ends = [run(profile, mode, seed, loop) for seed in seeds]
    reached = sum(end.share_of_optimum >= 0.9 for end in ends) / len(ends)
    crossed = sum(end.has_crossed for end in ends)
    wrong = [f"{reached:.0%} of the seeds came within 10 % of the optimum"] if reached < 0.9 else []
    return wrong + ([f"{crossed} seeds went over the edge"] if crossed else [])


CELLS = [pytest.param(name, mode, id=f"{name}-{mode}") for name in PROFILES for mode in Mode]


@pytest.mark.parametrize(("name", "mode"), CELLS)
def test_tuning_reaches_the_optimum_and_never_goes_over_the_edge(name: str, mode: Mode) -> None:
    assert check(shipped(name), mode, Loop()) == []


@pytest.mark.parametrize(("name", "mode"), CELLS)
def test_no_profile_starts_so_near_that_nothing_is_left_to_reach(name: str, mode: Mode) -> None:
    start = MockMarket(mode, 0).expected(PolicyMapping.of(shipped(name).leaves))["net_bps"]
    assert start < 0.85 * optimum(mode).net_bps


MUTANTS = {
    "apply dropped": Loop(apply=drop),
    "sign inverted": Loop(sign=-1),
    "clamp skipped": Loop(has_clamp=False),
    "wrong key written": Loop(apply=write_another_key),
    "delta written as value": Loop(apply=write_the_delta),
    "workload deaf": Loop(is_deaf=True),
}


@pytest.mark.parametrize(("name", "mode"), CELLS)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_k6_d1_d2_d3_the_check_catches_a_broken_loop(mutant: str, name: str, mode: Mode) -> None:
    assert check(shipped(name), mode, MUTANTS[mutant], FEW_SEEDS)


def test_k6_the_few_seeds_are_enough_for_a_whole_loop_to_pass() -> None:
    assert not any(check(shipped(name), mode, Loop(), FEW_SEEDS) for name in PROFILES for mode in Mode)


def test_k6_only_bounds_keep_an_unclamped_loop_from_the_edge() -> None:
    assert any(
        "over the edge" in wrong
        for wrong in check(shipped("aggressive"), Mode.CALM, MUTANTS["clamp skipped"])
    )
