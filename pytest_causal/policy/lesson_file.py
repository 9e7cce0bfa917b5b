"""Files of lessons, ``NAME.lessons.json``: what reverts taught, as a suite keeps it beside its tests.

pytest collects them: each lesson runs its tests once more, as a scenario of its own with stricter criteria.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal import clock
from pytest_causal.errors import ConfigError
from pytest_causal.model.promotion import Lesson
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.schema_check import check
from pytest_causal.policy.tree import frozen, thawed
from pytest_causal.settings.text_file import read_text

SCHEMA = "causal.lessons/1"
SUFFIX = ".lessons.json"
TAG = "learned_constraint"
"""The tag of every scenario that was learned."""


class KeptLesson(NamedTuple):
    """A lesson and the node ids of the tests that its scenario ran as, relative to the root directory."""

    lesson: Lesson
    tests: tuple[str, ...]


def lessons_text(kept: Iterable[KeptLesson]) -> str:
    """Return the text of a file of lessons, in the order of their numbers. The same lessons give the same text."""
    ordered = sorted(kept, key=lambda each: each.lesson.id)
    data = {"schema": SCHEMA, "lessons": [_as_json(each) for each in ordered]}
    return json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n"


def read_lessons(path: Path) -> tuple[KeptLesson, ...]:
    """Return the lessons of a file, in its order.

    Raises :class:`ConfigError` with file and line for one that is damaged, not of this schema, or holds one lesson
    twice, and OSError where the file cannot be read.
    """
    document = parse_json(read_text(path), str(path))
    check(document, "lessons")
    kept = tuple(_from_json(each) for each in document.data["lessons"])
    numbers = [each.lesson.id for each in kept]
    if twice := next((number for number in numbers if numbers.count(number) > 1), None):
        raise ConfigError(f"{path}: lesson L-{twice} stands there twice", "keep one of the two")
    return kept


def _as_json(kept: KeptLesson) -> dict[str, Any]:
    lesson = kept.lesson
    return {
        "id": lesson.label,
        "scenario": lesson.scenario,
        "regression": lesson.regression,
        "tests": sorted(kept.tests),
        "path": lesson.path,
        "before": thawed(lesson.before),
        "after": thawed(lesson.after),
        "reason": lesson.reason,
        "promotion": f"P-{lesson.promotion}",
        "signature": lesson.signature,
        "created_at": _stamp(lesson.created_us),
        "times": lesson.times,
        "criteria": dict(lesson.criteria),
    }


def _from_json(data: dict[str, Any]) -> KeptLesson:
    lesson = Lesson(
        id=_number(data["id"]),
        scenario=data["scenario"],
        path=data["path"],
        before=frozen(data["before"]),
        after=frozen(data["after"]),
        reason=data["reason"],
        promotion=_number(data["promotion"]),
        signature=data["signature"],
        created_us=_microseconds(data["created_at"]),
        times=int(data["times"]),
        criteria=tuple(sorted(data["criteria"].items())),
    )
    return KeptLesson(lesson, tuple(data["tests"]))


def _number(label: str) -> int:
    return int(label.partition("-")[2])


def _stamp(microseconds: int) -> str:
    return clock.at(microseconds).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _microseconds(stamp: str) -> int:
    return (datetime.fromisoformat(stamp) - clock.at(0)) // timedelta(microseconds=1)
