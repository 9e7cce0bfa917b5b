"""The policy in force: flags > environment > profile (overrides above the file) > default, leaf by leaf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.policy.bounds import Bound, read_bounds
from pytest_causal.policy.canonical import fingerprint
from pytest_causal.policy.json_document import JsonDocument, parse_json
from pytest_causal.policy.legacy_keys import known_name
from pytest_causal.policy.mapping import PolicyMapping
from pytest_causal.policy.overrides import RELATIVE_PATH, Overrides, read_overrides
from pytest_causal.policy.precedence import merge
from pytest_causal.policy.profiles import Profile, load_chain, search_path
from pytest_causal.policy.provenance import Given, Layer, Leaf, Source
from pytest_causal.policy.tree import TreeError, flatten, nest
from pytest_causal.settings.config_file import ConfigFile
from pytest_causal.settings.flags import SET_FLAG
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.sources import Settings
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.table import POLICY_ENV, POLICY_ENV_PREFIX

LEGACY_ENV = "MM_RUNTIME_OVERRIDES_JSON"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A resolved policy.

    ``leaves`` is dotted path -> value with origin, sorted; ``bounds`` is dotted path -> what it may become.
    ``chain`` holds the profile in force and those below it, the lowest first; it is empty without a profile.
    """

    leaves: Mapping[str, Leaf]
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    chain: tuple[Profile, ...] = ()
    overrides: Overrides

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
        return PolicyMapping.of(self.flat)

    def changed_profiles(self) -> tuple[Path, ...]:
        """Return the profile files that are no longer what was read; this policy keeps what it read."""
        return tuple(profile.path for profile in self.chain if profile.has_changed())


def resolve_policy(settings: Settings, *, cli: Sequence[str], env: Mapping[str, str], root: Path) -> Policy:
    """Return the policy in force.

    ``cli`` holds ``PATH=VALUE`` texts; ``root`` is the directory whose ``.causal`` may hold overrides. Raises
    :class:`UsageError` for a bad flag and :class:`ConfigError` for anything else that cannot be used as it stands,
    each naming the place: nothing is skipped or guessed.
    """
    chain = load_chain(settings.profile, search_path(settings.profiles)) if settings.profile else ()
    overrides = read_overrides(root / RELATIVE_PATH)
    documents = [
        _from_config(settings),
        *(_from_profile(profile) for profile in chain),
        _from_overrides(overrides, settings.profile),
        *_from_env(env),
        [_from_flag(text) for text in cli],
    ]
    leaves = merge(documents)
    bounds = _bounds(settings, chain, leaves)
    _refuse_out_of_bounds(leaves, bounds)
    return Policy(leaves=leaves, bounds=bounds, chain=chain, overrides=overrides)


def _from_config(settings: Settings) -> list[Given]:
    config = settings.config
    if config is None:
        return []
    return [
        Given(path=path, value=value, source=_config_source(config, path))
        for path, value in _flattened(
            settings.policy_table, lambda key: config.place(("policy", *key))
        ).items()
    ]


def _config_source(config: ConfigFile, path: str) -> Source:
    line = config.line(("policy", *path.split(".")))
    return Source(layer=Layer.DEFAULT, file=str(config.path), line=line)


def _from_profile(profile: Profile) -> list[Given]:
    file = str(profile.path)
    return [
        Given(
            path=path,
            value=value,
            source=Source(layer=Layer.PROFILE, name=profile.name, file=file, line=profile.line(path)),
        )
        for path, value in profile.leaves.items()
    ]


def _from_overrides(overrides: Overrides, profile: str) -> list[Given]:
    given = []
    for path, value in overrides.leaves.items():
        entry = overrides.entries.get(path)
        note = f"{entry.by}, {entry.at[:10]}" if entry else ""
        if overrides.is_edited:
            note = "edited by hand"
        source = Source(
            layer=Layer.PROFILE,
            name=profile,
            file=str(overrides.path),
            line=overrides.line(path),
            revision=entry.revision if entry and not overrides.is_edited else overrides.revision,
            note=note,
        )
        given.append(Given(path=path, value=value, source=source))
    return given


def _from_env(env: Mapping[str, str]) -> Iterator[list[Given]]:
    """Yield what each variable gives: the legacy one is the weakest, one leaf by name the strongest."""
    for name in (LEGACY_ENV, POLICY_ENV):
        if name in env:
            yield _from_json_variable(name, env[name])
    single = []
    for name in sorted(env):
        if name.startswith(POLICY_ENV_PREFIX):
            path = name.removeprefix(POLICY_ENV_PREFIX).replace("__", ".")
            source = Source(layer=Layer.ENV, name=name)
            single.append(Given(path=path, value=env[name], source=source, is_text=True))
    yield single


def _from_json_variable(name: str, text: str) -> list[Given]:
    document: JsonDocument = parse_json(text, name)
    if not isinstance(document.data, dict) or not document.data:
        raise ConfigError(f"{name} is {shown(text)}", "expected a JSON object with values, or unset it")
    source = Source(layer=Layer.ENV, name=name)
    leaves = _flattened(document.data, document.at)
    return [Given(path=path, value=value, source=source) for path, value in leaves.items()]


def _from_flag(text: str) -> Given:
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UsageError(f"{SET_FLAG} {shown(text)}", "write it as PATH=VALUE, such as limits.max_rows=5000")
    return Given(path=path, value=value, source=Source(layer=Layer.CLI, name=SET_FLAG), is_text=True)


def _flattened(table: Mapping[str, Any], place_of: Any) -> dict[str, Any]:
    try:
        return flatten(table)
    except TreeError as error:
        raise ConfigError(f"{place_of(error.path)}: {'.'.join(error.path)}: {error}", "correct it") from error


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


def _refuse_out_of_bounds(leaves: Mapping[str, Leaf], bounds: Mapping[str, Bound]) -> None:
    for path, bound in bounds.items():
        leaf = leaves[path]
        if not bound.holds(leaf.value):
            kind = UsageError if leaf.source.layer is Layer.CLI else ConfigError
            what = f"{leaf.source.place}: {path} = {shown(leaf.value)} is out of bounds"
            raise kind(what, f"expected {bound} ({bound.place})")
