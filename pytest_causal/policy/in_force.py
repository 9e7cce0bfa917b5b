"""The policy in force, as everything that decides or shows sees it.

Most sessions have none: what is done with one is imported where it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_causal.errors import ConfigError
from pytest_causal.policy.canonical import canonical, fingerprint
from pytest_causal.settings.scalars import shown

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_causal.model.change import Change
    from pytest_causal.policy.bounds import Bound
    from pytest_causal.policy.mapping import PolicyMapping
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
        from pytest_causal.policy.tree import nest

        return nest(self.flat)

    @property
    def shown_values(self) -> dict[str, Any]:
        """The values as nested tables, with secrets masked."""
        from pytest_causal.policy.secrets import masked
        from pytest_causal.policy.tree import nest

        return nest(masked(self.flat, self.secrets))

    @property
    def read_values(self) -> dict[str, str]:
        """Dotted path -> the text that a run's read of the value in force is recorded as."""
        from pytest_causal.policy.secrets import read_value

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
        from pytest_causal.policy.mapping import PolicyMapping

        return PolicyMapping.of(self.flat, self.secrets)

    def with_change(self, change: Change, note: str) -> Policy:
        """Return the policy with a change made in it; ``note`` says in its origins why.

        Raises :class:`~pytest_causal.errors.ConfigError` where the change does not fit: a path that the policy does
        not have, another value in force than the one that it starts from, or a new value out of bounds.
        """
        from pytest_causal.policy.provenance import Layer, Leaf, Source
        from pytest_causal.settings.suggestion import did_you_mean

        leaves = dict(self.leaves)
        for step in change.steps:
            leaf = leaves.get(step.path)
            if leaf is None:
                raise ConfigError(
                    f"{note}: the policy has no {shown(step.path)}", did_you_mean(step.path, leaves)
                )
            if canonical(leaf.value) != canonical(step.before):
                raise ConfigError(
                    f"{note}: {step.path} is not {self._text(step.path, step.before)}, which the change starts from",
                    "propose the change anew",
                )
            bound = self.bounds.get(step.path)
            if bound is not None and not bound.holds(step.after):
                raise ConfigError(
                    f"{note}: {step.path} = {self._text(step.path, step.after)} is out of bounds",
                    f"expected {bound} ({bound.place})",
                )
            source = Source(layer=Layer.CLI, note=note)
            shadowed = ((leaf.value, leaf.source), *leaf.shadowed)
            leaves[step.path] = Leaf(step.path, step.after, source, shadowed)
        return self._replace(leaves=leaves)

    def _text(self, path: str, value: Any) -> str:
        from pytest_causal.policy.secrets import MASK

        return MASK if path in self.secrets else shown(value)

    def changed_profiles(self) -> tuple[Path, ...]:
        """Return the profile files that are no longer what was read; this policy keeps what it read."""
        return tuple(profile.path for profile in self.chain if profile.has_changed())
