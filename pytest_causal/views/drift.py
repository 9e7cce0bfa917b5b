"""What ``causal reconcile`` shows: how file and audit differ, and what either side would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_causal.views.changes import json_value, value_words
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.times import utc_stamp
from pytest_causal.views.words import plural

SCHEMA = "causal.reconcile/1"


class Differing(NamedTuple):
    """A value that file and audit disagree about; ``None`` where one of them has none."""

    path: str
    in_file: Any
    audited: Any


class DriftView(NamedTuple):
    """How the two stood, and what was done about it.

    ``words`` says that they differ, ``side`` which of them was made true: ``file``, ``audit`` or, where nothing was
    settled, nothing. ``is_damaged`` says that the file cannot be read. ``superseded`` are the labels of promotions
    that stand no more if the file is true.
    """

    location: str
    generated_us: int
    written_to: str
    words: str
    is_unfinished: bool
    differences: Sequence[Differing]
    superseded: Sequence[str]
    revision: int
    is_damaged: bool = False
    side: str = ""
    is_dry_run: bool = False

    @property
    def is_left(self) -> bool:
        """Whether a difference is left."""
        return bool(self.words) and not self.is_settled

    @property
    def is_settled(self) -> bool:
        """Whether something was done."""
        return not self.is_dry_run and (self.is_unfinished or bool(self.words and self.side))


def drift_lines(view: DriftView, secrets: frozenset[str]) -> list[Line]:
    """Return how the two differ and what was, or could be, done."""
    if view.is_unfinished:
        done = "would be written" if view.is_dry_run else "is written now"
        return [Line(text=f"an act was cut short: revision {view.revision} had been decided, and {done}")]
    if not view.words:
        return [Line(text=f"{terminal(view.written_to)} holds what was audited", marks=("green",))]
    lines = [Line(text=terminal(view.words), marks=("red", "bold"))]
    for each in view.differences:
        in_file, audited = (value_words(each.path, value, secrets) for value in (each.in_file, each.audited))
        lines.append(Line(text=f"  {terminal(each.path)}: {in_file} in the file, {audited} audited"))
    if not view.differences and not view.is_damaged:
        lines.append(Line(text="  the values are the same"))
    return lines + (_settled_lines(view) if view.side else _choices(view))


def drift_document(view: DriftView, secrets: frozenset[str]) -> dict[str, Any]:
    """Return all of it as one JSON object, ``causal.reconcile/1``."""
    return {
        "schema": SCHEMA,
        "store": view.location,
        "generated_at": utc_stamp(view.generated_us),
        "file": view.written_to,
        "revision": view.revision,
        "drift": view.words or None,
        "is_damaged": view.is_damaged,
        "is_unfinished": view.is_unfinished,
        "differences": [
            {
                "path": each.path,
                "in_file": json_value(each.path, each.in_file, secrets),
                "audited": json_value(each.path, each.audited, secrets),
            }
            for each in view.differences
        ],
        "superseded_by_file": list(view.superseded),
        "side": view.side or None,
        "is_dry_run": view.is_dry_run,
        "is_settled": view.is_settled,
    }


def _choices(view: DriftView) -> list[Line]:
    return [
        Line(text="nothing acts until one of them is said to be true:"),
        *(
            [
                Line(
                    text="  causal reconcile --file   keeps the values of the file, as yours"
                    + _replaced(view)
                )
            ]
            if not view.is_damaged
            else []
        ),
        Line(text="  causal reconcile --audit  writes the file anew, as it was audited last"),
    ]


def _settled_lines(view: DriftView) -> list[Line]:
    told = "would be" if view.is_dry_run else "is"
    if view.side == "file":
        words = (
            f"the file {told} true: its values {'would be' if view.is_dry_run else 'are'} audited as yours"
        )
        words += _replaced(view)
    else:
        words = f"the audit {told} true: the file {told} written anew"
    return [Line(text=words, marks=() if view.is_dry_run else ("green",))]


def _replaced(view: DriftView) -> str:
    if not view.superseded:
        return ""
    return f"; {plural(len(view.superseded), 'promotion')} superseded: {', '.join(view.superseded)}"
