"""Every verdict is counted; however large the suite, only so many are kept, and never one that presses is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.actions.judgements import Judged, Judgements
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Decision, Evidence, Verdict
from pytest_causal.rules.attention import importance

SESSION = 7
CRITERIA = Criteria()


def judged(number: int, verdict: Verdict, before: Verdict | None, *, flaky_since: int = 0) -> Judged:
    evidence = Evidence(
        scenario_id=number, reads_id=0, contradictions=int(flaky_since > 0), flaky_since=flaky_since
    )
    return Judged(
        scenario_id=number,
        evidence=evidence,
        criteria=CRITERIA,
        decision=Decision(verdict=verdict, reasons=(), e_value=1.0),
        verdict_before=before,
    )


@pytest.mark.parametrize(
    ("before", "is_changed"), [(None, True), (Verdict.NOT_YET, True), (Verdict.ELIGIBLE, False)]
)
def test_a_first_verdict_and_another_verdict_are_changes(before: Verdict | None, is_changed: bool) -> None:
    assert judged(1, Verdict.ELIGIBLE, before).is_changed is is_changed


@pytest.mark.parametrize(
    ("verdict", "before", "flaky_since", "is_pressing"),
    [
        (Verdict.REJECTED, Verdict.NOT_YET, 0, True),
        (Verdict.REJECTED, None, 0, True),
        (Verdict.REJECTED, Verdict.REJECTED, 0, False),
        (Verdict.NOT_YET, Verdict.ELIGIBLE, 0, False),
        (Verdict.ELIGIBLE, Verdict.ELIGIBLE, SESSION, True),
        (Verdict.ELIGIBLE, Verdict.ELIGIBLE, SESSION - 1, False),
    ],
)
def test_what_presses_is_newly_rejected_or_newly_flaky(verdict, before, flaky_since, is_pressing) -> None:
    judgements = Judgements(SESSION, limit=0)
    one = judged(1, verdict, before, flaky_since=flaky_since)
    assert judgements.is_pressing(one) is is_pressing
    judgements.add(one)
    assert judgements.shown() == ([one] if is_pressing else [])
    assert judgements.counts == {verdict: 1}


def test_before_any_session_nothing_is_newly_flaky() -> None:
    assert not Judgements().is_newly_flaky(judged(1, Verdict.ELIGIBLE, None))
    assert Judgements().shown() == []


plans = st.lists(
    st.tuples(
        st.sampled_from(Verdict), st.none() | st.sampled_from(Verdict), st.sampled_from([0, 0, 0, SESSION])
    ),
    max_size=400,
)


@given(plan=plans, limit=st.none() | st.integers(0, 20))
def test_what_is_shown_is_the_most_important_whatever_the_order(plan, limit) -> None:
    judgements = Judgements(SESSION, limit)
    every = [judged(number, *facts, flaky_since=since) for number, (*facts, since) in enumerate(plan)]
    for each in every:
        judgements.add(each)
    shown = judgements.shown()
    assert sum(judgements.counts.values()) == len(every)
    assert len({each.scenario_id for each in shown}) == len(shown)
    if limit is None:
        assert len(shown) == len(every)
        return
    pressing = [each for each in every if judgements.is_pressing(each)]
    others = sorted(weight(judgements, each) for each in every if not judgements.is_pressing(each))
    kept = [each for each in shown if not judgements.is_pressing(each)]
    assert [each for each in shown if judgements.is_pressing(each)] == pressing
    assert [weight(judgements, each) for each in kept] == others[:limit]


def weight(judgements: Judgements, each: Judged) -> tuple[int, int, bool]:
    return importance(
        each.decision.verdict,
        is_newly_flaky=judgements.is_newly_flaky(each),
        is_changed=each.is_changed,
    )


@given(plan=plans, sizes=st.lists(st.integers(1, 40), min_size=1), limit=st.none() | st.integers(0, 5))
def test_what_holds_of_many_is_taken_as_if_it_were_added_for_each(plan, sizes, limit) -> None:
    together, alone = Judgements(SESSION, limit), Judgements(SESSION, limit)
    number = 0
    for place, (*facts, since) in enumerate(plan[:40]):
        ids = range(number, number := number + sizes[place % len(sizes)])
        together.add_alike(judged(ids[0], *facts, flaky_since=since), {id_: 10 * id_ for id_ in ids})
        for id_ in ids:
            one = judged(id_, *facts, flaky_since=since)
            alone.add(one._replace(evidence=one.evidence._replace(last_run_us=10 * id_)))
    assert together.counts == alone.counts
    assert sorted(together.shown()) == sorted(alone.shown())


def test_memory_does_not_grow_with_the_suite() -> None:
    judgements = Judgements(SESSION, limit=5)
    for number in range(5_000):
        judgements.add(judged(number, Verdict.NOT_YET, None))
        assert len(judgements._kept) <= 2 * 5 + 101
    assert judgements.counts == {Verdict.NOT_YET: 5_000}
