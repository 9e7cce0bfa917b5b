from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.policy.json_document import parse_json
from tools.soak.guard_limits import GuardLimits, guard_limits
from tools.soak.tuner import RULES_FILE, read_rules


def test_the_limits_of_the_rules_file_are_those_of_the_predecessor() -> None:
    rules = read_rules(parse_json(RULES_FILE.read_text("utf-8"), str(RULES_FILE)))
    limits = guard_limits(rules.guards, budget=7)
    assert (limits.panic_after, limits.freeze_after, limits.freeze_for, limits.max_keys) == (3, 2, 4, 2)
    assert (limits.cooldown_above_ratio, limits.cooldown_for, limits.budget) == (0.10, 3, 7)
    assert limits.max_change_per_hour["quoting.min_interval_ms"] == 30
    assert limits.max_change_per_hour["impact.impact_cap_ratio"] == 0.04
    assert limits.freeze_paths == {"impact.impact_cap_ratio", "impact.max_delta_ratio"}
    assert [str(condition) for condition in limits.freeze_when] == ["risk_ratio <= 0.35", "2.7 <= net_bps"]


@pytest.mark.parametrize(
    "changed",
    [
        {"panic_after": 0},
        {"good_after": 0},
        {"freeze_after": 0},
        {"max_keys": 0},
        {"max_steps_per_hour": 0},
        {"cooldown_for": -1},
        {"budget": -1},
        {"cooldown_above_ratio": math.nan},
        {"max_change_per_hour": {"x": math.nan}},
        {"max_change_per_hour": {"x": -1.0}},
    ],
    ids=repr,
)
def test_limits_without_a_meaning_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"thresholds|ratios"):
        GuardLimits(**changed)


def test_what_the_file_leaves_out_has_its_default() -> None:
    assert guard_limits({}) == GuardLimits()


def test_a_freeze_that_can_never_begin_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing can meet"):
        guard_limits({"freeze_when": [{"metric": "x", "above": 2, "below": 1}]})
