from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Evidence, Reason, Tally, Verdict
from pytest_causal.rules.eligibility import clean_sessions_needed, decide_eligibility, fold, recent_incomplete
from pytest_causal.rules.evidence_union import combine
from pytest_causal.rules.sequential import e_value, replay

Outcomes = Mapping[str, Any]
DEFAULTS = Criteria()
BY_FLOORS = Criteria(rule=Rule.THRESHOLD)
UNCAPPED = Criteria(alpha=1e-200)


def stream(reads_id: int, units: Mapping[int, Outcomes], criteria: Criteria = DEFAULTS) -> Evidence:
    """Return the state of one stream: what happened at each place of the history where it had a unit."""

    def step(evidence: Evidence, place: int) -> Evidence:
        facts = {"commit": "", "last_run_us": place * 1000, "session": place + 100, **units[place]}
        tally = Tally(scenario_id=1, reads_id=reads_id, order=place, **facts)
        return fold(evidence, tally, criteria)

    return reduce(step, sorted(units), Evidence(scenario_id=1, reads_id=reads_id))


SUMS = (
    "scenario_id", "passed", "failed", "errors", "flaky", "skipped", "missing", "infrastructure", "units", "recent",
    "recent_units", "last_order", "last_session", "last_run_us",
)  # fmt: skip

mixed_sessions = st.fixed_dictionaries(
    {"passed": st.integers(0, 3), "failed": st.integers(0, 2), "missing": st.integers(0, 1)}
)


def split(history: Sequence[tuple[int, Outcomes]], criteria: Criteria) -> tuple[Evidence, list[Evidence]]:
    """Return the state of a history in one stream, and those of the streams it is dealt out to."""
    places = dict(enumerate(history, 1))
    whole = stream(0, {place: unit for place, (_, unit) in places.items()}, criteria)
    owners = sorted({of for of, _ in history})
    return whole, [
        stream(of, {p: unit for p, (owner, unit) in places.items() if owner == of}, criteria) for of in owners
    ]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_streams_of_passes_and_of_failures_hold_what_one_stream_would(history: list[bool]) -> None:
    whole, parts = split([(int(ok), {"passed" if ok else "failed": 1}) for ok in history], DEFAULTS)
    union = combine(parts, DEFAULTS)
    assert union.wealth == pytest.approx(whole.wealth, rel=1e-9)
    assert union.ruin == pytest.approx(whole.ruin, rel=1e-9)
    assert union.badness == pytest.approx(whole.badness)
    for field in SUMS:
        assert getattr(union, field) == getattr(whole, field), field


@given(st.lists(st.tuples(st.integers(0, 2), mixed_sessions), min_size=1, max_size=100))
def test_a_union_never_holds_more_than_one_stream_without_caps(history: list[tuple[int, Outcomes]]) -> None:
    whole, parts = split(history, UNCAPPED)
    for criteria in (DEFAULTS, UNCAPPED):
        _, parts = split(history, criteria)
        union = combine(parts, criteria)
        for field in SUMS:
            if field != "last_run_us":
                assert getattr(union, field) == getattr(whole, field), field
        for one, other in zip(union.wealth, whole.wealth, strict=True):
            assert one <= other * (1 + 1e-9)


@given(st.permutations([1, 2, 3, 4]))
def test_the_order_in_which_streams_are_given_does_not_matter(order: list[int]) -> None:
    streams = {
        reads: stream(
            reads, {place: {"passed": place % 3, "failed": place % 2} for place in range(reads, 60, 5)}
        )
        for reads in (1, 2, 3, 4)
    }
    assert combine([streams[reads] for reads in order], DEFAULTS) == combine(list(streams.values()), DEFAULTS)


def test_one_stream_is_itself_and_none_is_refused() -> None:
    alone = stream(1, {1: {"passed": 1}})
    assert combine([alone], DEFAULTS) == alone
    with pytest.raises(ValueError, match="no evidence"):
        combine([], DEFAULTS)


def test_a_failure_that_reads_less_is_not_lost() -> None:
    """Passing runs read two values, failing ones stop after the first: each stream alone would be all of one kind."""
    passing = stream(1, {place: {"passed": 1} for place in range(1, 61) if place % 3})
    failing = stream(2, {place: {"failed": 1} for place in range(3, 61, 3)})
    assert decide_eligibility(passing, DEFAULTS, 60_000).verdict is Verdict.ELIGIBLE
    assert (
        decide_eligibility(combine([passing, failing], DEFAULTS), DEFAULTS, 60_000).verdict
        is Verdict.REJECTED
    )


def test_failures_long_ago_in_a_stream_of_their_own_do_not_weigh_for_ever() -> None:
    """Three errors in set-up, which read nothing, in a thousand sessions."""
    places = (200, 400, 600)
    passing = stream(1, {place: {"passed": 1} for place in range(1, 1001) if place not in places})
    failing = stream(0, {place: {"errors": 1} for place in places})
    union = combine([passing, failing], DEFAULTS)
    assert decide_eligibility(union, DEFAULTS, 1_000_000).verdict is Verdict.ELIGIBLE


def test_failures_just_now_in_a_stream_of_their_own_weigh_as_in_one_stream() -> None:
    history = [*[(1, {"passed": 1})] * 1000, *[(0, {"errors": 1})] * 3, *[(1, {"passed": 1})] * 5]
    whole, parts = split(history, DEFAULTS)
    union = combine(parts, DEFAULTS)
    assert union.wealth == pytest.approx(whole.wealth, rel=1e-6)
    decision = decide_eligibility(union, DEFAULTS, 1_008_000)
    assert decision.reasons == (Reason.NOT_PROVEN,)
    needed = clean_sessions_needed(union, DEFAULTS, decision)
    assert needed
    for more, verdict in ((needed - 1, Verdict.NOT_YET), (needed, Verdict.ELIGIBLE)):
        _, parts = split([*history, *[(1, {"passed": 1})] * more], DEFAULTS)
        assert decide_eligibility(combine(parts, DEFAULTS), DEFAULTS, 1_100_000).verdict is verdict


def test_a_stream_that_went_bad_of_late_is_not_excused_by_its_past() -> None:
    """300 good sessions, then one failure in three, always reading the same; beside it one error long ago."""
    going_bad = {
        place: {"failed": 1} if place > 300 and place % 3 == 0 else {"passed": 1} for place in range(2, 326)
    }
    main, error = stream(1, going_bad), stream(0, {1: {"errors": 1}})
    assert e_value(main.wealth) < 20 < e_value(replay([(324, 8)], 0.15, 0.05)[0])
    assert e_value(combine([main, error], DEFAULTS).wealth) < 20


def test_old_wealth_is_worth_one_cap_however_many_streams_hold_it() -> None:
    rich = [
        stream(reads, {reads * 200 + place: {"passed": 1} for place in range(200)}) for reads in range(1, 12)
    ]
    assert e_value(combine(rich, DEFAULTS).wealth) == pytest.approx(200)
    bad = stream(99, {5000 + place: {"failed": 1} for place in range(7)})
    assert e_value(combine([*rich, bad], DEFAULTS).wealth) < 20


class TestStreamsOfTheSameSessions:
    def test_count_each_session_once(self) -> None:
        both = [stream(reads, {place: {"passed": 1} for place in range(1, 13)}) for reads in (1, 2)]
        union = combine(both, DEFAULTS)
        assert union.units == 12
        assert union.wealth == pytest.approx(both[0].wealth)
        assert union.runs == 24

    def test_count_each_session_once_also_before_the_places_that_are_remembered(self) -> None:
        strict = Criteria(max_failure_rate=0.01)
        both = [stream(reads, {place: {"passed": 1} for place in range(1, 201)}, strict) for reads in (1, 2)]
        union = combine(both, strict)
        assert union.units == 200
        assert union.wealth == pytest.approx(both[0].wealth)

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
    def test_never_hold_more_than_the_sessions_pooled_fractions_would(
        self, pairs: list[tuple[bool, bool]]
    ) -> None:
        def unit(failures: int, of: int) -> Outcomes:
            return {"failed": failures, "passed": of - failures}

        parts = [
            stream(side, {place: unit(pair[side], 1) for place, pair in enumerate(pairs, 1)}, UNCAPPED)
            for side in (0, 1)
        ]
        pooled = stream(9, {place: unit(sum(pair), 2) for place, pair in enumerate(pairs, 1)}, UNCAPPED)
        for one, other in zip(combine(parts, UNCAPPED).wealth, pooled.wealth, strict=True):
            assert one <= other * (1 + 1e-9)

    def test_independent_runs_need_no_such_care(self) -> None:
        by_run = Criteria(unit=Unit.RUN)
        both = [stream(reads, {place: {"passed": 1} for place in range(1, 13)}, by_run) for reads in (1, 2)]
        once = stream(1, {place: {"passed": 2} for place in range(1, 13)}, by_run)
        assert combine(both, by_run).wealth == pytest.approx(once.wealth)


class TestWindows:
    def test_a_session_that_never_got_to_read_is_laid_over_those_that_did(self) -> None:
        read = stream(5, {place: {"passed": 1} for place in range(1, 41) if place not in (30, 35)})
        missed = stream(0, {30: {"missing": 1}, 35: {"missing": 1}})
        assert recent_incomplete(combine([read, missed], DEFAULTS)) == (2, 20)

    def test_sessions_missed_long_ago_do_not_count(self) -> None:
        read = stream(5, {place: {"passed": 1} for place in range(1, 41) if place > 3})
        missed = stream(0, {1: {"missing": 1}, 2: {"missing": 1}, 3: {"missing": 1}})
        union = combine([read, missed], DEFAULTS)
        assert recent_incomplete(union) == (0, 20)
        assert decide_eligibility(union, DEFAULTS, 40_000).verdict is Verdict.ELIGIBLE

    def test_a_place_is_incomplete_where_any_part_is(self) -> None:
        parts = [stream(1, {1: {"passed": 1}}), stream(2, {1: {"passed": 1, "missing": 1}})]
        assert recent_incomplete(combine(parts, DEFAULTS)) == (1, 1)


class TestNewestEvidence:
    good: ClassVar[dict[int, Outcomes]] = {place: {"passed": 1} for place in range(1, 60)}

    def reasons(self, *streams: Evidence) -> tuple[Reason, ...]:
        return decide_eligibility(combine(streams, BY_FLOORS), BY_FLOORS, 100_000).reasons

    def test_a_failure_in_the_newest_stream_counts(self) -> None:
        assert self.reasons(stream(1, self.good), stream(2, {70: {"failed": 1}})) == (Reason.NEWEST_FAILED,)

    def test_a_failure_in_an_older_stream_is_past(self) -> None:
        assert (
            self.reasons(
                stream(1, {place + 5: unit for place, unit in self.good.items()}),
                stream(2, {1: {"failed": 1}}),
            )
            == ()
        )

    def test_a_failure_beside_a_pass_in_the_newest_session_counts(self) -> None:
        parts = [stream(1, self.good), stream(2, {59: {"failed": 1}})]
        assert Reason.NEWEST_FAILED in self.reasons(*parts)

    def test_a_session_that_was_missed_does_not_hide_a_failure(self) -> None:
        parts = [stream(1, self.good), stream(2, {70: {"failed": 1}}), stream(0, {71: {"missing": 1}})]
        assert self.reasons(*parts) == (Reason.NEWEST_FAILED,)

    def test_a_session_lost_to_infrastructure_does_not_hide_a_failure_in_another_stream(self) -> None:
        parts = [stream(1, self.good | {71: {"infrastructure": 1}}), stream(2, {70: {"failed": 1}})]
        assert self.reasons(*parts) == (Reason.NEWEST_FAILED,)

    def test_its_time_is_that_of_the_newest_evidence(self) -> None:
        parts = [stream(1, self.good), stream(0, {99: {"missing": 1}})]
        assert combine(parts, DEFAULTS).last_run_us == 59_000


class TestFlakiness:
    def test_contradictions_add_up_since_the_first(self) -> None:
        parts = [stream(1, {3: {"passed": 1, "flaky": 1}}), stream(2, {2: {"passed": 2, "flaky": 2}})]
        union = combine(parts, DEFAULTS)
        assert (union.contradictions, union.flaky_since) == (3, 102)

    def test_pass_and_fail_at_one_commit_in_two_streams_is_one(self) -> None:
        parts = [stream(1, {1: {"passed": 1, "commit": "a"}}), stream(2, {2: {"failed": 1, "commit": "a"}})]
        union = combine(parts, DEFAULTS)
        assert (union.contradictions, union.flaky_since, union.commit_marks) == (1, 102, 3)

    def test_it_is_not_counted_twice(self) -> None:
        both = {"passed": 1, "failed": 1, "commit": "a"}
        union = combine([stream(1, {1: both}), stream(2, {2: {"failed": 1, "commit": "a"}})], DEFAULTS)
        assert union.contradictions == 1

    def test_other_commits_contradict_nothing(self) -> None:
        parts = [stream(1, {1: {"passed": 1, "commit": "a"}}), stream(2, {2: {"failed": 1, "commit": "b"}})]
        union = combine(parts, DEFAULTS)
        assert (union.contradictions, union.flaky_since, union.commit_marks) == (0, 0, 2)


def test_correlated_streams_of_one_session_stay_calibrated() -> None:
    """Two tests under one scenario that always fail together: a product of their bets would be wrong too often."""
    criteria = Criteria(max_failure_rate=0.1, min_runs=1)
    rng = random.Random(7)

    def ever(streams: int) -> float:
        eligible = 0
        for _ in range(80):
            parts = [Evidence(scenario_id=1, reads_id=reads) for reads in range(streams)]
            for place in range(1, 61):
                failed = rng.random() < 0.1
                unit = Tally(
                    scenario_id=1, reads_id=0, order=place, session=place, commit="", last_run_us=place,
                    passed=not failed, failed=failed,
                )  # fmt: skip
                parts = [fold(part, unit, criteria) for part in parts]
                if decide_eligibility(combine(parts, criteria), criteria, place).verdict is Verdict.ELIGIBLE:
                    eligible += 1
                    break
        return eligible / 80

    single, double = ever(1), ever(3)
    assert double <= 0.08
    assert abs(single - double) < 0.06


@pytest.mark.parametrize("streams", [2, 3, 5])
def test_streams_that_take_turns_lose_no_evidence(streams: int) -> None:
    turns = itertools.cycle(range(streams))
    owner = {place: next(turns) for place in range(1, 24)}
    parts = [
        stream(reads, {place: {"passed": 1} for place, of in owner.items() if of == reads})
        for reads in range(streams)
    ]
    assert decide_eligibility(combine(parts, DEFAULTS), DEFAULTS, 23_000).verdict is Verdict.ELIGIBLE
