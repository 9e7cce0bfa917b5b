from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.change import Change, Step
from pytest_causal.model.evidence import Verdict
from pytest_causal.model.promotion import Basis, CandidateVerdict, Mode, Promotion, PromotionRule, State
from pytest_causal.rules.candidacy import CandidateCase
from pytest_causal.rules.guards import Guard, Refusal
from pytest_causal.views.decision import (
    DecisionView,
    Judged,
    RuleView,
    decision_document,
    decision_lines,
    guard_document,
    rule_lines,
)

NOW_US = 1_763_700_000_000_000
ESCAPE = "\x1b[31m"
CHANGE = Change((Step("limits.rows", 500, 800),))


def view(
    verdict: Verdict,
    state: State,
    *,
    mode: Mode = Mode.PROPOSE,
    place: str = "causal.toml:3",
    is_assumed: bool = False,
    **fields: Any,
) -> RuleView:
    rule = PromotionRule("more-rows", ("load",), mode=mode, place=place)
    judged = CandidateVerdict(verdict, (), (), is_assumed)
    promotion = Promotion(
        0, "more-rows", state, mode, Basis.CANDIDATE, ("load",), CHANGE, NOW_US, NOW_US, verdict=judged
    )
    case = CandidateCase((), ("load",), (), is_assumed, NOW_US)
    given: dict[str, Any] = {"refusals": (), "vetoes": ()} | fields
    return RuleView(rule, Judged(CHANGE, promotion, case, {"kind": "candidate"}, **given))


def said(shown: RuleView, secrets: frozenset[str] = frozenset()) -> str:
    return "\n".join(line.text for line in rule_lines(shown, secrets))


@pytest.mark.parametrize("verdict", Verdict)
def test_the_verdict_stands_first(verdict: Verdict) -> None:
    words = verdict.value.replace("_", " ")
    assert said(view(verdict, State.PROPOSED)).startswith(f"more-rows: {words}\n  limits.rows: 500 -> 800")


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (view(Verdict.ELIGIBLE, State.ELIGIBLE), "to make the change: causal promote more-rows"),
        (
            view(Verdict.ELIGIBLE, State.ELIGIBLE, mode=Mode.AUTO),
            "the next session makes the change; now: causal promote",
        ),
        (view(Verdict.INERT, State.PROPOSED), "pytest -p causal --causal-shadow"),
        (view(Verdict.INERT, State.PROPOSED, place="--set"), "pytest -p causal --causal-set limits.rows=..."),
    ],
)
def test_what_to_do_next(shown: RuleView, words: str) -> None:
    assert words in said(shown).splitlines()[-1]


@pytest.mark.parametrize(
    "shown",
    [
        view(Verdict.INERT, State.PROPOSED, is_assumed=True),
        view(Verdict.ELIGIBLE, State.HELD),
        view(Verdict.ELIGIBLE, State.ELIGIBLE, place="--set"),
        view(Verdict.NOT_YET, State.PROPOSED),
    ],
)
def test_where_nothing_helps_nothing_is_proposed(shown: RuleView) -> None:
    assert "causal promote" not in said(shown)
    assert "--causal-" not in said(shown)


def test_all_that_stands_in_the_way_is_told_and_escaped() -> None:
    refusals = (Refusal(Guard.BOUNDS, f"a{ESCAPE}"), Refusal(Guard.COOLDOWN, "b", NOW_US))
    told = said(view(Verdict.ELIGIBLE, State.HELD, refusals=refusals, vetoes=(f"no{ESCAPE}",)))
    assert "in the way: a\\x1b[31m would be out of bounds" in told
    assert "could pass 2025-11-21 04:40 UTC" in told
    assert "vetoed: no\\x1b[31m" in told
    assert "earned, and held back" in told


@pytest.mark.parametrize(
    ("guard", "is_stopped"), [(guard, guard in (Guard.KILL_SWITCH, Guard.LOCKOUT)) for guard in Guard]
)
def test_a_person_must_lift_the_kill_switch_and_a_lesson(guard: Guard, is_stopped: bool) -> None:
    judged = view(Verdict.ELIGIBLE, State.HELD, refusals=(Refusal(guard, "x"),)).judged
    assert judged is not None
    assert judged.is_stopped is is_stopped


def test_secrets_are_masked() -> None:
    assert "800" not in said(view(Verdict.ELIGIBLE, State.ELIGIBLE), frozenset({"limits.rows"}))


def test_a_rule_whose_values_are_in_force() -> None:
    shown = view(Verdict.ELIGIBLE, State.ELIGIBLE)._replace(judged=None)
    assert said(shown) == "more-rows: in force\n  its values are in force"


def test_what_stops_everything_comes_first() -> None:
    rules = (view(Verdict.ELIGIBLE, State.ELIGIBLE), view(Verdict.INERT, State.PROPOSED))
    whole = DecisionView("store", NOW_US, rules, frozenset(), frozen_by="FROZEN", drift="they differ")
    told = [line.text for line in decision_lines(whole)]
    assert told[:3] == [
        "frozen by FROZEN: nothing is changed",
        "they differ: nothing acts until causal reconcile has settled it",
        "",
    ]
    assert [each["name"] for each in decision_document(whole)["rules"]] == ["more-rows", "more-rows"]
    alone = decision_lines(whole._replace(frozen_by="", drift=""))
    assert alone[0].text == "more-rows: eligible"


def test_a_guard_for_programs() -> None:
    document = guard_document(Refusal(Guard.RATE, "3 of 3 in 24 hours", NOW_US))
    assert document == {
        "guard": "rate",
        "subject": "3 of 3 in 24 hours",
        "could_pass_at": "2025-11-21T04:40:00.000000Z",
        "explanation": "enough was changed lately, 3 of 3 in 24 hours; could pass 2025-11-21 04:40 UTC",
    }


def test_a_promotion_without_a_verdict_is_no_decision() -> None:
    judged = view(Verdict.ELIGIBLE, State.ELIGIBLE).judged
    assert judged is not None
    with pytest.raises(ValueError, match="was not judged"):
        _ = judged._replace(promotion=judged.promotion._replace(verdict=None)).verdict
