"""Which vanished scenarios may live on under a new name. It only suggests; to join two records is for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

LIMIT = 10
LEAST_LIKENESS_RATIO = 0.6
_NAMES = 200
"""At most so many names of either side are looked at."""

_COMPARISONS = 5_000
_COMPARED_CHARS = 120
"""Comparing costs up to the square of the length, and ids may be as long as a test's author likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """``old`` may be ``new`` now: ``why`` in words, ``likeness_ratio`` in [0, 1] of the parts that may differ."""

    old: str
    new: str
    likeness_ratio: float
    why: str


class _Parts(NamedTuple):
    """A node id taken apart. An id that a marker gave has no file, and is all function."""

    file: str
    function: str
    parameters: str


def suggest_renames(vanished: Sequence[str], new: Sequence[str], limit: int = LIMIT) -> list[Suggestion]:
    """Return likely renames from scenarios that are gone to scenarios never seen before, best first.

    Looked for are the same test in another file, the same test with other parameters, and a similar name in the same
    file (or a similar id, for scenarios that are not named after their test). Each name is used once. At most 200
    names of either side are looked at and 5,000 pairs compared, in alphabetical order: a suite that replaces more
    was rewritten, not renamed.
    """
    stayed = set(vanished) & set(new)
    likely = islice(
        _possible(sorted(set(vanished) - stayed)[:_NAMES], sorted(set(new) - stayed)[:_NAMES]), _COMPARISONS
    )
    pairs = [
        Suggestion(old=old, new=name, likeness_ratio=likeness, why=why)
        for old, name, why, one, other in likely
        if (likeness := SequenceMatcher(None, one, other, autojunk=False).ratio()) >= LEAST_LIKENESS_RATIO
    ]
    pairs.sort(key=lambda pair: (-pair.likeness_ratio, pair.old, pair.new))
    return _each_name_once(pairs)[: max(0, limit)]


def _possible(vanished: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (old, new, why, and the two texts to compare) for pairs of names that may be one test."""
    candidates = [(name, _parts(name)) for name in new]
    for old in vanished:
        before = _parts(old)
        for name, after in candidates:
            why, one, other = _what_may_differ(before, after)
            one, other = one[:_COMPARED_CHARS], other[:_COMPARED_CHARS]
            # No ratio exceeds that of the shorter length to the mean of both.
            if why and 2 * min(len(one), len(other)) >= LEAST_LIKENESS_RATIO * (len(one) + len(other)):
                yield old, name, why, one, other


def _parts(name: str) -> _Parts:
    file, separator, rest = name.partition("::")
    if not separator:
        file, rest = "", name
    function, _, parameters = rest.partition("[")
    return _Parts(file, function, parameters)


def _what_may_differ(old: _Parts, new: _Parts) -> tuple[str, str, str]:
    """Return why two ids may be one test, and the texts whose likeness decides; ``""`` where they may not."""
    if old.file != new.file:
        if old.function == new.function and old.parameters == new.parameters and old.file and new.file:
            return "same test in another file", f"{old.file}::{old.function}", f"{new.file}::{new.function}"
    elif old.function == new.function:
        return (
            "same test with other parameters",
            f"{old.function}[{old.parameters}",
            f"{new.function}[{new.parameters}",
        )
    elif old.parameters == new.parameters:
        return "similar name in the same file" if old.file else "similar id", old.function, new.function
    return "", "", ""


def _each_name_once(pairs: Sequence[Suggestion]) -> list[Suggestion]:
    taken: set[tuple[str, str]] = set()
    chosen = []
    for pair in pairs:
        ends = {("old", pair.old), ("new", pair.new)}
        if not ends & taken:
            taken |= ends
            chosen.append(pair)
    return chosen
