from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.criteria import Criteria, Unit
from pytest_causal.model.evidence import Decision, Evidence, Reason, Tally, Verdict
from pytest_causal.rules.eligibility import decide_eligibility, failure_rate_bound, fold
from pytest_causal.views.words import (
    VERDICT_WORDS,
    bound_percent,
    evidence_words,
    percent,
    plural,
    reason_words,
)

NOW_US = 1_795_000_000_000_000


def gathered(*sessions: str, criteria: Criteria | None = None, age_days: float = 0) -> Evidence:
    """Fold sessions given as letters: p(assed), f(ailed), y (flaky), s(kipped), m(issing)."""
    in_force = criteria or Criteria()
    evidence = Evidence(scenario_id=1, reads_id=0)
    for order, letters in enumerate(sessions, 1):
        counted = {letter: letters.count(letter) for letter in "pfysm"}
        tally = Tally(
            scenario_id=1,
            reads_id=0,
            order=order,
            session=order,
            commit="",
            last_run_us=NOW_US - int(age_days * 86_400_000_000),
            passed=counted["p"] + counted["y"],
            failed=counted["f"],
            flaky=counted["y"],
            skipped=counted["s"],
            missing=counted["m"],
        )
        evidence = fold(evidence, tally, in_force)
    return evidence


def said(*sessions: str, criteria: Criteria | None = None, age_days: float = 0) -> str:
    evidence = gathered(*sessions, criteria=criteria, age_days=age_days)
    in_force = criteria or Criteria()
    return evidence_words(evidence, in_force, decide_eligibility(evidence, in_force, NOW_US))


def test_what_was_seen_what_it_proves_and_what_is_needed() -> None:
    words = said(*["pp"] * 11, "pf", *["pp"] * 4)
    seen, proven, needed = words.split("; ")
    assert seen == "32 runs in 16 sessions, 1 failed"
    assert proven.startswith("failure rate below ")
    assert proven.endswith(" % (95 %, at any time)")
    assert needed.endswith(" more clean sessions")


def test_the_sessions_that_are_said_to_be_missing_are_enough_and_not_too_many() -> None:
    sessions = ["pp"] * 9 + ["pf"] + ["pp"]
    missing = int(said(*sessions).rpartition("; ")[2].split()[0])
    assert missing > 1
    assert "more clean" in said(*sessions, *["pp"] * (missing - 1))
    assert "more clean" not in said(*sessions, *["pp"] * missing)


def test_eligible_needs_nothing() -> None:
    assert said(*["p"] * 23).count(";") == 1


@pytest.mark.parametrize(
    ("sessions", "words"),
    [
        ((), "no runs that say anything"),
        (("s",), "no runs that say anything"),
        (("p",), "1 run in 1 session, none failed"),
        (("py", "p"), "3 runs in 2 sessions, 1 failed (1 only at first)"),
        (("p" * 1200,), "1,200 runs in 1 session, none failed"),
        (("p",), "22 more clean sessions"),
        (("p", "p", "f"), "the newest session failed"),
        (("f", "p", "p"), "33 % failed, limit 15 %"),
        (("f",) * 4, "proven to fail more often than 15 %"),
        (("p", "pm"), "1 of the last 2 sessions incomplete"),
    ],
)
def test_what_is_said(sessions: tuple[str, ...], words: str) -> None:
    assert words in said(*sessions)


def test_old_evidence_is_said_to_be_old() -> None:
    assert "nothing newer than 14 days" in said("p", "p", age_days=15)
    assert "nothing newer" not in said("p", "p", age_days=13)


def test_a_scenario_of_independent_runs_speaks_of_runs() -> None:
    assert "the newest run failed" in said("ppf", criteria=Criteria(unit=Unit.RUN))


def test_one_more_session_is_singular() -> None:
    assert said(*["p"] * 22).endswith("; 1 more clean session")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_or_is_said_by_the_numbers(reason: Reason) -> None:
    evidence = gathered("p", "f")
    decision = Decision(Verdict.NOT_YET, (reason,), 1.0)
    silent = {Reason.NO_EVIDENCE, Reason.NOT_PROVEN, Reason.TOO_FEW_RUNS, Reason.TOO_FEW_SESSIONS}
    assert bool(reason_words(evidence, Criteria(), decision)) is (reason not in silent)


def test_every_verdict_has_a_word() -> None:
    assert set(VERDICT_WORDS) == set(Verdict)


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0.15, "15 %"), (0.0995, "10 %"), (0.0994, "9.9 %"), (0.043, "4.3 %"), (0.0072, "0.72 %"), (1, "100 %")],
)
def test_percent(ratio: float, words: str) -> None:
    assert percent(ratio) == words


@given(st.floats(min_value=0.0001, max_value=1))
def test_a_bound_is_never_said_lower_than_it_is(ratio: float) -> None:
    stated = float(bound_percent(ratio).removesuffix(" %")) / 100
    assert ratio - 1e-7 <= stated <= ratio * 1.11 + 0.0001


def test_the_bound_in_the_words_is_that_of_the_rules() -> None:
    evidence = gathered(*["p"] * 10)
    bound = failure_rate_bound(evidence, Criteria())
    assert f"below {bound_percent(bound)} (" in said(*["p"] * 10)


def test_plural() -> None:
    assert [plural(count, "run") for count in (0, 1, 2, 1000)] == ["0 runs", "1 run", "2 runs", "1,000 runs"]
