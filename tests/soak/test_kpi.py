from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError, ExitCode
from pytest_causal.policy.profiles import load_profile, shipped_profiles
from tools.soak.kpi import (
    KpiSet,
    Limit,
    RunTally,
    Sample,
    Side,
    Verdict,
    judge,
    judge_run,
    parse_kpi,
    worst,
)

PRODUCTION = parse_kpi(
    {
        "risk_ratio": {"max": 0.5, "soft_max": 0.4},
        "net_bps": {"min": 2.0, "soft_min": 2.7},
        "p95_latency_ms": {"max": 400, "soft_max": 350},
    }
)
GOOD = {"risk_ratio": 0.3, "net_bps": 3.0, "p95_latency_ms": 300.0}


def samples(**values: object) -> dict[str, Sample]:
    return {name: Sample.of(value) for name, value in {**GOOD, **values}.items()}


def without(metric: str) -> dict[str, Sample]:
    return {name: sample for name, sample in samples().items() if name != metric}


@pytest.mark.parametrize("name", ["steady_safe", "ultra_safe", "aggressive"])
@pytest.mark.parametrize("kpi_set", ["smoke", "production"])
def test_every_shipped_profile_has_both_sets_and_each_can_fail(name: str, kpi_set: str) -> None:
    kpis = parse_kpi(load_profile(name, (shipped_profiles(),)).kpi[kpi_set])
    assert kpis.has_hard_limit
    assert {limit.metric for limit in kpis.limits} >= {"risk_ratio", "net_bps", "maker_taker_ratio"}


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"risk_ratio": 0.4}, Verdict.PASS),  # the limit itself is within
        ({"risk_ratio": 0.41}, Verdict.WARN),
        ({"risk_ratio": 0.5}, Verdict.WARN),
        ({"risk_ratio": 0.51}, Verdict.FAIL),
        ({"net_bps": 2.7}, Verdict.PASS),
        ({"net_bps": 2.69}, Verdict.WARN),
        ({"net_bps": 1.99}, Verdict.FAIL),
        ({"net_bps": -0.0}, Verdict.FAIL),
    ],
)
def test_limits_are_held_on_their_side(changed: dict[str, float], verdict: Verdict) -> None:
    assert judge(PRODUCTION, samples(**changed)).verdict is verdict


@pytest.mark.parametrize(
    "nothing",
    [None, math.nan, math.inf, -math.inf, "0.3", "", b"0.3", [], {}, pytest.param(object(), id="object")],
    ids=repr,
)
@pytest.mark.parametrize("metric", GOOD)
def test_k13_what_is_no_finite_number_is_inconclusive_and_never_zero(metric: str, nothing: object) -> None:
    result = judge(PRODUCTION, samples(**{metric: nothing}))
    assert result.verdict is Verdict.INCONCLUSIVE
    (finding,) = (finding for finding in result.findings if finding.metric == metric)
    assert (finding.value, finding.level) == (None, Verdict.INCONCLUSIVE)
    assert finding.reason


@pytest.mark.parametrize("metric", GOOD)
def test_k13_what_was_not_reported_is_inconclusive(metric: str) -> None:
    assert judge(PRODUCTION, without(metric)).verdict is Verdict.INCONCLUSIVE
    assert judge(PRODUCTION, {}).verdict is Verdict.INCONCLUSIVE


def test_k13_a_value_of_an_earlier_iteration_is_inconclusive() -> None:
    stale = {**samples(), "net_bps": Sample.of(3.0, is_stale=True)}
    assert judge(PRODUCTION, stale).verdict is Verdict.INCONCLUSIVE


def test_d31_a_rate_over_no_events_is_inconclusive() -> None:
    empty = {**samples(), "risk_ratio": Sample(value=0.0, samples=0)}
    assert judge(PRODUCTION, empty).verdict is Verdict.INCONCLUSIVE


@given(
    broken=st.sampled_from(sorted(GOOD)),
    others=st.dictionaries(
        st.sampled_from(sorted(GOOD)), st.sampled_from([None, math.nan, "x", 0.3, 3.0, 300.0])
    ),
)
def test_one_hard_failure_fails_whatever_else_is_missing(broken: str, others: dict[str, Any]) -> None:
    worst_value = -1e9 if broken == "net_bps" else 1e9
    assert judge(PRODUCTION, samples(**{**others, broken: worst_value})).verdict is Verdict.FAIL


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.floats() | st.none() | st.text(), max_size=3))
def test_a_pass_has_a_value_within_every_limit(reported: dict[str, Any]) -> None:
    result = judge(PRODUCTION, {name: Sample.of(value) for name, value in reported.items()})
    if result.verdict is Verdict.PASS:
        assert reported["risk_ratio"] <= 0.4
        assert reported["net_bps"] >= 2.7
        assert reported["p95_latency_ms"] <= 350


def test_a_finding_says_value_limit_side_samples_and_interval() -> None:
    measured = {**samples(), "net_bps": Sample(value=1.5, samples=40, low=1.1, high=1.9)}
    (finding,) = (each for each in judge(PRODUCTION, measured).findings if each.metric == "net_bps")
    assert (finding.value, finding.limit, finding.side) == (1.5, 2.0, Side.MIN)
    assert (finding.samples, finding.low, finding.high) == (40, 1.1, 1.9)


def test_the_limit_of_a_pass_is_the_nearest_and_of_a_warning_the_soft_one() -> None:
    both = KpiSet((Limit(metric="x", min=0.0, soft_min=1.0, soft_max=9.0, max=10.0),))
    found = {value: judge(both, {"x": Sample.of(value)}).findings[0] for value in (2.0, 8.0, 0.5, 9.5, 11.0)}
    assert [(each.limit, each.side, each.level) for each in found.values()] == [
        (1.0, Side.MIN, Verdict.PASS),
        (9.0, Side.MAX, Verdict.PASS),
        (1.0, Side.MIN, Verdict.WARN),
        (9.0, Side.MAX, Verdict.WARN),
        (10.0, Side.MAX, Verdict.FAIL),
    ]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "no limits"),
        ({"x": {}}, "cannot be met in order"),
        ({"x": {"maximum": 1}}, "no limit 'maximum'"),
        ({"x": {"max": "1"}}, "expected a finite number"),
        ({"x": {"max": True}}, "expected a finite number"),
        ({"x": {"max": math.nan}}, "expected a finite number"),
        ({"x": {"min": 2, "max": 1}}, "cannot be met in order"),
        ({"x": {"soft_max": 2, "max": 1}}, "cannot be met in order"),
    ],
)
def test_limits_that_nothing_can_break_or_meet_are_refused(limits: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_kpi(limits)


def tally_of(*verdicts: Verdict, warmup: tuple[Verdict, ...] = ()) -> RunTally:
    tally = RunTally()
    for verdict in warmup:
        tally = tally.with_iteration(verdict, samples(), is_warmup=True)
    for verdict in verdicts:
        tally = tally.with_iteration(verdict, samples(), is_warmup=False)
    return tally


PASS, WARN, FAIL, NONE = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("steady", "warmup", "verdict", "code"),
    [
        ((PASS, PASS), (), PASS, ExitCode.OK),
        ((PASS, WARN), (), WARN, ExitCode.OK),
        ((FAIL, FAIL, FAIL), (), FAIL, ExitCode.FAIL),
        ((FAIL, FAIL), (FAIL,), FAIL, ExitCode.FAIL),
        ((PASS, PASS, FAIL), (), FAIL, ExitCode.FAIL),
        ((NONE, FAIL), (), FAIL, ExitCode.FAIL),
        ((PASS, NONE), (), NONE, ExitCode.INCONCLUSIVE),
        ((PASS, PASS), (FAIL, FAIL), WARN, ExitCode.OK),
        ((PASS, PASS), (NONE,), WARN, ExitCode.OK),
        ((PASS, PASS), (WARN,), PASS, ExitCode.OK),
        ((), (FAIL,), NONE, ExitCode.INCONCLUSIVE),
        ((), (PASS, PASS), NONE, ExitCode.INCONCLUSIVE),
        ((), (), NONE, ExitCode.INCONCLUSIVE),
    ],
)
def test_k14_d4_the_end_of_a_run_has_the_verdict_of_its_steady_iterations(
    steady: tuple[Verdict, ...], warmup: tuple[Verdict, ...], verdict: Verdict, code: ExitCode
) -> None:
    result = judge_run(PRODUCTION, tally_of(*steady, warmup=warmup))
    assert result.verdict is verdict
    assert result.verdict.exit_code is code
    assert result.reason


def test_the_findings_of_a_run_are_on_the_means_of_its_steady_iterations() -> None:
    tally = RunTally().with_iteration(
        judge(PRODUCTION, samples(net_bps=-50.0)).verdict, samples(net_bps=-50.0), is_warmup=True
    )
    for net in (2.8, 3.0, 3.2, None):
        tally = tally.with_iteration(
            judge(PRODUCTION, samples(net_bps=net)).verdict, samples(net_bps=net), is_warmup=False
        )
    (finding,) = (each for each in judge_run(PRODUCTION, tally).findings if each.metric == "net_bps")
    assert finding.value == pytest.approx(3.0)
    assert finding.samples == 3
    assert finding.low is not None
    assert finding.high is not None
    assert finding.low < 3.0 < finding.high


def test_a_mean_within_the_limit_does_not_hide_an_iteration_that_failed() -> None:
    tally = RunTally()
    for net in (1.0, 9.0, 9.0):
        tally = tally.with_iteration(
            judge(PRODUCTION, samples(net_bps=net)).verdict, samples(net_bps=net), is_warmup=False
        )
    result = judge_run(PRODUCTION, tally)
    assert result.verdict is Verdict.FAIL
    assert worst(finding.level for finding in result.findings) is Verdict.PASS
    assert result.reason == "1 of 3 steady iterations: FAIL"
