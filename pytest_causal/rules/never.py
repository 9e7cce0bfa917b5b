"""What can never happen under a rule of promotion as it stands, however long one waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pytest_causal.model.promotion import FAILURE_RATE, TIMEOUT_RATE, PromotionRule, Trigger
from pytest_causal.rules.watch import FEWEST_FOR_MEAN

_RATES = (FAILURE_RATE, TIMEOUT_RATE)


class Known(NamedTuple):
    """What the history shows of the scenarios of a rule.

    ``unmatched`` are patterns of the rule that no scenario has. ``blind`` are scenarios of it that ran and never read
    one of the changed values, whatever it was then. ``reported`` are the metrics that any of them has reported.
    """

    unmatched: tuple[str, ...]
    blind: tuple[str, ...]
    reported: frozenset[str]


class Never(NamedTuple):
    """Something that cannot happen, and what to do about it."""

    what: str
    remedy: str


def nevers(rule: PromotionRule, known: Known) -> Iterator[Never]:
    """Yield what can never happen under a rule, as far as its history shows."""
    for pattern in known.unmatched:
        yield Never(
            f"no scenario that has run is called {pattern!r}, so it is never eligible",
            "correct its scenarios",
        )
    for scenario in known.blind:
        yield Never(
            f"{scenario} never read a value that it changes, so it is never eligible",
            "let the test take the value from causal_policy, or leave the scenario out",
        )
    for limit in rule.metrics:
        if limit.metric not in known.reported:
            yield Never(
                f"no run reported {limit.metric}, so it is never eligible",
                "record it with causal_metric, or correct metrics",
            )
    for trigger in rule.triggers:
        yield from _of_trigger(rule, trigger, known)


def _of_trigger(rule: PromotionRule, trigger: Trigger, known: Known) -> Iterator[Never]:
    name = f"revert_when.{trigger.signal}"
    if trigger.signal not in _RATES and trigger.signal not in known.reported:
        yield Never(
            f"no run reported {trigger.signal}, so {name} never fires and the change is never validated",
            "record it with causal_metric, or correct revert_when",
        )
    if trigger.signal in _RATES and trigger.max is not None and trigger.max >= 1:
        yield Never(f"{name} never fires: a rate is not above {trigger.max:g}", "give a max below 1")
    if trigger.signal in _RATES and trigger.min is not None and trigger.min <= 0:
        yield Never(f"{name} never fires: a rate is not below {trigger.min:g}", "give a min above 0")
    is_relative = trigger.max_increase is not None or trigger.max_decrease is not None
    if is_relative and rule.watch_sessions < FEWEST_FOR_MEAN:
        yield Never(
            f"{name} never fires: a mean is compared from session {FEWEST_FOR_MEAN} on, and watch_sessions is "
            f"{rule.watch_sessions}",
            f"set watch_sessions to {FEWEST_FOR_MEAN} or more",
        )
