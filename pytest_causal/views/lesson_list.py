"""What ``causal lessons`` shows: what reverts taught, and what has to be shown before a value may go so far again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_causal.model.promotion import Lesson
from pytest_causal.views.changes import json_value, value_words
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.times import stamp_or_none, utc_minutes, utc_stamp
from pytest_causal.views.words import percent, plural

SCHEMA = "causal.lesson_list/1"


class LessonRow(NamedTuple):
    """A lesson, and the node ids of the tests that it is about."""

    lesson: Lesson
    tests: tuple[str, ...]


def lesson_lines(rows: Sequence[LessonRow], secrets: frozenset[str]) -> list[Line]:
    """Return each lesson in a few lines, retired ones dimmed."""
    lines = []
    for lesson, tests in rows:
        marks = ("dim",) if lesson.retired_us else ("bold",)
        before, after = (value_words(lesson.path, value, secrets) for value in (lesson.before, lesson.after))
        head = f"{lesson.label} {terminal(lesson.scenario)}: {terminal(lesson.path)}: {before} -> {after}"
        lines.append(Line(text=head, marks=marks))
        times = "" if lesson.times == 1 else f", {lesson.times:,} times"
        source = f"learned {utc_minutes(lesson.created_us)} UTC from P-{lesson.promotion}{times}"
        lines.append(Line(text=f"  {source}: {terminal(lesson.reason)}"))
        if lesson.retired_us:
            lines.append(
                Line(text=f"  retired {utc_minutes(lesson.retired_us)} UTC: it gates nothing", marks=("dim",))
            )
            continue
        lines.append(Line(text=f"  {gate_words(lesson)}"))
        lines += [Line(text=f"  runs {terminal(test)}", marks=("dim",)) for test in tests]
    return lines


def gate_words(lesson: Lesson) -> str:
    """Return what has to be shown before a value may go so far again."""
    criteria = dict(lesson.criteria)
    needs = [plural(int(criteria["min_runs"]), "run")] if "min_runs" in criteria else []
    if "max_failure_rate" in criteria:
        needs.append(f"at most {percent(float(criteria['max_failure_rate']))} failed")
    return f"{terminal(lesson.regression)} has to show {', '.join(needs)} before it may go so far again"


def lessons_document(rows: Sequence[LessonRow], secrets: frozenset[str], generated_us: int) -> dict[str, Any]:
    """Return all lessons as one JSON object, ``causal.lesson_list/1``."""
    return {
        "schema": SCHEMA,
        "generated_at": utc_stamp(generated_us),
        "lessons": [_document(row, secrets) for row in rows],
    }


def _document(row: LessonRow, secrets: frozenset[str]) -> dict[str, Any]:
    lesson = row.lesson
    return {
        "id": lesson.label,
        "scenario": lesson.scenario,
        "regression": lesson.regression,
        "tests": list(row.tests),
        "path": lesson.path,
        "before": json_value(lesson.path, lesson.before, secrets),
        "after": json_value(lesson.path, lesson.after, secrets),
        "reason": lesson.reason,
        "promotion": f"P-{lesson.promotion}",
        "signature": lesson.signature,
        "created_at": utc_stamp(lesson.created_us),
        "retired_at": stamp_or_none(lesson.retired_us),
        "times": lesson.times,
        "criteria": dict(lesson.criteria),
    }
