"""Evidence is valid under a policy that gives every value its runs read, and under no other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_causal.actions.validity import validity
from pytest_causal.model.run import NO_READS, Read

READS = (Read(path="limits.rows", value="7"), Read(path="limits.seconds", value="2.0"))


@pytest.fixture
def reads_id(history):
    history.session({"a": "p"}, reads=READS)
    (state,) = history.store.all_evidence()
    return state.reads_id


@pytest.mark.parametrize(
    ("policy", "is_valid"),
    [
        ({"limits.rows": "7", "limits.seconds": "2.0"}, True),
        ({"limits.rows": "7", "limits.seconds": "2.0", "unread": "1"}, True),
        ({"limits.rows": "8", "limits.seconds": "2.0"}, False),
        ({"limits.rows": "7", "limits.seconds": "2"}, False),
        ({"limits.rows": "7"}, False),
        ({}, False),
    ],
)
def test_every_value_that_was_read_must_be_in_force(history, reads_id, policy, is_valid) -> None:
    assert validity(history.store, lambda: policy)(reads_id) is is_valid


def test_runs_that_read_nothing_are_evidence_under_any_policy(history) -> None:
    assert validity(history.store, dict)(NO_READS)


def test_the_policy_is_asked_for_once_and_only_when_needed(history, reads_id) -> None:
    asked: list[None] = []

    def policy() -> Mapping[str, str]:
        asked.append(None)
        return {}

    is_valid = validity(history.store, policy)
    assert asked == []
    assert [is_valid(reads_id), is_valid(reads_id), is_valid(NO_READS)] == [False, False, True]
    assert len(asked) == 1
