from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.criteria import Criteria, Unit
from pytest_causal.model.evidence import Evidence, Tally, Verdict
from pytest_causal.rules.eligibility import decide_eligibility, fold, recent_incomplete
from pytest_causal.rules.sequential import bet, bet_on_ruin, e_value

BY_SESSION = Criteria()
BY_RUN = Criteria(unit=Unit.RUN)
NEW = Evidence(scenario_id=7, reads_id=3)


def tally(order: int = 1, **counts: Any) -> Tally:
    facts: dict[str, Any] = {"session": order + 100, "commit": "", "last_run_us": order * 1000}
    return Tally(scenario_id=7, reads_id=3, order=order, **(facts | counts))


def folded(*units: Tally, criteria: Criteria = BY_SESSION) -> Evidence:
    return reduce(lambda evidence, unit: fold(evidence, unit, criteria), units, NEW)


@st.composite
def tallies(draw: st.DrawFn, order: int = 1, may_vouch: bool | None = None) -> Tally:
    counts = st.integers(0, 5) | st.sampled_from([0, 0, 1, 1_000])
    passed = draw(counts)
    return tally(
        order,
        passed=passed,
        flaky=draw(st.integers(0, passed)),
        failed=draw(counts),
        errors=draw(counts),
        skipped=draw(counts),
        missing=draw(st.sampled_from([0, 0, 0, 2])),
        infrastructure=draw(st.sampled_from([0, 0, 0, 1])),
        commit=draw(st.sampled_from(["", "a", "b"])),
        may_vouch=draw(st.booleans()) if may_vouch is None else may_vouch,
    )


@st.composite
def evidences(draw: st.DrawFn, criteria: Criteria = BY_SESSION) -> Evidence:
    return folded(*(draw(tallies(order)) for order in range(1, draw(st.integers(1, 12)))), criteria=criteria)


def test_every_field_of_the_state_after_a_unit() -> None:
    before = Evidence(
        scenario_id=7, reads_id=3, passed=10, failed=2, errors=1, flaky=1, skipped=3, missing=4, infrastructure=5,
        units=6, badness=0.5, recent=0b10, recent_units=0b11, last_order=20, last_session=120, last_badness=0.25,
        last_run_us=111, commit_seen="abc", commit_marks=1, contradictions=1, flaky_since=9, verdict=Verdict.NOT_YET,
    )  # fmt: skip
    unit = tally(
        23,
        passed=5,
        flaky=1,
        failed=1,
        errors=2,
        skipped=6,
        missing=7,
        infrastructure=8,
        commit="abc",
        last_run_us=999,
    )
    share = (1 + 1 + 2) / 8
    assert fold(before, unit, BY_SESSION) == Evidence(
        scenario_id=7, reads_id=3, passed=14, failed=4, errors=3, flaky=2, skipped=9, missing=11, infrastructure=13,
        units=7, badness=0.5 + share, wealth=bet(before.wealth, share, 0.15, 0.05),
        ruin=bet_on_ruin(before.ruin, share, 0.15, 0.05), recent=0b10001, recent_units=0b11001, last_order=23,
        last_session=123, last_badness=share, last_run_us=999, commit_seen="abc", commit_marks=3, contradictions=3,
        flaky_since=9, verdict=Verdict.NOT_YET,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "badness"),
    [
        ({"passed": 4}, 0.0),
        ({"passed": 3, "failed": 1}, 0.25),
        ({"passed": 3, "errors": 1}, 0.25),
        ({"passed": 4, "flaky": 1}, 0.25),
        ({"failed": 2, "errors": 1}, 1.0),
        ({"passed": 4, "skipped": 9, "missing": 9, "infrastructure": 9}, 0.0),
    ],
)
def test_badness_of_a_session_is_its_failed_fraction(counts: dict[str, int], badness: float) -> None:
    after = folded(tally(**counts))
    assert after.last_badness == after.badness == badness
    assert after.wealth == bet(NEW.wealth, badness, 0.15, 0.05)
    assert after.ruin == bet_on_ruin(NEW.ruin, badness, 0.15, 0.05)


@pytest.mark.parametrize(("weight", "badness"), [(0.0, 0.0), (0.5, 0.125), (1.0, 0.25)])
def test_flaky_weight_says_how_bad_a_flaky_execution_is(weight: float, badness: float) -> None:
    after = folded(tally(passed=4, flaky=1), criteria=Criteria(flaky_weight=weight))
    assert after.badness == badness
    assert (after.passed, after.failed, after.flaky) == (3, 1, 1)


@pytest.mark.parametrize("weight", [-0.5, 1.5, float("nan")])
def test_flaky_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="badness"):
        folded(tally(flaky=2, passed=2), criteria=Criteria(flaky_weight=weight))


def test_independent_runs_are_bets_of_their_own() -> None:
    after = folded(tally(passed=3, flaky=1, failed=1), criteria=Criteria(unit=Unit.RUN, flaky_weight=0.5))
    wealth, ruin = NEW.wealth, NEW.ruin
    for badness in (0.0, 0.0, 0.5, 1.0):
        wealth, ruin = bet(wealth, badness, 0.15, 0.05), bet_on_ruin(ruin, badness, 0.15, 0.05)
    assert (after.wealth, after.ruin) == (wealth, ruin)
    assert (after.units, after.badness, after.last_badness) == (1, 1.5, 0.375)


def test_failures_come_last_among_independent_runs_because_that_leaves_least_under_the_cap() -> None:
    rich = folded(*(tally(order, passed=1) for order in range(1, 200)), criteria=BY_RUN)
    together = fold(rich, tally(200, passed=50, failed=2), BY_RUN)
    failures_first = fold(fold(rich, tally(200, failed=2), BY_RUN), tally(201, passed=50), BY_RUN)
    assert e_value(together.wealth) < e_value(failures_first.wealth)


def test_a_unit_of_skips_changes_only_the_number_of_skips() -> None:
    before = folded(tally(1, passed=1, commit="a"))
    assert fold(before, tally(2, skipped=3, commit="b"), BY_SESSION) == before._replace(skipped=3)


@pytest.mark.parametrize("counts", [{"missing": 1}, {"infrastructure": 2}, {"passed": 2, "may_vouch": False}])
def test_a_unit_without_evidence_marks_only_that_it_was_incomplete(counts: dict[str, int]) -> None:
    before = folded(tally(1, failed=1))
    after = fold(before, tally(4, **counts), BY_SESSION)
    assert recent_incomplete(after) == (1, 2)
    assert (after.last_order, after.last_session) == (4, 104)
    for field in ("passed", "failed", "units", "badness", "wealth", "ruin", "last_badness", "last_run_us"):
        assert getattr(after, field) == getattr(before, field), field


@pytest.mark.parametrize(
    ("counts", "incomplete"),
    [
        ({}, 0),
        ({"skipped": 1}, 0),
        ({"missing": 1}, 1),
        ({"infrastructure": 1}, 1),
        ({"may_vouch": False}, 1),
        ({"may_vouch": False, "failed": 1}, 1),
    ],
)
def test_incomplete_units(counts: dict[str, int], incomplete: int) -> None:
    assert recent_incomplete(folded(tally(passed=1, **counts))) == (incomplete, 1)


def test_only_the_newest_20_units_count_as_recent() -> None:
    evidence = folded(tally(1, missing=1), tally(2, missing=1))
    seen = []
    for order in range(3, 25):
        evidence = fold(evidence, tally(order, passed=1), BY_SESSION)
        seen.append(recent_incomplete(evidence))
    assert seen[:2] == [(2, 3), (2, 4)]
    assert seen[17:] == [(2, 20), (1, 20), (0, 20), (0, 20), (0, 20)]


def test_recent_looks_back_over_62_places_of_the_history() -> None:
    evidence = folded(tally(1, missing=1), tally(62, passed=1))
    assert recent_incomplete(evidence) == (1, 2)
    assert recent_incomplete(fold(evidence, tally(63, passed=1), BY_SESSION)) == (0, 2)
    far = fold(evidence, tally(10**9, passed=1), BY_SESSION)
    assert (far.recent, far.recent_units) == (0, 1)


@given(evidences())
def test_windows_fit_a_signed_64_bit_column(evidence: Evidence) -> None:
    for order in range(20, 100):
        evidence = fold(evidence, tally(order, missing=1), BY_SESSION)
    assert evidence.recent == evidence.recent_units == 2**62 - 1


@pytest.mark.parametrize("order", [5, 4, 0])
def test_units_are_folded_in_the_order_of_history(order: int) -> None:
    with pytest.raises(ValueError, match="folded after"):
        fold(folded(tally(5, passed=1)), tally(order, passed=1), BY_SESSION)


def test_of_a_unit_that_may_not_vouch_only_failures_count() -> None:
    after = folded(tally(passed=9, flaky=1, failed=1, errors=1, may_vouch=False))
    assert (after.passed, after.failed, after.errors, after.flaky, after.units) == (0, 2, 1, 1, 1)
    assert after.badness == after.last_badness == 1.0
    assert after.wealth == bet(NEW.wealth, 1.0, 0.15, 0.05)
    assert after.last_run_us == 1000


@pytest.mark.parametrize("unit", list(Unit))
def test_flaky_executions_that_weigh_nothing_do_not_count_where_passes_do_not(unit: Unit) -> None:
    after = folded(tally(passed=2, flaky=2, may_vouch=False), criteria=Criteria(flaky_weight=0.0, unit=unit))
    assert (after.runs, after.units, after.wealth) == (0, 0, NEW.wealth)


@pytest.mark.parametrize(
    "criteria", [BY_SESSION, BY_RUN, Criteria(flaky_weight=0.05), Criteria(flaky_weight=0)]
)
@given(data=st.data())
def test_a_unit_that_may_not_vouch_never_helps_and_never_clears(
    criteria: Criteria, data: st.DataObject
) -> None:
    before = data.draw(evidences(criteria))
    after = fold(before, data.draw(tallies(50, may_vouch=False)), criteria)
    assert all(new <= old for new, old in zip(after.wealth, before.wealth, strict=True))
    assert after.ruin == before.ruin
    assert after.passed == before.passed
    assert after.last_badness >= before.last_badness or after.last_badness == 1.0
    now_us = 50_000
    rank = [Verdict.REJECTED, Verdict.INCONCLUSIVE, Verdict.NOT_YET, Verdict.ELIGIBLE]
    verdicts = [decide_eligibility(each, criteria, now_us).verdict for each in (before, after)]
    assert verdicts[1] is not Verdict.ELIGIBLE or verdicts[0] is Verdict.ELIGIBLE
    assert set(verdicts) <= set(rank)


@pytest.mark.parametrize("criteria", [BY_SESSION, BY_RUN])
@pytest.mark.parametrize("worse", ["failed", "errors", "flaky"])
@given(data=st.data())
def test_one_more_failure_never_helps(criteria: Criteria, worse: str, data: st.DataObject) -> None:
    before = data.draw(evidences(criteria))
    unit = data.draw(tallies(50))
    bad = unit._replace(**{worse: getattr(unit, worse) + 1}, passed=unit.passed + (worse == "flaky"))
    one, other = fold(before, unit, criteria), fold(before, bad, criteria)
    assert e_value(other.wealth) <= e_value(one.wealth) * (1 + 1e-12)
    assert e_value(other.ruin) >= e_value(one.ruin) * (1 - 1e-12)
    assert decide_eligibility(other, criteria, 50_000).verdict is not Verdict.ELIGIBLE
    if decide_eligibility(one, criteria, 50_000).verdict is Verdict.REJECTED:
        assert decide_eligibility(other, criteria, 50_000).verdict in (Verdict.REJECTED, Verdict.INCONCLUSIVE)


@given(evidences(), tallies(60))
def test_counts_add_up(before: Evidence, unit: Tally) -> None:
    after = fold(before, unit, BY_SESSION)
    assert after.runs == after.passed + after.failed + after.errors
    assert after.flaky <= after.failed
    assert after.skipped == before.skipped + unit.skipped
    assert after.missing == before.missing + unit.missing
    assert after.infrastructure == before.infrastructure + unit.infrastructure
    assert 0 <= after.badness <= after.units
    if unit.may_vouch:
        assert after.runs == before.runs + unit.passed + unit.failed + unit.errors
    assert fold(before, unit, BY_SESSION) == after


class TestContradictions:
    def test_an_execution_that_passed_on_rerun_is_one(self) -> None:
        after = folded(tally(1, passed=1), tally(2, passed=3, flaky=2), tally(3, passed=1, flaky=1))
        assert (after.contradictions, after.flaky_since) == (3, 102)

    def test_pass_and_fail_on_one_commit_is_one_however_often(self) -> None:
        units = [tally(order, passed=order % 2, failed=1 - order % 2, commit="a") for order in range(1, 9)]
        after = folded(*units)
        assert (after.contradictions, after.flaky_since, after.commit_marks) == (1, 102, 3)

    def test_each_commit_counts_anew(self) -> None:
        units = [tally(order, passed=1, failed=1, commit=str(order)) for order in range(1, 4)]
        assert folded(*units).contradictions == 3

    def test_pass_and_fail_on_different_commits_is_none(self) -> None:
        after = folded(tally(1, passed=1, commit="a"), tally(2, failed=1, commit="b"))
        assert (after.contradictions, after.flaky_since, after.commit_seen, after.commit_marks) == (
            0,
            0,
            "b",
            2,
        )

    def test_without_a_clean_commit_there_is_none(self) -> None:
        after = folded(tally(1, passed=1, commit="a"), tally(2, failed=1), tally(3, passed=1, commit="a"))
        assert (after.contradictions, after.commit_seen, after.commit_marks) == (0, "a", 1)

    def test_an_error_contradicts_a_pass(self) -> None:
        assert folded(tally(1, passed=1, commit="a"), tally(2, errors=1, commit="a")).contradictions == 1

    def test_a_flaky_execution_is_not_counted_twice(self) -> None:
        assert folded(tally(1, passed=2, flaky=1, commit="a")).contradictions == 1

    def test_a_pass_that_does_not_vouch_contradicts_nothing(self) -> None:
        after = folded(tally(1, passed=1, commit="a", may_vouch=False), tally(2, failed=1, commit="a"))
        assert after.contradictions == 0
