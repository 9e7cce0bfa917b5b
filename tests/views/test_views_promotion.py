from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from pytest_causal.actions.evaluate import Evaluation
from pytest_causal.actions.review import Reviewed
from pytest_causal.model.change import Change, Step
from pytest_causal.model.evidence import Reason, Verdict
from pytest_causal.model.promotion import (
    Action,
    Basis,
    CandidateVerdict,
    Lesson,
    Mode,
    Promotion,
    PromotionRule,
    State,
    Trigger,
)
from pytest_causal.rules.guards import Guard, Refusal
from pytest_causal.views.promotion import (
    ActView,
    StandingView,
    act_document,
    done_line,
    plan_lines,
    policy_document,
    promotion_lines,
    promotion_row,
    standing_lines,
)

NOW_US = 1_763_700_000_000_000
ESCAPE = "\x1b[31m"
INERT = CandidateVerdict(Verdict.INERT, (Reason.NEVER_READ,), ())


def promotion(state: State, number: int = 7, **fields: Any) -> Promotion:
    given: dict[str, Any] = {
        "id": number,
        "name": f"rule-{number}",
        "state": state,
        "mode": Mode.AUTO,
        "basis": Basis.CANDIDATE,
        "scenarios": ("load",),
        "change": Change((Step("limits.rows", 500, 800),)),
        "created_us": NOW_US,
        "changed_us": NOW_US,
        "verdict": INERT,
    }
    return Promotion(**given | fields)


def reviewed(state: State, before: State | None = None, number: int = 7, **fields: Any) -> Reviewed:
    return Reviewed(promotion(state, number), before, **fields)


def texts(*found: Reviewed, limit: int | None = 5, width: int = 200) -> list[str]:
    return [line.text for line in promotion_lines(found, limit, width)]


class TestEndOfSession:
    """What pytest's summary tells of promotions."""

    def test_nothing_new_is_nothing_told(self) -> None:
        assert texts(reviewed(State.PROPOSED, State.PROPOSED), reviewed(State.PROPOSED)) == []

    @pytest.mark.parametrize(
        "state",
        [
            State.REVERTED,
            State.PROVISIONAL,
            State.VALIDATED,
            State.HELD,
            State.LOCKED,
            State.ELIGIBLE,
            State.REJECTED,
        ],
    )
    def test_news_are_told_once(self, state: State) -> None:
        assert len(texts(reviewed(state, State.PROPOSED))) == 1
        assert texts(reviewed(state, state)) == []

    def test_a_why_that_does_not_fit_gets_a_line_of_its_own(self) -> None:
        found = Reviewed(
            promotion(State.REVERTED, note="failure_rate 1 is beyond max 0.2"), State.PROVISIONAL
        )
        assert texts(found, width=60) == [
            "P-7 rule-7 taken back: limits.rows: 800 -> 500",
            "     failure_rate 1 is beyond max 0.2",
        ]
        assert len(texts(found, width=100)) == 1

    def test_the_most_urgent_comes_first(self) -> None:
        told = texts(
            reviewed(State.ELIGIBLE, None, 1),
            reviewed(State.PROVISIONAL, None, 2),
            reviewed(State.REVERTED, State.PROVISIONAL, 3),
            reviewed(State.ELIGIBLE, State.ELIGIBLE, 4, problem="the disk is full"),
        )
        assert [line.split()[0] for line in told] == ["P-4", "P-3", "P-2", "P-1"]

    def test_what_was_taken_back_is_told_the_right_way_round_with_its_reason(self) -> None:
        gone = promotion(State.REVERTED, note=f"failure_rate 1 is beyond max 0.2{ESCAPE}")
        (line,) = texts(Reviewed(gone, State.PROVISIONAL))
        assert line == (
            "P-7 rule-7 taken back: limits.rows: 800 -> 500; failure_rate 1 is beyond max 0.2\\x1b[31m"
        )

    def test_what_is_held_says_by_what(self) -> None:
        held = promotion(State.HELD)
        rule = PromotionRule("rule-7", ("load",))
        refusals = (Refusal(Guard.KILL_SWITCH, "FROZEN"),)
        evaluation = Evaluation(rule, held, None, refusals, ("ours: not today",), {})
        (line,) = texts(Reviewed(held, None, evaluation=evaluation))
        assert "frozen by FROZEN; a person must lift it; ours: not today" in line

    def test_a_limit_counts_what_it_hides(self) -> None:
        found = [reviewed(State.ELIGIBLE, None, number) for number in range(1, 6)]
        told = texts(*found, limit=2)
        assert len(told) == 3
        assert told[-1] == "... and 3 more promotions (causal status shows all)"

    def test_without_a_limit_what_open_ones_lack_is_told_too(self) -> None:
        told = texts(
            reviewed(State.PROPOSED, State.PROPOSED, 1),
            reviewed(State.REVERTED, State.PROVISIONAL, 2),
            limit=None,
        )
        assert told[1] == "P-1 rule-1 proposed, not earned yet: no run that counts read a changed value"
        assert len(told) == 2

    def test_lines_fit_the_terminal(self) -> None:
        long = promotion(State.ELIGIBLE, change=Change((Step("limits.rows", "a" * 500, "b" * 500),)))
        (line,) = texts(Reviewed(long, None), width=80)
        assert len(line) == 80

    def test_secrets_are_masked(self) -> None:
        (line,) = promotion_lines([reviewed(State.ELIGIBLE)], 5, 200, frozenset({"limits.rows"}))
        assert "800" not in line.text

    def test_anything_of_this_form_is_told(self) -> None:
        class Other(NamedTuple):
            promotion: Promotion
            state_before: State | None
            evaluation: None = None
            problem: str = ""

        assert promotion_lines([Other(promotion(State.ELIGIBLE), None)], 5, 200)


class TestStanding:
    """What the status tells of the policy and its promotions."""

    def view(self, *promotions: Promotion, **fields: Any) -> StandingView:
        return StandingView("calm", "f" * 16, 3, promotions, frozenset(), **fields)

    def test_changes_that_stand_come_before_those_on_their_way_and_ended_ones_are_left_out(self) -> None:
        told = [
            line.text
            for line in standing_lines(
                self.view(
                    promotion(State.PROPOSED, 1),
                    promotion(State.VALIDATED, 2),
                    promotion(State.REVERTED, 3),
                    promotion(State.PROVISIONAL, 4),
                )
            )
        ]
        assert [text.split()[0] for text in told] == ["P-2", "P-4", "P-1", "no"]

    def test_what_stops_everything_comes_first(self) -> None:
        view = self.view(
            promotion(State.VALIDATED), frozen_by="FROZEN", frozen_words=f"why{ESCAPE}", drift="they differ"
        )
        told = [line.text for line in standing_lines(view)]
        assert told[0] == "frozen by FROZEN (why\\x1b[31m)"
        assert told[1].startswith("they differ: nothing acts until causal reconcile")
        assert policy_document(view) == {
            "profile": "calm",
            "fingerprint": "f" * 16,
            "revision": 3,
            "frozen_by": "FROZEN",
            "drift": "they differ",
        }

    def test_a_promotion_that_was_never_judged(self) -> None:
        row = promotion_row(promotion(State.PROPOSED, verdict=None), frozenset())
        assert (row["verdict"], row["reasons"], row["evidence"]["scenarios"]) == (None, [], [])


class TestAct:
    """What is said before and after a change is made or taken back."""

    LESSON = Lesson(
        id=0,
        scenario="load",
        path="limits.rows",
        before=500,
        after=800,
        reason="",
        promotion=7,
        signature="",
        created_us=0,
    )

    def view(self, action: Action, state: State, **fields: Any) -> ActView:
        made = promotion(state, triggers=(Trigger("failure_rate", max=0.2),))
        return ActView("store", NOW_US, action, made, [], "/somewhere/overrides.json", **fields)

    def test_a_change_that_is_made(self) -> None:
        told = [line.text for line in plan_lines(self.view(Action.PROMOTE, State.ELIGIBLE), frozenset())]
        assert told == [
            "promote P-7 rule-7",
            "  limits.rows: 500 -> 800",
            "  written to /somewhere/overrides.json",
            "  watched for 7 sessions that read it; taken back when failure_rate above 0.2",
        ]

    def test_a_change_that_is_taken_back(self) -> None:
        view = self.view(Action.REVERT, State.PROVISIONAL, lessons=(self.LESSON,))
        told = [line.text for line in plan_lines(view, frozenset())]
        assert told[1] == "  limits.rows: 800 -> 500"
        assert told[-1].startswith("  teaches: load_regression has to show 50 runs, at most 5.0 % failed")
        assert not any("watched" in text for text in told)

    def test_what_was_done(self) -> None:
        done = self.view(Action.PROMOTE, State.PROVISIONAL, revision=4)
        assert done_line(done).text == "P-7 is made, and watched: revision 4"
        assert done_line(done._replace(is_dry_run=True, revision=0)).text == "nothing was changed (--dry-run)"
        assert act_document(done, frozenset())["is_done"]
        assert not act_document(done._replace(revision=0), frozenset())["is_done"]
