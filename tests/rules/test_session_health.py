from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.run import Outcome
from pytest_causal.rules.session_health import diagnose

E, C, F, P = Outcome.ERROR, Outcome.CRASHED, Outcome.FAILED, Outcome.PASSED
Kinds = dict[tuple[Outcome, str], int]


def test_most_runs_in_error_with_one_cause_is_a_broken_session() -> None:
    kinds = {(E, "ConnectionError"): 38, (E, "ValueError"): 2, (P, ""): 12}
    assert diagnose(kinds) == "38 of 52 runs ended in error with the same cause (ConnectionError)"


def test_errors_and_crashes_of_one_cause_add_up() -> None:
    assert diagnose({(E, "OSError"): 2, (C, "OSError"): 2, (P, ""): 3}).startswith("4 of 7 runs")


@pytest.mark.parametrize(
    "kinds",
    [
        {},
        {(P, ""): 50},
        {(E, "ConnectionError"): 4},  # too few to tell
        {(E, "ConnectionError"): 5, (P, ""): 5},  # half is not more than half
        {(E, "ConnectionError"): 5, (E, "OSError"): 5, (P, ""): 1},  # no cause has more than half
        {(E, ""): 50},  # nothing known to be shared
        {(F, "AssertionError"): 50},  # what the suite is there to find
        {(F, "ConnectionError"): 30, (E, "ConnectionError"): 20},
        {(Outcome.XPASSED, "xpassed(strict)"): 50},
    ],
)
def test_a_session_that_is_evidence(kinds: Kinds) -> None:
    assert diagnose(kinds) == ""


def test_skipped_and_missing_runs_were_not_executed() -> None:
    kinds = {(E, "ConnectionError"): 5, (Outcome.SKIPPED, ""): 90, (Outcome.MISSING, ""): 90}
    assert diagnose(kinds) == "5 of 5 runs ended in error with the same cause (ConnectionError)"
    assert diagnose({(E, "ConnectionError"): 3, (Outcome.SKIPPED, "x"): 9}) == ""


counts = st.dictionaries(
    st.tuples(st.sampled_from(Outcome), st.sampled_from(["", "A", "B"])), st.integers(0, 40), max_size=12
)


@given(counts, st.integers(1, 100))
def test_a_failed_call_never_makes_a_session_broken(kinds: Kinds, more: int) -> None:
    if not diagnose(kinds):
        assert not diagnose(kinds | {(F, "A"): kinds.get((F, "A"), 0) + more}) or sum(kinds.values()) < 5


@given(counts)
def test_a_broken_session_has_one_cause_behind_most_of_its_runs(kinds: Kinds) -> None:
    executed = sum(
        n for (outcome, _), n in kinds.items() if outcome not in (Outcome.SKIPPED, Outcome.MISSING)
    )
    worst = max(kinds.get((E, cause), 0) + kinds.get((C, cause), 0) for cause in ("A", "B"))
    assert bool(diagnose(kinds)) == (executed >= 5 and 2 * worst > executed)
