"""The audit for people and for programs: what was decided and done, row by row, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_causal.model.audit import AuditRow
from pytest_causal.model.promotion import Action
from pytest_causal.policy.secrets import MASK
from pytest_causal.views.changes import value_words
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Cell, Column, Table, cell
from pytest_causal.views.times import utc_minutes
from pytest_causal.views.words import plural

VERIFICATION_SCHEMA = "causal.verification/1"
_ENCODER = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":"))
_COLUMNS = (
    Column(header="row", is_number=True, shown_from=60),
    Column(header="when (UTC)", width=16),
    Column(header="action"),
    Column(header="what", is_wide=True),
    Column(header="by", shown_from=100),
)
_MARKS = {
    Action.PROMOTE: ("green",),
    Action.CONSTRAIN: ("green",),
    Action.REVERT: ("red", "bold"),
    Action.RECONCILE: ("yellow",),
}
_UNREADABLE = "cannot be read: see causal audit --verify"


class VerificationView(NamedTuple):
    """What verifying the audit found: rows read, decisions made again, and what is wrong, a line each."""

    rows: int
    decisions: int
    problems: Sequence[str]


def audit_line(row: AuditRow, secrets: frozenset[str]) -> str:
    """Return a row as a line of JSON: its document and its hash. Values of secrets are masked.

    Where none was masked, the hash is that of the hash before, a line break, and the document as compact JSON with
    sorted keys. Raises ValueError for a row that is no JSON object.
    """
    document = json.loads(row.document)
    if not isinstance(document, dict):
        raise ValueError(f"row {row.number} is no JSON object")
    return _ENCODER.encode({**_masked(document, secrets), "hash": row.hash})


def audit_table(rows: Sequence[AuditRow], secrets: frozenset[str], width: int) -> Table:
    """Return rows for a terminal of this many columns, in their order."""
    return Table(columns=_COLUMNS, rows=[_cells(row, secrets) for row in rows]).fitted(width)


def verification_lines(view: VerificationView) -> list[Line]:
    """Return what verifying found."""
    counted = f"{plural(view.rows, 'row')} read, {plural(view.decisions, 'decision')} made again"
    if not view.problems:
        return [Line(text=f"{counted}: the chain is whole", marks=("green",))]
    lines = [Line(text=f"{counted}: {plural(len(view.problems), 'problem')}", marks=("red", "bold"))]
    return [*lines, *(Line(text=f"- {terminal(problem)}", marks=("red",)) for problem in view.problems)]


def verification_document(view: VerificationView) -> dict[str, Any]:
    """Return what verifying found as one JSON object, ``causal.verification/1``."""
    return {
        "schema": VERIFICATION_SCHEMA,
        "rows": view.rows,
        "decisions": view.decisions,
        "problems": list(view.problems),
    }


def _cells(row: AuditRow, secrets: frozenset[str]) -> tuple[Cell, ...]:
    try:
        document = json.loads(row.document)
        return (
            cell(str(row.number)),
            cell(utc_minutes(document["at_us"])),
            cell(terminal(document["action"]), *_MARKS.get(document["action"], ())),
            tuple(Line(text=text) for text in _story(document, secrets)),
            cell(terminal(document["actor"], 40)),
        )
    except (ValueError, KeyError, TypeError):
        return (cell(str(row.number)), cell(""), cell(""), cell(_UNREADABLE, "red"), cell(""))


def _story(document: Mapping[str, Any], secrets: frozenset[str]) -> Iterator[str]:
    """Yield what happened, and below it why."""
    if "promotion" in document:
        before = document["state_before"] or "new"
        yield f"{document['promotion']} {terminal(document['name'])}: {before} -> {document['state_after']}"
    for step in _steps(document):
        yield f"{terminal(step['path'])}: " + " -> ".join(
            value_words(step["path"], step[side], secrets) for side in ("from", "to")
        )
    for each in document.get("differences", ()):
        shown = [value_words(each["path"], each[side], secrets) for side in ("in_file", "audited")]
        yield f"{terminal(each['path'])}: {shown[0]} in the file, {shown[1]} audited"
    if document.get("superseded"):
        yield f"superseded: {', '.join(map(terminal, document['superseded']))}"
    if document.get("retired"):
        yield f"{terminal(document['retired'])} retired"
    if document.get("lessons"):
        yield f"learned: {', '.join(map(terminal, document['lessons']))}"
    if document["reason"]:
        yield terminal(document["reason"])


def _steps(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what an act did to the values: the inverse of the change where it was taken back, nothing where none."""
    steps: list[dict[str, Any]] = document.get("change", [])
    match document["action"]:
        case Action.PROMOTE | Action.CONSTRAIN:
            return steps
        case Action.REVERT:
            return [{**step, "from": step["to"], "to": step["from"]} for step in steps]
    return []


def _masked(document: dict[str, Any], secrets: frozenset[str]) -> dict[str, Any]:
    if not secrets:
        return document
    shown = dict(document)
    for key, sides in (("change", ("from", "to")), ("differences", ("in_file", "audited"))):
        if key in shown:
            shown[key] = [
                {**step, **dict.fromkeys(sides, MASK)} if step["path"] in secrets else step
                for step in shown[key]
            ]
    if "changes" in shown:
        shown["changes"] = [_masked({"change": change}, secrets)["change"] for change in shown["changes"]]
    return shown
