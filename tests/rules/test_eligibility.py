from __future__ import annotations

import math
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Decision, Evidence, Reason, Tally, Verdict
from pytest_causal.rules.eligibility import (
    Judge,
    clean_sessions_needed,
    decide_eligibility,
    failure_rate_bound,
    fold,
)
from pytest_causal.rules.sequential import e_value, failure_rate_upper, threshold

Outcomes = dict[str, Any]
DAY_US = 86_400_000_000
DEFAULTS = Criteria()
BY_FLOORS = Criteria(rule=Rule.THRESHOLD)
CLEAN, FAILED, MISSED, STOPPED = (
    {"passed": 1},
    {"failed": 1},
    {"missing": 1},
    {"passed": 1, "may_vouch": False},
)


def history(*units: Outcomes, criteria: Criteria = DEFAULTS) -> Evidence:
    """Return the state after one session a day, the first on day 1."""

    def step(evidence: Evidence, unit: Outcomes) -> Evidence:
        day = evidence.last_order + 1 if evidence.last_order > 0 else 1
        tally = Tally(
            scenario_id=1, reads_id=0, order=day, session=day, commit="", last_run_us=day * DAY_US, **unit
        )
        return fold(evidence, tally, criteria)

    return reduce(step, units, Evidence(scenario_id=1, reads_id=0))


def is_possible(evidence: Evidence) -> bool:
    """Whether any history leaves such a state."""
    return bool(evidence.runs or not evidence.units) and not evidence.recent & ~evidence.recent_units


def decide(evidence: Evidence, criteria: Criteria = DEFAULTS, day: float | None = None) -> Decision:
    return decide_eligibility(evidence, criteria, int((evidence.last_order if day is None else day) * DAY_US))


def reasons(evidence: Evidence, criteria: Criteria = DEFAULTS, day: float | None = None) -> list[Reason]:
    return list(decide(evidence, criteria, day).reasons)


def test_enough_clean_sessions_are_eligible() -> None:
    evidence = history(*[CLEAN] * 23)
    assert decide(evidence) == Decision(Verdict.ELIGIBLE, (), e_value(evidence.wealth))


class TestEachReasonAlone:
    """Of each pair, only one thing differs: what the reason is about."""

    def test_no_evidence(self) -> None:
        assert decide(history(CLEAN)).verdict is Verdict.NOT_YET
        for nothing in (history(), history({"skipped": 3}), history(MISSED), history(STOPPED)):
            decision = decide(nothing, Criteria(min_runs=0, min_sessions=0, rule=Rule.THRESHOLD))
            assert (decision.verdict, decision.reasons) == (Verdict.INCONCLUSIVE, (Reason.NO_EVIDENCE,))

    @pytest.mark.parametrize("incomplete", [MISSED, STOPPED, {"infrastructure": 1}])
    def test_incomplete(self, incomplete: Outcomes) -> None:
        two_of_twenty = history(*[CLEAN] * 30, *[incomplete] * 2)
        three_of_twenty = history(*[CLEAN] * 30, *[incomplete] * 3)
        assert decide(two_of_twenty).verdict is Verdict.ELIGIBLE
        assert decide(three_of_twenty)[:2] == (Verdict.INCONCLUSIVE, (Reason.INCOMPLETE,))

    def test_proven_bad(self) -> None:
        decision = decide(history(*[FAILED] * 5))
        assert (decision.verdict, decision.reasons) == (Verdict.REJECTED, (Reason.PROVEN_BAD,))
        assert decide(history(*[FAILED] * 2)).verdict is Verdict.NOT_YET

    def test_proven_bad_is_no_verdict_of_the_rule_that_knows_only_floors(self) -> None:
        assert decide(history(*[FAILED] * 5), BY_FLOORS).verdict is Verdict.NOT_YET

    def test_too_few_runs(self) -> None:
        assert reasons(history(*[CLEAN] * 19), BY_FLOORS) == [Reason.TOO_FEW_RUNS]
        assert reasons(history(*[CLEAN] * 20), BY_FLOORS) == []

    def test_too_few_sessions(self) -> None:
        assert reasons(history({"passed": 20}), BY_FLOORS) == [Reason.TOO_FEW_SESSIONS]
        assert reasons(history({"passed": 10}, {"passed": 10}), BY_FLOORS) == []

    @pytest.mark.parametrize("kind", ["failed", "errors"])
    def test_failure_rate(self, kind: str) -> None:
        assert reasons(history({kind: 4, "passed": 16}, *[CLEAN] * 6), BY_FLOORS) == [Reason.FAILURE_RATE]
        assert reasons(history({kind: 3, "passed": 14}, *[CLEAN] * 3), BY_FLOORS) == []

    def test_failure_rate_weighs_flaky_executions_as_the_bets_do(self) -> None:
        flaky = {"passed": 8, "flaky": 8}
        assert reasons(history(flaky, *[CLEAN] * 32), BY_FLOORS) == [Reason.FAILURE_RATE]
        lenient = BY_FLOORS._replace(flaky_weight=0.5)
        assert reasons(history(flaky, *[CLEAN] * 32, criteria=lenient), lenient) == []

    def test_newest_failed(self) -> None:
        assert reasons(history(*[CLEAN] * 60, FAILED), BY_FLOORS) == [Reason.NEWEST_FAILED]
        assert reasons(history(*[CLEAN] * 60, {"passed": 99, "errors": 1}), BY_FLOORS) == [
            Reason.NEWEST_FAILED
        ]
        assert reasons(history(*[CLEAN] * 60, FAILED, CLEAN), BY_FLOORS) == []

    def test_newest_failed_is_not_cleared_by_a_session_without_evidence(self) -> None:
        assert reasons(history(*[CLEAN] * 60, FAILED, STOPPED), BY_FLOORS) == [Reason.NEWEST_FAILED]
        assert reasons(history(*[CLEAN] * 60, FAILED, MISSED), BY_FLOORS) == [Reason.NEWEST_FAILED]

    def test_stale(self) -> None:
        evidence = history(*[CLEAN] * 30)
        assert reasons(evidence, day=44) == []
        assert reasons(evidence, day=44.001) == [Reason.STALE]

    def test_stale_is_not_cleared_by_a_session_without_evidence(self) -> None:
        evidence = history(*[CLEAN] * 30, *[MISSED, STOPPED])
        assert reasons(evidence, day=44.001) == [Reason.STALE]

    def test_stale_where_the_clock_had_jumped_ahead(self) -> None:
        evidence = history(*[CLEAN] * 30)
        assert reasons(evidence, day=29) == []
        assert reasons(evidence, day=28.999) == [Reason.STALE]
        assert reasons(evidence, day=-3650) == [Reason.STALE]

    def test_not_proven(self) -> None:
        assert reasons(history(*[CLEAN] * 22)) == [Reason.NOT_PROVEN]
        assert reasons(history(*[CLEAN] * 22), BY_FLOORS) == []


def test_all_reasons_that_apply_are_given_in_one_order() -> None:
    assert reasons(history(FAILED), day=100) == [
        Reason.TOO_FEW_RUNS,
        Reason.TOO_FEW_SESSIONS,
        Reason.FAILURE_RATE,
        Reason.NEWEST_FAILED,
        Reason.STALE,
        Reason.NOT_PROVEN,
    ]


def test_the_cap_lets_eligibility_be_lost_within_a_few_failures() -> None:
    criteria = Criteria(max_failure_rate=0.10)
    long_good = [CLEAN] * 1000
    lost = [
        reasons(history(*long_good, *[FAILED] * bad, CLEAN, criteria=criteria), criteria) for bad in range(5)
    ]
    assert lost[0] == []
    assert lost[4] == [Reason.NOT_PROVEN]


def test_a_mended_scenario_leaves_rejected_and_becomes_eligible() -> None:
    evidence = history(*[FAILED] * 30)
    assert decide(evidence).verdict is Verdict.REJECTED
    needed = clean_sessions_needed(evidence, DEFAULTS, decide(evidence))
    assert needed is not None
    assert decide(history(*[FAILED] * 30, *[CLEAN] * 40)).verdict is Verdict.NOT_YET
    assert decide(history(*[FAILED] * 30, *[CLEAN] * needed)).verdict is Verdict.ELIGIBLE


# Invariant 5: every setting that is read changes some decision. For each field: another value, and a history on
# which the default and that value disagree.
OTHER_VALUES: dict[str, tuple[Any, Criteria, list[Outcomes]]] = {
    "min_runs": (24, DEFAULTS, [CLEAN] * 23),
    "min_sessions": (24, DEFAULTS, [CLEAN] * 23),
    "max_failure_rate": (0.05, DEFAULTS, [CLEAN] * 23),
    "rule": (Rule.THRESHOLD, DEFAULTS, [CLEAN] * 22),
    "alpha": (0.01, DEFAULTS, [CLEAN] * 23),
    "unit": (Unit.RUN, DEFAULTS, [{"passed": 10}] * 3),
    "max_age_days": (0.5, DEFAULTS, [CLEAN] * 23),
    "max_incomplete_rate": (0.2, DEFAULTS, [*[CLEAN] * 30, *[MISSED] * 3]),
    "flaky_weight": (0.0, DEFAULTS, [*[CLEAN] * 30, {"passed": 1, "flaky": 1}]),
}


def test_every_criterion_has_such_a_history() -> None:
    assert set(OTHER_VALUES) == set(Criteria._fields)


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_criterion_changes_some_decision(name: str) -> None:
    value, general, units = OTHER_VALUES[name]
    other = general._replace(**{name: value})
    one, two = (
        decide(history(*units, criteria=criteria), criteria, day=len(units) + 1)
        for criteria in (general, other)
    )
    assert Verdict.ELIGIBLE in (one.verdict, two.verdict)
    assert one.verdict is not two.verdict


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0, math.nan])
@pytest.mark.parametrize("rule", list(Rule))
def test_alpha_out_of_range_is_refused(alpha: float, rule: Rule) -> None:
    with pytest.raises(ValueError, match="alpha"):
        decide(history(*[CLEAN] * 30), Criteria(alpha=alpha, rule=rule))


@pytest.mark.parametrize(
    "damage",
    [
        {"wealth": (math.nan,) * 7},
        {"wealth": (math.inf,) + (1.0,) * 6},
        {"ruin": (1.0,) * 4 + (math.nan,)},
        {"badness": math.nan},
        {"last_badness": math.nan},
    ],
)
def test_a_state_that_holds_no_numbers_is_no_evidence(damage: dict[str, Any]) -> None:
    evidence = history(*[CLEAN] * 30)
    assert decide(evidence).verdict is Verdict.ELIGIBLE
    assert decide(evidence._replace(**damage))[:2] == (Verdict.INCONCLUSIVE, (Reason.NO_EVIDENCE,))


@pytest.mark.parametrize("name", ["max_failure_rate", "max_age_days", "max_incomplete_rate", "flaky_weight"])
def test_a_limit_that_is_no_number_is_never_met(name: str) -> None:
    evidence = history(*[CLEAN] * 30, {"passed": 1, "missing": 1})
    assert decide(evidence).verdict is Verdict.ELIGIBLE
    nothing: dict[str, Any] = {name: math.nan}
    broken = DEFAULTS._replace(**nothing)
    assert decide(evidence, broken).verdict is not Verdict.ELIGIBLE


units = st.sampled_from([CLEAN, CLEAN, CLEAN, FAILED, MISSED, STOPPED, {"failed": 1, "may_vouch": False}])


@pytest.mark.parametrize(
    "criteria",
    [
        DEFAULTS,
        BY_FLOORS,
        Criteria(max_failure_rate=0.3, alpha=0.2, min_runs=1, min_sessions=1),
        Criteria(min_runs=60, min_sessions=70),
        Criteria(max_incomplete_rate=0.0),
        Criteria(unit=Unit.RUN),
    ],
)
@given(past=st.lists(units, max_size=30))
def test_clean_sessions_needed_is_the_least_number(criteria: Criteria, past: list[Outcomes]) -> None:
    evidence = history(*past, criteria=criteria)
    needed = clean_sessions_needed(evidence, criteria, decide(evidence, criteria))
    assert needed is not None
    if needed:
        almost = history(*past, *[CLEAN] * (needed - 1), criteria=criteria)
        assert decide(almost, criteria).verdict is not Verdict.ELIGIBLE
    assert decide(history(*past, *[CLEAN] * needed, criteria=criteria), criteria).verdict is Verdict.ELIGIBLE


def test_clean_sessions_needed_counts_on_as_many_runs_a_session_as_before() -> None:
    criteria = Criteria(min_runs=200)
    evidence = history(*[{"passed": 4}] * 10, criteria=criteria)
    assert clean_sessions_needed(evidence, criteria, decide(evidence, criteria)) == 40
    by_run = Criteria(unit=Unit.RUN, min_runs=1)
    evidence = history({"passed": 5}, criteria=by_run)
    assert (
        clean_sessions_needed(evidence, by_run, decide(evidence, by_run)) == 4
    )  # 18 more runs, five at a time


def test_clean_sessions_needed_of_a_scenario_never_run() -> None:
    assert clean_sessions_needed(history(), DEFAULTS, decide(history())) == 23


def test_clean_sessions_needed_is_none_where_they_cannot_help() -> None:
    lost = history(*[CLEAN] * 5)._replace(wealth=(0.0,) * 7)
    assert clean_sessions_needed(lost, DEFAULTS, decide(lost)) is None
    never = DEFAULTS._replace(max_incomplete_rate=-1.0)
    assert clean_sessions_needed(history(CLEAN), never, decide(history(CLEAN), never)) is None


def test_clean_sessions_needed_after_the_evidence_went_stale_is_one() -> None:
    evidence = history(*[CLEAN] * 30)
    assert clean_sessions_needed(evidence, DEFAULTS, decide(evidence, day=100)) == 1


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.booleans()), max_size=60)
)
def test_no_history_proves_a_scenario_both_good_and_bad(past: list[tuple[int, int, int, bool]]) -> None:
    evidence = history(
        *(
            {"passed": passed, "failed": failed, "errors": errors, "may_vouch": vouch}
            for passed, failed, errors, vouch in past
        )
    )
    assert min(e_value(evidence.wealth), e_value(evidence.ruin)) < threshold(DEFAULTS.alpha)


@given(st.lists(units, max_size=30), st.integers(-100, 100))
def test_a_decision_depends_on_nothing_but_its_arguments(past: list[Outcomes], day: int) -> None:
    first, second = history(*past), history(*past)
    assert first == second
    assert decide(first, DEFAULTS, day) == decide(second, DEFAULTS, day)
    assert first == second


@given(
    past=st.lists(st.lists(units, max_size=30), min_size=2, max_size=2),
    day=st.integers(0, 60),
    criteria=st.sampled_from([DEFAULTS, BY_FLOORS, Criteria(min_runs=1, max_age_days=1.5)]),
)
def test_what_a_judge_remembers_is_what_would_be_decided(
    past: list[list[Outcomes]], day: int, criteria: Criteria
) -> None:
    """Also of a state that differs from one judged before in a single field, each in turn."""
    one, other = (history(*each, criteria=criteria) for each in past)
    states = [one, *(one._replace(**{field: getattr(other, field)}) for field in Evidence._fields), other]
    states = [each for each in states if is_possible(each)]
    judge = Judge(criteria, day * DAY_US)
    assert [judge.decide(each) for each in states] == [decide(each, criteria, day) for each in states]


def test_a_judge_does_not_let_age_be_forgotten() -> None:
    fresh = history(*[CLEAN] * 30)
    judge = Judge(DEFAULTS, int(fresh.last_run_us + 14 * DAY_US))
    stale, ahead = (
        fresh._replace(scenario_id=2, last_run_us=fresh.last_run_us + days * DAY_US) for days in (-1, 16)
    )
    assert [judge.decide(each).reasons for each in (fresh, stale, ahead, fresh)] == [
        (),
        (Reason.STALE,),
        (Reason.STALE,),
        (),
    ]


def test_failure_rate_bound_is_taken_from_the_units_that_were_bet_on() -> None:
    sessions = history({"passed": 9, "failed": 1}, *[{"passed": 10}] * 3)
    assert failure_rate_bound(sessions, DEFAULTS) == failure_rate_upper(4, 0.1, 0.05)
    by_run = Criteria(unit=Unit.RUN)
    runs = history({"passed": 9, "failed": 1}, *[{"passed": 10}] * 3, criteria=by_run)
    assert failure_rate_bound(runs, by_run) == failure_rate_upper(40, 1.0, 0.05)
