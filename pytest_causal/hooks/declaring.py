"""Reads that rules of promotion declare: what a scenario that gates a rule is said to read, without being asked.

Imported only where a rule has ``reads``. Nothing checks such a declaration; it is recorded as what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_causal.hooks.lessons import lesson_of
from pytest_causal.hooks.notes import evidence_id_key, notes_of
from pytest_causal.model.change import matches
from pytest_causal.policy.promotion_rules import usable_rules

if TYPE_CHECKING:
    import pytest

    from pytest_causal.settings.sources import Settings


def reads_of_rules(settings: Settings) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Return (patterns of scenarios, paths) of each rule that declares reads."""
    return [(rule.scenarios, rule.reads) for rule in usable_rules(settings) if rule.reads]


def declare_reads(items: Iterable[pytest.Item], rules: Sequence[tuple[Sequence[str], Sequence[str]]]) -> None:
    """Note for each test the paths that rules declare for its scenario, beside those of its marker.

    A test that was learned from a failure reads what the test does that it was learned from.
    """
    for item in items:
        names = _names(item)
        paths = [
            path
            for patterns, declared in rules
            if any(matches(name, pattern) for name in names for pattern in patterns)
            for path in declared
        ]
        if paths:
            noted = notes_of(item)
            noted.declared = tuple(dict.fromkeys((*noted.declared, *paths)))


def _names(item: pytest.Item) -> list[str]:
    marked = item.get_closest_marker("scenario") is not None
    mark = notes_of(item).mark if marked else None
    name = mark.declaration.scenario if mark is not None else item.stash.get(evidence_id_key, item.nodeid)
    lesson = lesson_of(item)
    return [name] if lesson is None else [name, lesson.scenario]
