"""Whether a session was broken as a whole: then it shows what befell the session, not what its scenarios are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pytest_causal.model.run import Outcome

LEAST_RUNS = 5
"""Fewer runs than this are judged one by one: three errors of three say nothing about a common cause."""

_BREAKING = frozenset({Outcome.ERROR, Outcome.CRASHED})
_NOT_EXECUTED = frozenset({Outcome.SKIPPED, Outcome.MISSING})


def diagnose(kinds: Mapping[tuple[Outcome, str], int]) -> str:
    """Return in words why a session as a whole is no evidence, or ``""`` for a healthy one.

    ``kinds`` counts the runs that were not superseded by (outcome, type of the cause). A session of at least 5
    executed runs is broken when more than half of them ended ``error`` or ``crashed`` with one and the same cause: a
    database that was down, a fixture that cannot start. Runs that failed in their own call are never a reason,
    however many and however alike: a change that breaks everything is what the suite is there to find, and a rule
    that waved such a session away would hide it. Errors without a known cause share nothing, and are no reason.
    """
    executed = sum(count for (outcome, _), count in kinds.items() if outcome not in _NOT_EXECUTED)
    by_cause: Counter[str] = Counter()
    for (outcome, cause), count in kinds.items():
        if outcome in _BREAKING and cause:
            by_cause[cause] += count
    if executed < LEAST_RUNS or not by_cause:
        return ""
    cause, count = min(by_cause.items(), key=lambda item: (-item[1], item[0]))
    if 2 * count <= executed:
        return ""
    return f"{count:,} of {executed:,} runs ended in error with the same cause ({cause})"
