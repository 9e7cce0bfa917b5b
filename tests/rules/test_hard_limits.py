from __future__ import annotations

import pytest

from pytest_causal.model.promotion import MetricLimit, PromotionRule, Trigger
from pytest_causal.model.trial import BrokenLimit
from pytest_causal.rules.hard_limits import broken_limits
from pytest_causal.rules.round_values import ScenarioValues

NOTHING = None


def a_round(failed: float | None = 0.0, timed_out: float = 0.0, **metrics: float | None) -> ScenarioValues:
    return ScenarioValues(1, failed, timed_out, metrics, frozenset())


def broken(
    rule: PromotionRule,
    candidate: list[ScenarioValues | None],
    control: list[ScenarioValues | None] | None = None,
) -> list[BrokenLimit]:
    return list(
        broken_limits(rule, "s", control if control is not None else [a_round()] * len(candidate), candidate)
    )


def a_rule(*, metrics: tuple[MetricLimit, ...] = (), triggers: tuple[Trigger, ...] = ()) -> PromotionRule:
    return PromotionRule("r", ("s",), metrics=metrics, triggers=triggers)


def test_an_absolute_limit_of_revert_when_is_broken_by_one_round() -> None:
    rule = a_rule(triggers=(Trigger("ms", max=100.0),))
    (found,) = broken(rule, [a_round(ms=90.0), a_round(ms=101.0)], [a_round(ms=80.0), a_round(ms=85.0)])
    assert found == BrokenLimit("s", "ms", "max", 100.0, 101.0, 85.0, rounds=2, is_mean=False)


@pytest.mark.parametrize(
    ("trigger", "values"),
    [
        (Trigger("failure_rate", max=0.5), a_round(failed=1.0)),
        (Trigger("timeout_rate", max=0.5), a_round(timed_out=1.0)),
        (Trigger("answers", min=10.0), a_round(answers=9.0)),
    ],
)
def test_failures_timeouts_and_minima_are_limits_too(trigger: Trigger, values: ScenarioValues) -> None:
    (found,) = broken(a_rule(triggers=(trigger,)), [values])
    assert found.signal == trigger.signal
    assert broken(a_rule(triggers=(trigger,)), [a_round(answers=10.0)]) == []


def test_limits_relative_to_a_baseline_are_none_here() -> None:
    assert broken(a_rule(triggers=(Trigger("ms", max_increase=0.1),)), [a_round(ms=1e9)] * 5) == []


def test_a_metric_criterion_judges_the_mean_from_the_third_round_on() -> None:
    rule = a_rule(metrics=(MetricLimit("confidence", min=0.6),))
    low, high = a_round(confidence=0.3), a_round(confidence=0.9)
    assert broken(rule, [low, low]) == []
    assert broken(rule, [low, high, high]) == []
    (found,) = broken(rule, [low, low, high], [a_round(confidence=0.8)] * 3)
    assert found == BrokenLimit("s", "confidence", "min", 0.6, found.value, found.control, 3, is_mean=True)
    assert found.value == pytest.approx(0.5)
    assert found.control == pytest.approx(0.8)


def test_rounds_without_the_metric_are_not_counted() -> None:
    rule = a_rule(metrics=(MetricLimit("ms", max=1.0),))
    assert broken(rule, [a_round(ms=9.0), NOTHING, a_round(), a_round(ms=None), a_round(ms=9.0)]) == []
    (found,) = broken(rule, [a_round(ms=9.0), NOTHING, a_round(ms=9.0), a_round(ms=9.0)])
    assert (found.rounds, found.control) == (3, None)


def test_a_value_at_the_limit_is_within_it() -> None:
    rule = a_rule(metrics=(MetricLimit("ms", min=1.0, max=1.0),), triggers=(Trigger("ms", max=1.0, min=1.0),))
    assert broken(rule, [a_round(ms=1.0)] * 4) == []
