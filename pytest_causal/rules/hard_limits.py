"""Hard limits of a rule, held against a candidate while it is on trial: the first one broken ends the trial.

The absolute limits of ``revert_when`` judge each round, as they judge each session once the change is made. The limits
of ``metrics`` judge the mean of the rounds so far, from the third on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pytest_causal.model.promotion import FAILURE_RATE, TIMEOUT_RATE, PromotionRule
from pytest_causal.model.trial import BrokenLimit
from pytest_causal.rules.round_values import ScenarioValues
from pytest_causal.rules.watch import FEWEST_FOR_MEAN, watch

Rounds = Sequence[ScenarioValues | None]
"""What one scenario came to in one arm, round by round; ``None`` where it did not run."""


def broken_limits(
    rule: PromotionRule, scenario: str, control: Rounds, candidate: Rounds
) -> Iterator[BrokenLimit]:
    """Yield the limits that the candidate broke in one scenario: in any round, or by its mean over all rounds."""
    for place, values in enumerate(candidate):
        fired = watch(rule.triggers, [signals(values)], {}).fired if values is not None else ()
        beside = signals(control[place] if place < len(control) else None)
        for each in fired:
            yield BrokenLimit(
                scenario=scenario,
                signal=each.signal,
                side=each.side,
                limit=each.limit,
                value=each.value,
                control=beside.get(each.signal),
                rounds=place + 1,
                is_mean=False,
            )
    yield from _broken_means(rule, scenario, control, candidate)


def signals(values: ScenarioValues | None) -> Mapping[str, float | None]:
    """Return signal -> its value in one round, as triggers name them."""
    if values is None:
        return {}
    return {**values.metrics, FAILURE_RATE: values.failed, TIMEOUT_RATE: values.timed_out}


def _broken_means(
    rule: PromotionRule, scenario: str, control: Rounds, candidate: Rounds
) -> Iterator[BrokenLimit]:
    for limit in rule.metrics:
        seen = _finite(candidate, limit.metric)
        if len(seen) < FEWEST_FOR_MEAN:
            continue
        mean = math.fsum(seen) / len(seen)
        beside = _finite(control, limit.metric)
        for side, bound, is_broken in (
            ("min", limit.min, limit.min is not None and mean < limit.min),
            ("max", limit.max, limit.max is not None and mean > limit.max),
        ):
            if is_broken and bound is not None:
                yield BrokenLimit(
                    scenario=scenario,
                    signal=limit.metric,
                    side=side,
                    limit=bound,
                    value=mean,
                    control=math.fsum(beside) / len(beside) if beside else None,
                    rounds=len(seen),
                    is_mean=True,
                )


def _finite(rounds: Rounds, metric: str) -> list[float]:
    """Return the values of a metric over the rounds that have a finite one."""
    found = (each.metrics.get(metric) for each in rounds if each is not None)
    return [value for value in found if value is not None]
