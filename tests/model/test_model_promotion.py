from __future__ import annotations

import pytest

from pytest_causal.model.change import Change, Step
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.promotion import Basis, Lesson, Mode, Promotion, PromotionRule, State, Tried


@pytest.mark.parametrize("state", State)
def test_a_promotion_is_on_its_way_or_stands_or_has_ended_and_never_two_of_them(state: State) -> None:
    stuck = state in (State.REJECTED, State.LOCKED)
    assert [state.is_open, state.is_live, state.is_final].count(True) == (0 if stuck else 1)


def test_criteria_of_a_rule_replace_what_they_name_and_nothing_else() -> None:
    general = Criteria(min_runs=7, alpha=0.01)
    assert PromotionRule("a", ("x",)).criteria_over(general) is general
    rule = PromotionRule("a", ("x",), criteria=(("min_runs", 3),))
    assert rule.criteria_over(general) == general._replace(min_runs=3)


def test_a_rule_and_its_candidate_are_gated_by_the_same_scenarios() -> None:
    change = Change((Step("rows", 1, 2),))
    candidate = PromotionRule("a", ("x", "y*")).candidate(change)
    assert (candidate.name, candidate.change) == ("a", change)
    assert [candidate.is_gated_by(name) for name in ("x", "y2", "z")] == [True, True, False]


def test_people_name_promotions_and_lessons_by_their_numbers() -> None:
    promotion = Promotion(
        7, "a", State.PROPOSED, Mode.AUTO, Basis.CANDIDATE, ("x",), Change(()), created_us=1, changed_us=1
    )
    lesson = Lesson(3, "load", "rows", 1, 2, "slow", 7, "signature", 1)
    assert (promotion.label, lesson.label, lesson.regression) == ("P-7", "L-3", "load_regression")


@pytest.mark.parametrize(("verdict", "is_failed"), [("pass", False), ("inconclusive", False), ("fail", True)])
def test_only_a_failed_trial_speaks_against_a_change(verdict: str, is_failed: bool) -> None:
    assert Tried(verdict, (), 3, 1).is_failed is is_failed
