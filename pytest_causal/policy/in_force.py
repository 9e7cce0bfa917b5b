"""The policy in force, as everything that decides or shows sees it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_causal.policy.canonical import fingerprint
from pytest_causal.policy.mapping import PolicyMapping
from pytest_causal.policy.secrets import masked, read_value
from pytest_causal.policy.tree import nest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_causal.policy.bounds import Bound
    from pytest_causal.policy.overrides import Overrides
    from pytest_causal.policy.profiles import Profile
    from pytest_causal.policy.provenance import Leaf, Source


class Policy(NamedTuple):
    """A resolved policy.

    ``leaves`` is dotted path -> value with origin, sorted; ``bounds`` is dotted path -> what it may become.
    ``chain`` holds the profile in force and those below it, the lowest first; it is empty without a profile.
    ``secrets`` are the paths whose values must not be shown. ``overrides`` is what the override file held.
    """

    leaves: Mapping[str, Leaf]
    bounds: Mapping[str, Bound] = MappingProxyType({})
    chain: tuple[Profile, ...] = ()
    secrets: frozenset[str] = frozenset()
    overrides: Overrides | None = None

    @property
    def profile(self) -> str:
        """The name of the profile in force, or nothing."""
        return self.chain[-1].name if self.chain else ""

    @property
    def flat(self) -> dict[str, Any]:
        """Dotted path -> value."""
        return {path: leaf.value for path, leaf in self.leaves.items()}

    @property
    def values(self) -> dict[str, Any]:
        """The values as nested tables."""
        return nest(self.flat)

    @property
    def shown_values(self) -> dict[str, Any]:
        """The values as nested tables, with secrets masked."""
        return nest(masked(self.flat, self.secrets))

    @property
    def read_values(self) -> dict[str, str]:
        """Dotted path -> the text that a run's read of the value in force is recorded as."""
        return {path: read_value(path, leaf.value, self.secrets) for path, leaf in self.leaves.items()}

    @property
    def sources(self) -> dict[str, Source]:
        """Dotted path -> where the value in force came from."""
        return {path: leaf.source for path, leaf in self.leaves.items()}

    @property
    def kpi(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Set -> metric -> limits, those of a profile replacing the same metric's of the profile it extends."""
        sets: dict[str, dict[str, Mapping[str, float]]] = {}
        for profile in self.chain:
            for name, metrics in profile.kpi.items():
                sets.setdefault(name, {}).update(metrics)
        return sets

    @property
    def fingerprint(self) -> str:
        """16 hex digits that are equal for equal values."""
        return fingerprint(self.flat)

    def mapping(self) -> PolicyMapping:
        """Return the values as the mapping that notes what is read of it."""
        return PolicyMapping.of(self.flat, self.secrets)

    def changed_profiles(self) -> tuple[Path, ...]:
        """Return the profile files that are no longer what was read; this policy keeps what it read."""
        return tuple(profile.path for profile in self.chain if profile.has_changed())
