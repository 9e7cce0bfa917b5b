"""A change of the policy: what it would set, and from what. Every change has an exact inverse."""

from __future__ import annotations

from typing import Any, NamedTuple

from pytest_causal.model import run

CONTROL = run.CONTROL
"""The arm of runs under the policy in force."""

CANDIDATE_PREFIX = "candidate:"
"""What the arm of a candidate begins with; its name follows."""


class Step(NamedTuple):
    """One value that a change sets: a dotted path, and the value before and after.

    Values are leaves of a policy: numbers, texts, switches, and tuples of these.
    """

    path: str
    before: Any
    after: Any

    @property
    def is_upward(self) -> bool | None:
        """Whether a number grows; ``None`` where the values are no two different numbers."""
        pair = (self.before, self.after)
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in pair):
            return None
        return None if self.before == self.after else bool(self.after > self.before)


class Change(NamedTuple):
    """Steps that are taken together or not at all, sorted by path, each path once."""

    steps: tuple[Step, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The dotted paths that it sets."""
        return tuple(step.path for step in self.steps)

    @property
    def after(self) -> dict[str, Any]:
        """Dotted path -> the value that it sets."""
        return {step.path: step.after for step in self.steps}

    @property
    def before(self) -> dict[str, Any]:
        """Dotted path -> the value that it replaces."""
        return {step.path: step.before for step in self.steps}

    def inverse(self) -> Change:
        """Return the change that takes this one back."""
        return Change(tuple(Step(step.path, step.after, step.before) for step in self.steps))


class Candidate(NamedTuple):
    """A change under evaluation. ``patterns`` are names of scenarios, or globs, that must vouch for it."""

    name: str
    patterns: tuple[str, ...]
    change: Change

    @property
    def arm(self) -> str:
        """The arm that its runs are recorded under."""
        return CANDIDATE_PREFIX + self.name

    def is_gated_by(self, scenario: str) -> bool:
        """Whether a scenario, by its name, must vouch for it."""
        return any(matches(scenario, pattern) for pattern in self.patterns)


def matches(name: str, pattern: str) -> bool:
    """Whether a name is a pattern, or matches it as a shell matches files (``*``, ``?``, ``[...]``).

    A pattern is first taken literally: ids of parametrised tests hold brackets.
    """
    if name == pattern:
        return True
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)
