from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.profiles import load_profile, shipped_profiles
from pytest_causal.policy.schema_check import schema
from tools.soak.mock_market import MockMarket, Mode
from tools.soak.tuner import RULES_FILE, Condition, Proposals, TuningRules, propose, read_rules

SHIPPED = read_rules(parse_json(RULES_FILE.read_text("utf-8"), str(RULES_FILE)))
STEADY = load_profile("steady_safe", (shipped_profiles(),)).leaves
CALM = {
    "risk_ratio": 0.37, "net_bps": 3.0, "maker_taker_ratio": 0.92, "p95_latency_ms": 300, "adverse_bps_p95": 2.0,
    "slippage_bps_p95": 2.2, "order_age_p95_ms": 310, "cancel_ratio": 0.4, "ws_lag_p95_ms": 80,
}  # fmt: skip
INTERVAL, RATE, TAIL = "quoting.min_interval_ms", "quoting.replace_rate_per_min", "engine.tail_age_ms"
IMPACT, DELTA, SPREAD = "impact.impact_cap_ratio", "impact.max_delta_ratio", "quoting.base_spread_bps_delta"


def rules(*table: dict[str, Any], **more: Any) -> TuningRules:
    data = {"schema": "causal.tuning-rules/1", "rules": list(table), **more}
    return read_rules(parse_json(json.dumps(data, indent=1), "rules.json"))


def rule(name: str = "one", **changed: Any) -> dict[str, Any]:
    table = {
        "name": name,
        "when": [{"metric": "x", "above": 1}],
        "then": [{"path": "a.b", "add": 1}],
        "because": "it is so",
    }
    return {**table, **changed}


def proposed(**changed: float) -> dict[str, float]:
    made = propose(SHIPPED, {**CALM, **changed}, STEADY).made
    return {proposal.path: proposal.delta for proposal in made}


def test_the_shipped_rules_are_what_the_schema_says() -> None:
    data = json.loads(RULES_FILE.read_text("utf-8"))
    jsonschema.Draft202012Validator(schema("tuning_rules")).validate(data)
    assert len(SHIPPED.rules) == len(data["rules"])


def test_every_shipped_rule_reads_metrics_that_the_market_has_and_moves_values_that_profiles_have() -> None:
    metrics = MockMarket(Mode.CALM, 1).expected(
        {"quoting": {"base_spread_bps_delta": 1, "min_interval_ms": 1, "replace_rate_per_min": 1},
         "impact": {"impact_cap_ratio": 1, "max_delta_ratio": 1}, "engine": {"tail_age_ms": 1}}
    )  # fmt: skip
    for each in SHIPPED.rules:
        assert {condition.metric for condition in each.when} <= set(metrics), each.name
        assert {effect.path for effect in each.then} <= set(STEADY), each.name


def test_in_the_middle_of_every_band_nothing_is_proposed() -> None:
    assert propose(SHIPPED, CALM, STEADY) == Proposals((), ())


@pytest.mark.parametrize(
    ("changed", "deltas"),
    [
        ({"risk_ratio": 0.60}, {INTERVAL: 5, IMPACT: -0.01, TAIL: 30}),
        ({"risk_ratio": 0.59}, {INTERVAL: 5, IMPACT: -0.005}),
        ({"risk_ratio": 0.40}, {INTERVAL: 5, IMPACT: -0.005}),
        ({"risk_ratio": 0.39}, {}),
        ({"adverse_bps_p95": 3.51}, {IMPACT: -0.01, DELTA: -0.01}),
        ({"adverse_bps_p95": 3.5}, {}),
        ({"slippage_bps_p95": 2.51}, {SPREAD: 0.02, TAIL: 30}),
        ({"p95_latency_ms": 330}, {TAIL: 50}),
        ({"p95_latency_ms": 360}, {TAIL: 50}),
        ({"p95_latency_ms": 361}, {TAIL: 75}),
        ({"cancel_ratio": 0.56}, {INTERVAL: 20, RATE: -30}),
        ({"ws_lag_p95_ms": 121}, {INTERVAL: 20}),
        ({"order_age_p95_ms": 331}, {INTERVAL: -10, RATE: 30}),
        ({"net_bps": 2.4, "maker_taker_ratio": 0.89}, {SPREAD: 0.02}),
        ({"net_bps": 2.4}, {}),
        ({"maker_taker_ratio": 0.84, "net_bps": 2.7}, {SPREAD: 0.015, RATE: 260 * 0.85 - 260, INTERVAL: 25}),
        ({"risk_ratio": 0.34}, {IMPACT: 0.005, DELTA: 0.01, INTERVAL: -5}),
        ({"risk_ratio": 0.34, "net_bps": 1.9}, {}),
    ],
    ids=repr,
)
def test_the_numbers_of_the_rules(changed: dict[str, float], deltas: dict[str, float]) -> None:
    assert proposed(**changed) == pytest.approx(deltas)


def test_floors_and_caps_come_with_the_proposal() -> None:
    made = {each.path: each for each in propose(SHIPPED, {**CALM, "risk_ratio": 0.7}, STEADY).made}
    assert (made[INTERVAL].cap, made[IMPACT].floor, made[TAIL].cap) == (80, 0.08, 800)


def test_the_first_rule_that_names_a_path_decides_and_the_other_is_told() -> None:
    found = propose(SHIPPED, {**CALM, "risk_ratio": 0.7, "order_age_p95_ms": 400}, STEADY)
    assert {each.path: each.rule for each in found.made} == {
        INTERVAL: "risk_high", IMPACT: "risk_high", TAIL: "risk_high", RATE: "order_age",
    }  # fmt: skip
    assert [tuple(each) for each in found.set_aside] == [(INTERVAL, "order_age", "risk_high stands above it")]


def test_nothing_gets_faster_while_the_spread_widens() -> None:
    found = propose(SHIPPED, {**CALM, "slippage_bps_p95": 3, "order_age_p95_ms": 400}, STEADY)
    assert [each.path for each in found.made] == [SPREAD, TAIL]
    assert {(each.path, each.reason) for each in found.set_aside} == {
        (INTERVAL, f"{SPREAD} is to rise"), (RATE, f"{SPREAD} is to rise"),
    }  # fmt: skip


def test_getting_faster_is_no_conflict_while_the_spread_narrows() -> None:
    too_wide = {"maker_taker_ratio": 0.97, "slippage_bps_p95": 1.8, "order_age_p95_ms": 400}
    assert set(proposed(**too_wide)) == {SPREAD, INTERVAL, RATE}


def test_slowing_down_is_no_conflict() -> None:
    found = propose(SHIPPED, {**CALM, "slippage_bps_p95": 3, "risk_ratio": 0.45}, STEADY)
    assert {each.path for each in found.made} == {INTERVAL, IMPACT, SPREAD, TAIL}


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("metric", CALM)
def test_k13_a_metric_without_a_number_fires_no_rule(metric: str, value: float | None) -> None:
    assert propose(SHIPPED, {**CALM, metric: value}, STEADY).made == ()


def test_without_metrics_nothing_is_proposed() -> None:
    assert propose(SHIPPED, {}, STEADY).made == ()


@pytest.mark.parametrize("value", [None, "75", True, [75]])
def test_k7_a_value_that_is_no_number_is_set_aside(value: object) -> None:
    found = propose(SHIPPED, {**CALM, "ws_lag_p95_ms": 200}, {**STEADY, INTERVAL: value})
    assert found.made == ()
    assert [each.reason for each in found.set_aside] == ["the policy has no such number"]


def test_the_rationale_says_what_was_seen() -> None:
    (proposal,) = propose(SHIPPED, {**CALM, "ws_lag_p95_ms": 200}, STEADY).made
    assert proposal.rationale == "the feed does not keep up: 120 < ws_lag_p95_ms (is 200)"


@given(st.dictionaries(st.sampled_from(sorted(CALM)), st.floats() | st.none()))
def test_each_path_is_proposed_once_and_never_by_zero(metrics: dict[str, float | None]) -> None:
    made = propose(SHIPPED, metrics, STEADY).made
    assert len({each.path for each in made}) == len(made)
    assert all(math.isfinite(each.delta) and each.delta for each in made)


@pytest.mark.parametrize(
    ("condition", "inside", "outside"),
    [
        (Condition(metric="x", at_least=1), [1, 2], [0.99]),
        (Condition(metric="x", above=1), [1.01], [1]),
        (Condition(metric="x", at_most=1), [1, -5], [1.01]),
        (Condition(metric="x", below=1), [0.99], [1]),
        (Condition(metric="x", at_least=1, below=2), [1, 1.99], [0.99, 2]),
        (Condition(metric="x"), [0], []),
    ],
)
def test_conditions_hold_at_their_edges_as_written(
    condition: Condition, inside: list[float], outside: list[float]
) -> None:
    assert all(condition.holds(value) for value in inside)
    assert not any(condition.holds(value) for value in [*outside, None, math.nan, math.inf])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (rule(then=[{"path": "a.b"}]), "both or none of add and mul"),
        (rule(then=[{"path": "a.b", "add": 1, "mul": 2}]), "both or none of add and mul"),
        (rule(then=[{"path": "a.b", "mul": 0}]), "more than 0"),
        (rule(then=[{"path": "a..b", "add": 1}]), "text that matches"),
        (rule(then=[{"path": "a.b", "ad": 1}]), "did you mean 'add'"),
        (rule(when=[{"metric": "x", "above": "1"}]), "expected number"),
        (rule(when=[{"metric": "x", "above": 1, "below": 1}]), "nothing can meet 1 < x < 1"),
        (rule(when=[{"metric": "x", "at_least": 2, "at_most": 1}]), "nothing can meet 2 <= x <= 1"),
        ({"name": "one"}, "no 'when'"),
        (rule(name="Not a name"), "text that matches"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        rules(table)
    assert str(caught.value).startswith("rules.json:")


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two rules are called 'one'"):
        rules(rule(), rule())


def test_rules_of_a_users_own_are_read() -> None:
    own = rules(rule(then=[{"path": "a.b", "mul": 0.5, "floor": 3}]))
    (proposal,) = propose(own, {"x": 2.0}, {"a.b": 10}).made
    assert (proposal.delta, proposal.floor, proposal.cap) == (-5.0, 3, None)
