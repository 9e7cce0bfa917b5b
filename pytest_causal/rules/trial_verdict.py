"""The verdict of a trial: what its rounds say of each scenario, quantity by quantity, and of the candidate."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pytest_causal.model.change import matches
from pytest_causal.model.promotion import FAILURE_RATE, TIMEOUT_RATE, PromotionRule
from pytest_causal.model.trial import (
    Attempt,
    Better,
    BrokenLimit,
    Comparison,
    Finding,
    Kind,
    Lack,
    ScenarioComparison,
    TrialPlan,
    TrialReason,
    TrialVerdict,
)
from pytest_causal.rules.comparison import Demands, Pair, compare_failures, compare_metric, rounds_needed
from pytest_causal.rules.hard_limits import Rounds, broken_limits
from pytest_causal.rules.round_values import ScenarioValues, round_values

_REASON_OF = {
    Lack.NO_DATA: TrialReason.NO_DATA,
    Lack.TOO_NOISY: TrialReason.TOO_NOISY,
    Lack.TOO_FEW_ROUNDS: TrialReason.TOO_FEW_ROUNDS,
}


class Round(NamedTuple):
    """Both processes of one round."""

    control: Attempt
    candidate: Attempt


class ChangedValues(NamedTuple):
    """Changed path -> the text that a read of the value in this arm is recorded as."""

    control: Mapping[str, str]
    candidate: Mapping[str, str]


class Findings(NamedTuple):
    """What the rounds of a trial say. Fewer than ``rounds_needed`` could not have passed."""

    verdict: TrialVerdict
    reasons: tuple[TrialReason, ...]
    scenarios: tuple[ScenarioComparison, ...]
    broken: tuple[BrokenLimit, ...]
    unmatched: tuple[str, ...]
    unreported: tuple[str, ...]
    rounds_needed: int


class _Arms(NamedTuple):
    """One scenario in both arms, round by round."""

    control: Rounds
    candidate: Rounds


def find_broken(plan: TrialPlan, rounds: Sequence[Round], changed: ChangedValues) -> tuple[BrokenLimit, ...]:
    """Return the hard limits that the candidate broke in these rounds, by scenario."""
    return tuple(
        each
        for scenario, arms in _by_scenario(plan, rounds, changed).items()
        for each in broken_limits(plan.rule, scenario, arms.control, arms.candidate)
    )


def judge_trial(plan: TrialPlan, rounds: Sequence[Round], changed: ChangedValues) -> Findings:
    """Judge rounds that both arms ran to their end. The same plan and rounds give the same findings."""
    by_scenario = _by_scenario(plan, rounds, changed)
    names = {scenario: _metric_names(arms) for scenario, arms in by_scenario.items()}
    judged = sum(
        1 + sum(direction(plan.rule, name) is not Better.UNKNOWN for name in names[scenario])
        for scenario in by_scenario
    )
    demands = Demands(plan.alpha, plan.min_effect, judged)
    scenarios = tuple(
        _compared(plan, scenario, arms, names[scenario], demands) for scenario, arms in by_scenario.items()
    )
    broken = find_broken(plan, rounds, changed)
    unmatched = _unmatched(plan, tuple(by_scenario))
    unreported = _unreported(plan.rule, scenarios)
    reasons = _objections(scenarios, broken)
    verdict = TrialVerdict.FAIL
    if not reasons:
        reasons = _doubts(rounds, scenarios, unmatched, unreported)
        verdict = TrialVerdict.INCONCLUSIVE if reasons else TrialVerdict.PASS
    return Findings(verdict, reasons, scenarios, broken, unmatched, unreported, rounds_needed(demands))


def direction(rule: PromotionRule, metric: str) -> Better:
    """Return which way of a metric is better, as the limits of the rule say; unknown where they say neither or both."""
    is_lower_better = any(each.metric == metric and each.max is not None for each in rule.metrics) or any(
        each.signal == metric and (each.max, each.max_increase) != (None, None) for each in rule.triggers
    )
    is_higher_better = any(each.metric == metric and each.min is not None for each in rule.metrics) or any(
        each.signal == metric and (each.min, each.max_decrease) != (None, None) for each in rule.triggers
    )
    if is_lower_better == is_higher_better:
        return Better.UNKNOWN
    return Better.LOWER if is_lower_better else Better.HIGHER


def _by_scenario(plan: TrialPlan, rounds: Sequence[Round], changed: ChangedValues) -> dict[str, _Arms]:
    control = [round_values(each.control, changed.control, is_candidate=False) for each in rounds]
    candidate = [round_values(each.candidate, changed.candidate, is_candidate=True) for each in rounds]
    seen = {scenario for values in (*control, *candidate) for scenario in values}
    gating = sorted(name for name in seen if _gates(plan, name))
    return {
        scenario: _Arms(
            [_filled(values, scenario, each.control) for values, each in zip(control, rounds, strict=True)],
            [
                _filled(values, scenario, each.candidate)
                for values, each in zip(candidate, rounds, strict=True)
            ],
        )
        for scenario in gating
    }


def _gates(plan: TrialPlan, scenario: str) -> bool:
    """Whether a scenario is judged: of a program's runs all are, of a suite's those that the rule names."""
    return plan.kind is Kind.COMMAND or any(matches(scenario, each) for each in plan.rule.scenarios)


def _filled(values: Mapping[str, ScenarioValues], scenario: str, attempt: Attempt) -> ScenarioValues | None:
    """Return what a scenario came to; failed where its process hung or died before there was a run that counts."""
    found = values.get(scenario)
    if attempt.is_killed and (found is None or found.failed is None):
        return ScenarioValues(1, 1.0, 1.0 if attempt.is_timed_out else 0.0, {}, frozenset())
    return found


def _metric_names(arms: _Arms) -> list[str]:
    return sorted(
        {name for each in (*arms.control, *arms.candidate) if each is not None for name in each.metrics}
    )


def _compared(
    plan: TrialPlan, scenario: str, arms: _Arms, names: Sequence[str], demands: Demands
) -> ScenarioComparison:
    def chance(quantity: str) -> random.Random:
        return random.Random(f"{plan.seed}/{scenario}/{quantity}")  # noqa: S311 - statistics, no secret

    def metric_pairs(name: str) -> list[Pair]:
        return [
            (each.metrics.get(name) if each else None, other.metrics.get(name) if other else None)
            for each, other in zip(*arms, strict=True)
        ]

    failures: list[Pair] = [
        (each.failed if each else None, other.failed if other else None)
        for each, other in zip(*arms, strict=True)
    ]
    return ScenarioComparison(
        scenario=scenario,
        reads=tuple(sorted({read for each in arms.candidate if each for read in each.reads})),
        control_runs=sum(each.runs for each in arms.control if each),
        candidate_runs=sum(each.runs for each in arms.candidate if each),
        idle_runs=sum(each.idle for each in arms.candidate if each),
        failures=compare_failures(failures, demands, chance("")),
        metrics=tuple(
            (name, compare_metric(metric_pairs(name), direction(plan.rule, name), demands, chance(name)))
            for name in names
        ),
    )


def _judged(scenarios: Sequence[ScenarioComparison]) -> list[Comparison]:
    """Return the comparisons that the verdict rests on: those of metrics without a direction are for information."""
    return [
        each
        for scenario in scenarios
        for each in (scenario.failures, *(comparison for _, comparison in scenario.metrics))
        if each.better is not Better.UNKNOWN
    ]


def _objections(
    scenarios: Sequence[ScenarioComparison], broken: Sequence[BrokenLimit]
) -> tuple[TrialReason, ...]:
    is_worse = any(each.finding is Finding.WORSE for each in _judged(scenarios))
    found = ((TrialReason.LIMIT_BROKEN, bool(broken)), (TrialReason.WORSE, is_worse))
    return tuple(reason for reason, holds in found if holds)


def _doubts(
    rounds: Sequence[Round],
    scenarios: Sequence[ScenarioComparison],
    unmatched: Sequence[str],
    unreported: Sequence[str],
) -> tuple[TrialReason, ...]:
    """Return why rounds in which nothing is worse still say too little."""
    if not any(each.control.runs or each.candidate.runs for each in rounds):
        return (TrialReason.NO_RECORD,)
    lively = [each for each in scenarios if not each.is_inert]
    lacks = {each.lack for each in _judged(lively) if each.finding is Finding.INCONCLUSIVE}
    found = (
        (TrialReason.NO_SCENARIO, bool(unmatched) or not scenarios),
        (TrialReason.INERT, any(each.is_inert for each in scenarios)),
        (TrialReason.METRIC_MISSING, bool(unreported)),
        *((reason, lack in lacks) for lack, reason in _REASON_OF.items()),
    )
    return tuple(reason for reason, holds in found if holds)


def _unmatched(plan: TrialPlan, scenarios: Sequence[str]) -> tuple[str, ...]:
    if plan.kind is Kind.COMMAND:
        return ()
    return tuple(each for each in plan.rule.scenarios if not any(matches(name, each) for name in scenarios))


def _unreported(rule: PromotionRule, scenarios: Sequence[ScenarioComparison]) -> tuple[str, ...]:
    """Return the metrics that the rule limits and that no scenario reported in both arms."""
    if not scenarios:
        return ()
    limited = {each.metric for each in rule.metrics} | {each.signal for each in rule.triggers}
    reported = {name for each in scenarios for name, comparison in each.metrics if comparison.rounds}
    return tuple(sorted(limited - reported - {FAILURE_RATE, TIMEOUT_RATE}))
