"""The settings in force, and where each came from: flag > environment > file > default."""

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import CausalError, ConfigError, UsageError
from pytest_causal.model.criteria import Criteria
from pytest_causal.settings.config_file import ConfigFile, find_config
from pytest_causal.settings.scalars import parse_number, parse_switch, parse_whole, shown
from pytest_causal.settings.table import (
    CRITERIA,
    ENV_PREFIX,
    POLICY_ENV_PREFIX,
    RESERVED_ENV,
    SECTIONS,
    SETTINGS,
    Kind,
    Setting,
    Trusted,
    Value,
)


class Layer(StrEnum):
    """Where a setting was given, strongest first."""

    FLAG = "flag"
    ENV = "env"
    FILE = "file"
    DEFAULT = "default"


class Origin(NamedTuple):
    """Where a value came from. ``place`` is the flag, the variable, or ``FILE:LINE``; empty for a default."""

    layer: Layer
    place: str = ""


class Settings(NamedTuple):
    """Every setting of the table, typed. Paths are absolute; ``store`` is a path or a URL.

    ``root`` is the directory that relative paths start from (those written in a file start from that file's
    directory). ``config`` is the file that was read. ``origins`` has an entry for each name in the table.
    """

    root: Path
    config: ConfigFile | None
    origins: Mapping[str, Origin]
    store: str
    strict: bool
    messages: bool
    message_limit: int
    infrastructure_errors: tuple[str, ...]
    session_key: str
    trusted: Trusted
    busy_seconds: float
    summary_lines: int
    profile: str
    profiles: str
    secrets: tuple[str, ...]
    targets: tuple[str, ...]
    shadow: bool
    shadow_seed: int
    arm: str
    plugins: tuple[str, ...]
    ladder: tuple[str, ...]
    watch_sessions: int
    review: bool
    freeze: bool
    freeze_file: str
    cooldown_hours: float
    max_actions: int
    criteria: Criteria

    @property
    def policy_table(self) -> Mapping[str, Any]:
        """The user's default policy, ``[policy]`` of the file, nested as written."""
        return self.config.section("policy") if self.config else {}

    @property
    def promotion_tables(self) -> list[tuple[dict[str, Any], str]]:
        """The user's rules of promotion, ``[[promotion]]`` of the file as written, each with its place."""
        return self.config.tables("promotion") if self.config else []

    @property
    def artifacts_table(self) -> Mapping[str, Any]:
        """What the user says of artifacts, ``[artifacts]`` of the file, as written."""
        return self.config.section("artifacts") if self.config else {}

    @property
    def bounds_table(self) -> Mapping[str, Any]:
        """The user's bounds, ``[bounds]`` of the file, as written."""
        return self.config.section("bounds") if self.config else {}


def resolve_settings(*, flags: Mapping[str, object], env: Mapping[str, str], root: Path) -> Settings:
    """Return the settings in force.

    ``flags`` maps names of the table to what was given (text, or a bool for a switch); ``None`` means not
    given. Raises :class:`UsageError` for a bad flag and :class:`ConfigError` for a bad variable or file: both
    name the place, what was found and what was expected, or the nearest known name for an unknown one.
    """
    root = root.absolute()
    config = find_config(root)
    _refuse_unknown_variables(env)
    if config:
        _refuse_unknown_keys(config)
    values: dict[str, Any] = {}
    criteria: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for setting in SETTINGS:
        value, origins[setting.name] = _choose(setting, flags, env, config)
        if setting.kind is Kind.PATH:
            from_file = config is not None and origins[setting.name].layer is Layer.FILE
            value = _absolute(str(value), config.path.parent if config and from_file else root)
        (criteria if setting.section == CRITERIA else values)[setting.name] = value
    return Settings(root=root, config=config, origins=origins, criteria=Criteria(**criteria), **values)


def _choose(
    setting: Setting, flags: Mapping[str, object], env: Mapping[str, str], config: ConfigFile | None
) -> tuple[Value, Origin]:
    if (given := flags.get(setting.name)) is not None:
        origin = Origin(layer=Layer.FLAG, place=setting.flag)
        return _converted(setting, given, setting.flag, UsageError), origin
    if (text := env.get(setting.env)) is not None:
        origin = Origin(layer=Layer.ENV, place=setting.env)
        return _converted(setting, text, setting.env, ConfigError), origin
    if config:
        table = config.section(setting.section) if setting.section else config.table
        if setting.name in table:
            place = config.place(tuple(setting.key.split(".")))
            value = _converted(
                setting, table[setting.name], f"{place}: {setting.key}", ConfigError, is_typed=True
            )
            return value, Origin(layer=Layer.FILE, place=place)
    return setting.default, Origin(layer=Layer.DEFAULT)


def _converted(
    setting: Setting, given: object, where: str, error: type[CausalError], *, is_typed: bool = False
) -> Value:
    """Return a value of the setting's kind. ``is_typed`` says that TOML already gave it a type."""
    try:
        return checked_value(setting, given, is_typed=is_typed or not isinstance(given, str))
    except ValueError as problem:
        raise error(f"{where}: {problem}", "correct it or leave it out") from problem


def checked_value(setting: Setting, given: object, *, is_typed: bool = True) -> Value:
    """Return a value of the setting's kind and within its interval, from a typed value or from text.

    Raises ValueError that says what was expected and what was found.
    """
    value = _typed(setting, given) if is_typed else _parsed(setting, str(given))
    if setting.interval and (not isinstance(value, int | float) or not setting.interval.holds(value)):
        raise ValueError(f"expected a value in {setting.interval}{_unit(setting)}, found {shown(given)}")
    return value


def _unit(setting: Setting) -> str:
    return f" {setting.unit}" if setting.unit else ""


def _parsed(setting: Setting, text: str) -> Value:
    match setting.kind:
        case Kind.SWITCH:
            return parse_switch(text)
        case Kind.COUNT:
            return parse_whole(text)
        case Kind.NUMBER:
            return parse_number(text)
        case Kind.NAMES:
            return _names([name.strip() for name in text.split(",")], text)
        case _:
            return _word(setting, text)


def _typed(setting: Setting, given: object) -> Value:
    match setting.kind, given:
        case Kind.SWITCH, bool():
            return given
        case Kind.COUNT | Kind.NUMBER, bool():
            pass
        case Kind.COUNT, int():
            return given
        case Kind.NUMBER, int() | float() if math.isfinite(given):
            return float(given)
        case Kind.NAMES, list():
            return _names(given, given)
        case Kind.TEXT | Kind.PATH | Kind.CHOICE, str():
            return _word(setting, given)
    raise ValueError(f"expected {_expected(setting)}, found {shown(given)}")


def _expected(setting: Setting) -> str:
    match setting.kind:
        case Kind.SWITCH:
            return "true or false"
        case Kind.NUMBER:
            return "a finite number"
        case Kind.NAMES:
            return "a list of names"
        case Kind.CHOICE:
            return f"one of {', '.join(setting.choices)}"
        case _:
            return f"a {setting.kind}"


def _word(setting: Setting, text: str) -> Value:
    if setting.choices:
        if text not in setting.choices:
            raise ValueError(f"expected one of {', '.join(setting.choices)}, found {shown(text)}")
        return type(setting.default)(text)
    if not text and setting.default:
        raise ValueError("expected a value, found an empty one")
    if not text.isprintable():
        raise ValueError(f"expected printable text, found {shown(text)}")
    return text


def _names(names: list[Any], found: object) -> tuple[str, ...]:
    if not all(isinstance(name, str) and name and name.isprintable() for name in names):
        raise ValueError(f"expected names, none of them empty, found {shown(found)}")
    return tuple(names)


def _absolute(path: str, start: Path) -> str:
    return path if "://" in path else str(start / path)


def _refuse_unknown_variables(env: Mapping[str, str]) -> None:
    known = {setting.env for setting in SETTINGS} | RESERVED_ENV
    for name in env:
        if name.startswith(ENV_PREFIX) and name not in known and not name.startswith(POLICY_ENV_PREFIX):
            from pytest_causal.settings.suggestion import did_you_mean

            raise ConfigError(f"unknown environment variable {name}", did_you_mean(name, known))


def _refuse_unknown_keys(config: ConfigFile) -> None:
    sections = {setting.section for setting in SETTINGS if setting.section}
    top = {setting.name for setting in SETTINGS if not setting.section} | sections | set(SECTIONS)
    _refuse_unknown(config, config.table, (), top)
    for section in sections:
        known = {setting.name for setting in SETTINGS if setting.section == section}
        _refuse_unknown(config, config.section(section), (section,), known)


def _refuse_unknown(
    config: ConfigFile, table: Mapping[str, Any], where: tuple[str, ...], known: set[str]
) -> None:
    for key in table:
        if key not in known:
            from pytest_causal.settings.suggestion import did_you_mean

            path = (*where, key)
            raise ConfigError(
                f"{config.place(path)}: unknown key {shown('.'.join(path))}", did_you_mean(key, known)
            )
