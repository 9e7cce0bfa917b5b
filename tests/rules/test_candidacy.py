from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Evidence, Reason, Tally, Verdict
from pytest_causal.model.promotion import MetricLimit, MetricStanding
from pytest_causal.model.run import ReadHow
from pytest_causal.rules.candidacy import (
    WORSE_ALPHA,
    Arm,
    CandidateCase,
    ScenarioCase,
    fisher_upper,
    is_worse,
    judge_candidate,
)
from pytest_causal.rules.eligibility import fold

NOW_US = 1_763_700_000_000_000
READ = (("limits.rows", ReadHow.TRACKED),)
CRITERIA = Criteria(min_runs=3, rule=Rule.THRESHOLD)
SMALL = st.integers(0, 12)


def evidence(*sessions: tuple[int, int], criteria: Criteria = CRITERIA) -> Evidence:
    """Fold sessions given as (passed, failed)."""
    state = Evidence(scenario_id=0, reads_id=0)
    for order, (passed, failed) in enumerate(sessions, 1):
        tally = Tally(
            scenario_id=0,
            reads_id=0,
            order=order,
            session=order,
            commit="",
            last_run_us=NOW_US,
            passed=passed,
            failed=failed,
        )
        state = fold(state, tally, criteria)
    return state


GOOD = evidence((5, 0), (5, 0))
YOUNG = evidence((1, 0))
SEQUENTIAL = Criteria(min_runs=3)
BAD = evidence(*[(0, 10)] * 6, criteria=SEQUENTIAL)
VERDICTS = {
    Verdict.ELIGIBLE: ScenarioCase("good", CRITERIA, GOOD, READ),
    Verdict.NOT_YET: ScenarioCase("young", CRITERIA, YOUNG, READ),
    Verdict.REJECTED: ScenarioCase("bad", SEQUENTIAL, BAD, READ),
    Verdict.INERT: ScenarioCase("blind", CRITERIA, None),
    Verdict.INCONCLUSIVE: ScenarioCase(
        "odd", CRITERIA, evidence((5, 0), (5, 0))._replace(recent=3, recent_units=3), READ
    ),
}
"""A scenario of each verdict."""


def case(*scenarios: ScenarioCase, **fields: Any) -> CandidateCase:
    given: dict[str, Any] = {"unmatched": (), "limits": (), "is_assumed": False, "now_us": NOW_US}
    return CandidateCase(scenarios, **given | fields)


@pytest.mark.parametrize("verdict", Verdict)
def test_the_verdict_of_one_scenario_is_that_of_the_change(verdict: Verdict) -> None:
    judged = judge_candidate(case(VERDICTS[verdict]))
    assert judged.verdict is verdict
    assert judged.scenarios[0].verdict is verdict
    assert bool(judged.reasons) is (verdict is not Verdict.ELIGIBLE)


@given(st.lists(st.sampled_from(Verdict), min_size=1, max_size=6))
def test_the_worst_scenario_decides_in_any_order(verdicts: list[Verdict]) -> None:
    worst_first = (Verdict.REJECTED, Verdict.INERT, Verdict.INCONCLUSIVE, Verdict.NOT_YET, Verdict.ELIGIBLE)
    judged = judge_candidate(case(*(VERDICTS[verdict] for verdict in verdicts)))
    assert judged.verdict is next(each for each in worst_first if each in verdicts)
    assert [each.verdict for each in judged.scenarios] == verdicts


def test_m7_without_a_scenario_nothing_is_known() -> None:
    judged = judge_candidate(case())
    assert (judged.verdict, judged.reasons) == (Verdict.INCONCLUSIVE, (Reason.NO_SCENARIO,))


def test_a_pattern_that_no_scenario_has_is_no_pass() -> None:
    judged = judge_candidate(case(VERDICTS[Verdict.ELIGIBLE], unmatched=("gone*",)))
    assert (judged.verdict, judged.reasons) == (Verdict.INCONCLUSIVE, (Reason.NO_SCENARIO,))


@pytest.mark.parametrize("how", ReadHow)
def test_passes_count_where_a_changed_value_was_read(how: ReadHow) -> None:
    judged = judge_candidate(case(ScenarioCase("x", CRITERIA, GOOD, (("limits.rows", how),))))
    expected = Verdict.INERT if how is ReadHow.ASSIGNED else Verdict.ELIGIBLE
    assert judged.verdict is expected


def test_failures_before_the_first_read_speak_against_all_the_same() -> None:
    judged = judge_candidate(case(ScenarioCase("x", SEQUENTIAL, BAD, (("limits.rows", ReadHow.ASSIGNED),))))
    assert judged.verdict is Verdict.REJECTED


def test_one_real_read_is_enough_beside_assigned_ones() -> None:
    reads = (("limits.rows", ReadHow.ASSIGNED), ("limits.wait", ReadHow.DECLARED))
    assert judge_candidate(case(ScenarioCase("x", CRITERIA, GOOD, reads))).verdict is Verdict.ELIGIBLE


def test_the_scenario_of_a_lesson_is_told_apart_and_must_vouch_too() -> None:
    lesson = VERDICTS[Verdict.NOT_YET]._replace(lesson=3)
    judged = judge_candidate(case(VERDICTS[Verdict.ELIGIBLE], lesson))
    assert (judged.verdict, judged.scenarios[1].lesson) == (Verdict.NOT_YET, 3)


class TestWorseThanControl:
    """A change that fails more often than today's values is held back, though it keeps its limits."""

    LAX = Criteria(min_runs=3, max_failure_rate=0.5, rule=Rule.THRESHOLD, unit=Unit.RUN)

    def judged(self, control: Arm, *, is_assumed: bool = False) -> Verdict:
        mine = evidence((10, 5), (10, 5), (10, 0), criteria=self.LAX)
        scenario = ScenarioCase("x", self.LAX, mine, READ, control)
        return judge_candidate(case(scenario, is_assumed=is_assumed)).verdict

    def test_it_is_not_yet(self) -> None:
        assert self.judged(Arm(200, 2)) is Verdict.NOT_YET
        assert self.judged(Arm(40, 10)) is Verdict.ELIGIBLE
        assert self.judged(Arm()) is Verdict.ELIGIBLE

    def test_assumed_evidence_is_not_compared_with_itself(self) -> None:
        assert self.judged(Arm(200, 2), is_assumed=True) is Verdict.ELIGIBLE


class TestMetrics:
    """A metric is held to its limit where it was reported by every run that counts."""

    LIMIT = (MetricLimit("confidence", min=0.6),)

    def judged(self, *standings: MetricStanding | None) -> tuple[Verdict, tuple[Reason, ...]]:
        scenarios = [
            ScenarioCase(f"s{place}", CRITERIA, GOOD, READ, metrics=(each,) if each else ())
            for place, each in enumerate(standings)
        ]
        judged = judge_candidate(case(*scenarios, limits=self.LIMIT))
        return judged.verdict, judged.reasons

    def test_at_the_limit_is_within(self) -> None:
        assert self.judged(MetricStanding("confidence", 10, 0, 0.6)) == (Verdict.ELIGIBLE, ())

    def test_beyond_it_is_not_yet(self) -> None:
        assert self.judged(MetricStanding("confidence", 10, 0, 0.59)) == (
            Verdict.NOT_YET,
            (Reason.METRIC_LIMIT,),
        )

    def test_nobody_reported_it(self) -> None:
        missing = (Verdict.INCONCLUSIVE, (Reason.METRIC_MISSING,))
        assert self.judged(None) == missing
        assert self.judged(MetricStanding("speed", 10, 0, 1.0)) == missing

    def test_one_of_several_scenarios_may_report_it(self) -> None:
        assert self.judged(None, MetricStanding("confidence", 10, 0, 0.7)) == (Verdict.ELIGIBLE, ())

    def test_m7_a_run_without_a_number_is_no_pass(self) -> None:
        missing = (Verdict.INCONCLUSIVE, (Reason.METRIC_MISSING,))
        assert self.judged(MetricStanding("confidence", 9, 1, 0.7)) == missing
        assert self.judged(MetricStanding("confidence", 9, 0, 0.7)) == missing
        assert self.judged(MetricStanding("confidence", 0, 10, None)) == missing

    @pytest.mark.parametrize("mean", [math.nan, math.inf])
    def test_a_mean_that_is_no_number_is_within_no_limit(self, mean: float) -> None:
        assert self.judged(MetricStanding("confidence", 10, 0, mean))[0] is not Verdict.ELIGIBLE


@given(SMALL, SMALL, SMALL, SMALL)
def test_fishers_exact_test_is_that_of_all_tables_counted_one_by_one(
    passed: int, failed: int, control_passed: int, control_failed: int
) -> None:
    mine, control = Arm(passed + failed, failed), Arm(control_passed + control_failed, control_failed)
    runs, failures = mine.runs + control.runs, failed + control_failed
    hits = range(failed, min(failures, mine.runs) + 1)
    ways = sum(math.comb(failures, hit) * math.comb(runs - failures, mine.runs - hit) for hit in hits)
    exact = Fraction(ways, math.comb(runs, mine.runs))
    assert fisher_upper(mine, control) == pytest.approx(float(exact), rel=1e-9)
    is_more_often = mine.runs and control.runs and failed * control.runs > control_failed * mine.runs
    assert is_worse(mine, control) is bool(is_more_often and exact <= Fraction(WORSE_ALPHA))


@pytest.mark.parametrize(
    ("mine", "control", "p_value"),
    [
        (Arm(4, 3), Arm(4, 1), 0.2428571428571429),  # Fisher (1935), the lady tasting tea
        (Arm(100_000, 60), Arm(100_000, 40), 0.028413064198),
    ],
)
def test_known_p_values(mine: Arm, control: Arm, p_value: float) -> None:
    assert fisher_upper(mine, control) == pytest.approx(p_value, rel=1e-3)


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_m8_arms_that_fail_equally_often_are_not_worse(mine: int, control: int, data: st.DataObject) -> None:
    share = data.draw(st.sampled_from([0, 1]))
    assert not is_worse(Arm(mine, mine * share), Arm(control, control * share))
    assert not is_worse(Arm(), Arm(control, 0))
    assert not is_worse(Arm(mine, mine), Arm())


@pytest.mark.parametrize(("failures", "is_it"), [(0, False), (1, False), (60, True), (10**6, True)])
def test_m8_a_million_runs_are_compared_with_a_million(failures: int, is_it: bool) -> None:
    assert is_worse(Arm(10**6, failures), Arm(10**6, 0)) is is_it
    assert 0.0 <= fisher_upper(Arm(10**6, failures), Arm(10**6, 0)) <= 1.0


def test_a_decision_depends_on_its_case_alone() -> None:
    whole = case(*VERDICTS.values(), unmatched=("gone",), limits=(MetricLimit("x", max=1),))
    assert judge_candidate(whole) == judge_candidate(whole)
