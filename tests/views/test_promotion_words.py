from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.change import Change, Step
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Evidence, Reason, Verdict
from pytest_causal.model.promotion import (
    Basis,
    CandidateVerdict,
    MetricLimit,
    MetricStanding,
    Mode,
    Promotion,
    ScenarioVerdict,
    State,
    Trigger,
)
from pytest_causal.rules.candidacy import CandidateCase, ScenarioCase
from pytest_causal.rules.guards import Guard, Refusal
from pytest_causal.views.promotion_words import (
    STATE_MARKS,
    STATE_WORDS,
    missing_words,
    promotion_words,
    reads_words,
    refusal_words,
    scenario_words,
    trigger_words,
    unmatched_words,
    watch_words,
)
from pytest_causal.views.summary import VERDICT_MARKS

NOW_US = 1_763_700_000_000_000
ESCAPE = "\x1b[31m"


def scenario(verdict: Verdict = Verdict.NOT_YET, needed: int | None = 5, **fields: Any) -> ScenarioVerdict:
    given: dict[str, Any] = {
        "runs": 3,
        "units": 3,
        "failures": 0,
        "e_value": 1.0,
        "clean_sessions_needed": needed,
    }
    return ScenarioVerdict("load", verdict, (Reason.NOT_PROVEN,), **given | fields)


def promotion(state: State = State.PROPOSED, **fields: Any) -> Promotion:
    given: dict[str, Any] = {
        "id": 7,
        "name": "more-rows",
        "state": state,
        "mode": Mode.PROPOSE,
        "basis": Basis.CANDIDATE,
        "scenarios": ("load",),
        "change": Change((Step("limits.rows", 500, 800),)),
        "created_us": NOW_US,
        "changed_us": NOW_US,
    }
    return Promotion(**given | fields)


def test_every_state_has_words_of_its_own() -> None:
    assert set(STATE_WORDS) == set(State)
    assert len(set(STATE_WORDS.values())) == len(State)
    assert set(STATE_MARKS) <= set(State)
    assert {mark for marks in VERDICT_MARKS.values() for mark in marks} >= {
        mark for marks in STATE_MARKS.values() for mark in marks
    }


@pytest.mark.parametrize("guard", Guard)
def test_every_guard_says_what_it_is_about(guard: Guard) -> None:
    words = refusal_words(Refusal(guard, f"the subject{ESCAPE}"))
    assert "the subject\\x1b" in words
    assert "could pass" not in words
    assert refusal_words(Refusal(guard, "", NOW_US)).endswith("could pass 2025-11-21 04:40 UTC")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_said_in_a_few_words(reason: Reason) -> None:
    verdict = CandidateVerdict(Verdict.INCONCLUSIVE, (reason,), ())
    assert missing_words(verdict)


def test_what_is_missing_is_the_longest_wait() -> None:
    both = (scenario(needed=5), scenario(needed=22), scenario(needed=None))
    verdict = CandidateVerdict(Verdict.NOT_YET, (Reason.TOO_FEW_RUNS, Reason.NEWEST_FAILED), both)
    assert missing_words(verdict) == "the newest session failed; 22 more clean sessions"
    one = CandidateVerdict(Verdict.NOT_YET, (Reason.NOT_PROVEN,), (scenario(needed=1),))
    assert missing_words(one) == "1 more clean session"


def test_an_eligible_change_lacks_nothing() -> None:
    assert missing_words(CandidateVerdict(Verdict.ELIGIBLE, (), ())) == ""


def test_a_rejected_change_is_not_told_to_wait() -> None:
    verdict = CandidateVerdict(Verdict.REJECTED, (Reason.PROVEN_BAD,), (scenario(Verdict.REJECTED),))
    assert missing_words(verdict) == "proven bad"


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (
            MetricStanding("speed", 3, 0, 0.5),
            "speed 0.5 on average of 3 runs, limit at least 0.6 and at most 2",
        ),
        (MetricStanding("speed", 2, 1, 0.5), "speed 0.5 on average of 2 runs, 1 without a number, limit"),
        (MetricStanding("speed", 0, 3, None), "speed was never a number"),
    ],
)
def test_a_metric_is_said_with_its_limit(standing: MetricStanding, words: str) -> None:
    case = ScenarioCase("load", Criteria(), Evidence(scenario_id=0, reads_id=0, passed=3, units=3))
    said = scenario_words(scenario(metrics=(standing,)), case, [MetricLimit("speed", 0.6, 2.0)])
    assert said.startswith("3 runs in 3 sessions, none failed")
    assert words in said


def test_a_metric_that_a_scenario_does_not_report_is_not_said_of_it() -> None:
    case = ScenarioCase("load", Criteria(), None)
    assert "speed" not in scenario_words(scenario(), case, [MetricLimit("speed", 0.6)])


def test_what_was_read_and_how_that_is_known() -> None:
    assert reads_words(()) == "read none of the changed values"
    assert (
        reads_words((("a", "tracked"), (ESCAPE, "declared")))
        == "read a (tracked), \\x1b[31m (declared, and so assumed)"
    )


def test_what_nobody_has_shown() -> None:
    limits = (MetricLimit("speed", 1.0),)
    whole = CandidateCase((), ("gone*",), limits, is_assumed=False, now_us=NOW_US)
    assert unmatched_words(whole) == [
        "no scenario that has run is called gone*",
        "no run that counts reported speed",
    ]
    assert unmatched_words(whole._replace(unmatched=(), limits=())) == [
        "no scenario that has run reads a changed value"
    ]


def test_when_a_change_is_taken_back() -> None:
    triggers = (Trigger("failure_rate", max=0.2), Trigger("speed", min=1, max_decrease=0.1, max_increase=0.3))
    assert trigger_words(triggers) == (
        "failure_rate above 0.2 or speed below 1 or speed on average grows by more than 0.3"
        " or speed on average falls by more than 0.1"
    )


def test_how_a_change_is_watched() -> None:
    watched = promotion(triggers=(Trigger("failure_rate", max=0.2),), watch_sessions=1)
    assert (
        watch_words(watched) == "watched for 1 session that read it; taken back when failure_rate above 0.2"
    )
    assert watch_words(promotion()).endswith("nothing takes it back by itself")


def test_a_promotion_on_one_line() -> None:
    assert promotion_words(promotion(), frozenset()) == (
        "P-7 more-rows: proposed, not earned yet: limits.rows: 500 -> 800"
    )
    watched = promotion(State.PROVISIONAL, watched=2, watch_sessions=3)
    assert "made, and watched (2 of 3 sessions)" in promotion_words(watched, frozenset())
    assert promotion_words(promotion(id=0), frozenset({"limits.rows"})).endswith("limits.rows: *** -> ***")
