"""What is taken of a session unless it says otherwise."""

from __future__ import annotations

from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState


def test_a_session_is_trusted_and_its_cleanness_unknown() -> None:
    facts = SessionFacts(uid="u", key="k", started_us=1)
    assert facts.is_trusted
    assert facts.is_dirty is None, "unknown is neither clean nor dirty"
    assert facts.kind == "pytest"


def test_an_ending_without_a_reason_is_not_broken() -> None:
    ending = SessionEnding(state=SessionState.FINISHED, finished_us=1)
    assert (ending.broken, ending.exit_status, ending.is_dirty) == ("", None, None)


def test_the_states_are_stored_under_these_words() -> None:
    assert [str(state) for state in SessionState] == ["running", "finished", "interrupted", "abandoned"]
