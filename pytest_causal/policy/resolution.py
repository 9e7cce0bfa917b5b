"""The layers put together, and the result held to its bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.policy import given
from pytest_causal.policy.bounds import Bound, read_bounds
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.legacy_keys import known_name
from pytest_causal.policy.overrides import read_overrides
from pytest_causal.policy.precedence import merge
from pytest_causal.policy.profiles import Profile, UnknownProfileError, load_chain, search_path
from pytest_causal.policy.provenance import Layer, Leaf
from pytest_causal.policy.secrets import MASK, secret_paths
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.sources import Layer as SettingLayer
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.table import SET_FLAG

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_causal.settings.sources import Settings


def resolve(
    settings: Settings,
    *,
    cli: Sequence[str],
    env: Mapping[str, str],
    overrides_path: Path | None,
    flag: str = SET_FLAG,
) -> Policy:
    """Return the policy of all layers, without overrides where there is no path for them.

    ``flag`` is the option by which the texts ``cli`` were given, as errors and origins name it.
    See :func:`~pytest_causal.policy.layers.resolve_policy`.
    """
    chain = _chain(settings)
    overrides = read_overrides(overrides_path) if overrides_path else None
    documents = [
        given.from_config(settings),
        *(given.from_profile(profile) for profile in chain),
        given.from_overrides(overrides, settings.profile) if overrides else (),
        *given.from_env(env),
        [given.from_flag(text, flag) for text in cli],
    ]
    leaves = merge(documents, settings.secrets)
    secrets = secret_paths({path: leaf.value for path, leaf in leaves.items()}, settings.secrets)
    bounds = _bounds(settings, chain, leaves)
    _refuse_out_of_bounds(leaves, bounds, secrets)
    return Policy(leaves=leaves, bounds=bounds, chain=chain, secrets=secrets, overrides=overrides)


def _chain(settings: Settings) -> tuple[Profile, ...]:
    if not settings.profile:
        return ()
    try:
        return load_chain(settings.profile, search_path(settings.profiles))
    except UnknownProfileError as error:
        if settings.origins["profile"].layer is SettingLayer.FLAG and error.name == settings.profile:
            raise UsageError(error.what, error.remedy) from error
        raise


def _bounds(settings: Settings, chain: Sequence[Profile], leaves: Mapping[str, Leaf]) -> dict[str, Bound]:
    """Return the bounds in force: a profile's replace those of the profile below it; the user's hold as well."""
    below: dict[str, Bound] = {}
    for profile in chain:
        below.update(profile.bounds)
    own: dict[str, Bound] = {}
    if config := settings.config:
        own = read_bounds(settings.bounds_table, lambda key: config.place(("bounds", *key)))
    bounds: dict[str, Bound] = {}
    for path, bound in (*below.items(), *own.items()):
        known = known_name(path, leaves)
        if known is None:
            raise ConfigError(f"{bound.place}: bounds of unknown {shown(path)}", did_you_mean(path, leaves))
        if isinstance(leaves[known].value, bool) or not isinstance(leaves[known].value, int | float):
            raise ConfigError(f"{bound.place}: bounds of {known}, which is no number", "remove them")
        bounds[known] = bound.within(bounds[known]) if known in bounds else bound
    return dict(sorted(bounds.items()))


def _refuse_out_of_bounds(
    leaves: Mapping[str, Leaf], bounds: Mapping[str, Bound], secrets: frozenset[str]
) -> None:
    for path, bound in bounds.items():
        leaf = leaves[path]
        if not bound.holds(leaf.value):
            kind = UsageError if leaf.source.layer is Layer.CLI else ConfigError
            value = MASK if path in secrets else shown(leaf.value)
            what = f"{leaf.source.place}: {path} = {value} is out of bounds"
            raise kind(what, f"expected {bound} ({bound.place})")
