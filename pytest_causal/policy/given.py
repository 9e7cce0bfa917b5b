"""What each file, variable and flag gives to the policy: paths, values, and where exactly they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.provenance import Given, Layer, Source
from pytest_causal.policy.tree import TreeError, flatten
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.table import LEGACY_POLICY_ENV, POLICY_ENV, POLICY_ENV_PREFIX, SET_FLAG

if TYPE_CHECKING:
    from pytest_causal.policy.overrides import Overrides
    from pytest_causal.policy.profiles import Profile
    from pytest_causal.settings.config_file import ConfigFile
    from pytest_causal.settings.sources import Settings


def from_config(settings: Settings) -> list[Given]:
    """Return the user's own policy, ``[policy]`` of the file."""
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


def from_profile(profile: Profile) -> list[Given]:
    """Return the values of a profile."""
    file = str(profile.path)
    return [
        Given(
            path=path,
            value=value,
            source=Source(layer=Layer.PROFILE, name=profile.name, file=file, line=profile.line(path)),
        )
        for path, value in profile.leaves.items()
    ]


def from_overrides(overrides: Overrides, profile: str) -> list[Given]:
    """Return the values of the override file, which lies above the profile of that name."""
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


def from_env(env: Mapping[str, str]) -> Iterator[list[Given]]:
    """Yield what each variable gives: the legacy one is the weakest, one leaf by name the strongest."""
    for name in (LEGACY_POLICY_ENV, POLICY_ENV):
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
    document = parse_json(text, name)
    if not isinstance(document.data, dict) or not document.data:
        found = "an empty object" if document.data == {} else f"a JSON {type(document.data).__name__}"
        raise ConfigError(f"{name} holds {found}", "expected a JSON object with values; or unset it")
    source = Source(layer=Layer.ENV, name=name)
    leaves = _flattened(document.data, document.at)
    return [Given(path=path, value=value, source=source) for path, value in leaves.items()]


def from_flag(text: str, flag: str = SET_FLAG) -> Given:
    """Return what ``PATH=VALUE``, given with ``flag``, gives. Raises :class:`UsageError` for another form."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UsageError(f"{flag} {shown(text)}", "write it as PATH=VALUE, such as limits.max_rows=5000")
    return Given(path=path, value=value, source=Source(layer=Layer.CLI, name=flag), is_text=True)


def _flattened(table: Mapping[str, Any], place_of: Callable[[tuple[str, ...]], str]) -> dict[str, Any]:
    try:
        return flatten(table)
    except TreeError as error:
        raise ConfigError(f"{place_of(error.path)}: {'.'.join(error.path)}: {error}", "correct it") from error
