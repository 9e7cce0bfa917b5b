from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_causal.model.audit import AuditRow
from pytest_causal.policy.secrets import MASK
from pytest_causal.views.audit_rows import (
    VerificationView,
    audit_line,
    audit_table,
    verification_document,
    verification_lines,
)

CHANGE = [{"path": "rows", "from": 10, "to": 20}]
COMMON: dict[str, Any] = {
    "action": "promote",
    "actor": "person ada",
    "at_us": 1_763_700_000_000_000,
    "reason": "because",
}
OF_PROMOTION: dict[str, Any] = {
    "promotion": "P-1",
    "name": "more",
    "state_before": "eligible",
    "state_after": "provisional",
}


def row(number: int = 1, **fields: Any) -> AuditRow:
    return AuditRow(number, json.dumps({**COMMON, **fields}), "h" * 64)


def story(*rows: AuditRow, secrets: frozenset[str] = frozenset(), width: int = 200) -> list[str]:
    """What the widest column says, a line each."""
    (what,) = [
        place
        for place, column in enumerate(audit_table(rows, secrets, width).columns)
        if column.header == "what"
    ]
    return [line.text for each in audit_table(rows, secrets, width).rows for line in each[what]]


def test_a_change_is_told_as_what_was_set() -> None:
    told = story(row(**OF_PROMOTION, change=CHANGE))
    assert told == ["P-1 more: eligible -> provisional", "rows: 10 -> 20", "because"]


def test_a_revert_is_told_the_other_way_round_with_what_it_taught() -> None:
    told = story(row(**OF_PROMOTION, action="revert", change=CHANGE, lessons=["L-1"]))
    assert told[1:] == ["rows: 20 -> 10", "learned: L-1", "because"]


def test_what_is_only_observed_sets_nothing_and_the_first_state_is_new() -> None:
    told = story(row(**{**OF_PROMOTION, "state_before": ""}, action="observe", change=CHANGE))
    assert told == ["P-1 more: new -> provisional", "because"]


def test_a_hands_values_are_told_with_what_they_replace() -> None:
    told = story(
        row(
            action="reconcile",
            differences=[{"path": "rows", "in_file": 7, "audited": None}],
            superseded=["P-1"],
            retired="L-2",
        )
    )
    assert told == ["rows: 7 in the file, - audited", "superseded: P-1", "L-2 retired", "because"]


@pytest.mark.parametrize("document", ["", "[]", "{}", '{"action": 3}', "null"])
def test_a_row_that_cannot_be_read_is_shown_as_such_beside_the_others(document: str) -> None:
    told = story(AuditRow(1, document, "h"), row(2, **OF_PROMOTION, change=[]))
    assert told[0] == "cannot be read: see causal audit --verify"
    assert told[1].startswith("P-1 more")


def test_what_people_wrote_cannot_steer_the_terminal() -> None:
    told = story(row(reason="\x1b[2J", **{**OF_PROMOTION, "name": "\x1b[31m"}, change=CHANGE))
    assert "\x1b" not in "".join(told)


def test_secrets_are_shown_to_nobody() -> None:
    hidden = frozenset({"rows"})
    shown = row(
        **OF_PROMOTION,
        change=CHANGE,
        changes=[CHANGE],
        differences=[{"path": "rows", "in_file": 10, "audited": 20}],
    )
    told = "".join(story(shown, secrets=hidden))
    line = json.loads(audit_line(shown, hidden))
    assert "10" not in told
    assert line["change"] == [{"path": "rows", "from": MASK, "to": MASK}]
    assert line["changes"] == [line["change"]]
    assert line["differences"] == [{"path": "rows", "in_file": MASK, "audited": MASK}]


def test_without_secrets_a_line_is_the_document_that_the_hash_covers() -> None:
    kept = row(**OF_PROMOTION, change=CHANGE)
    line = json.loads(audit_line(kept, frozenset()))
    assert line.pop("hash") == kept.hash
    assert line == json.loads(kept.document)
    with pytest.raises(ValueError, match="row 3 is no JSON object"):
        audit_line(AuditRow(3, "[]", ""), frozenset())


def test_what_verifying_found_is_told_a_line_each() -> None:
    (whole,) = verification_lines(VerificationView(2, 1, ()))
    assert whole.text == "2 rows read, 1 decision made again: the chain is whole"
    problems = VerificationView(2, 1, ("row 1 \x1b",))
    assert [line.text for line in verification_lines(problems)] == [
        "2 rows read, 1 decision made again: 1 problem",
        "- row 1 \\x1b",
    ]
    assert verification_document(problems) == {
        "schema": "causal.verification/1", "rows": 2, "decisions": 1, "problems": ["row 1 \x1b"],
    }  # fmt: skip
