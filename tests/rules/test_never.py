from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.promotion import MetricLimit, PromotionRule, Trigger
from pytest_causal.rules.never import Known, nevers

WELL = Known(unmatched=(), blind=(), reported=frozenset({"seconds"}))


def said(known: Known = WELL, **fields: Any) -> list[str]:
    rule = PromotionRule("rule", ("load",), **fields)
    return [each.what for each in nevers(rule, known)]


def test_a_rule_that_can_work() -> None:
    triggers = (
        Trigger("failure_rate", max=0.2),
        Trigger("timeout_rate", max=0.99),
        Trigger("seconds", max_increase=0.1),
    )
    assert said(triggers=triggers, metrics=(MetricLimit("seconds", max=1),)) == []


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Trigger("speed", max=1), "no run reported speed"),
        (Trigger("failure_rate", max=1.0), "never fires: a rate is not above 1"),
        (Trigger("timeout_rate", min=0.0), "never fires: a rate is not below 0"),
    ],
)
def test_triggers_that_never_fire(trigger: Trigger, words: str) -> None:
    (what,) = said(triggers=(trigger,))
    assert words in what


@pytest.mark.parametrize(("sessions", "times"), [(1, 1), (2, 1), (3, 0)])
def test_a_mean_that_is_never_compared(sessions: int, times: int) -> None:
    relative = (Trigger("seconds", max_decrease=0.5),)
    assert len(said(triggers=relative, watch_sessions=sessions)) == times
    assert said(triggers=(Trigger("seconds", max=5),), watch_sessions=sessions) == []


def test_scenarios_and_metrics_that_are_not_there() -> None:
    known = Known(unmatched=("lode*",), blind=("idle",), reported=frozenset())
    found = said(known, metrics=(MetricLimit("seconds", max=1),))
    assert [
        words
        for words in ("'lode*'", "idle never read", "no run reported seconds")
        if words in "".join(found)
    ]
    assert len(found) == 3
    assert all("never eligible" in each for each in found)
