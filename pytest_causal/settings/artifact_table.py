"""What is said of artifacts: the table ``[artifacts]`` of the configuration file, and flags of ``causal rotate``.

It is read only where artifacts are dealt with, and has rows of its own: a session without them pays nothing. What is
not given comes from the preset; ``[artifacts.classes.NAME]`` says otherwise for one class, a flag for one run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.model.artifact import ArtifactClass, RotationPolicy
from pytest_causal.rules.artifact_classes import Classifier
from pytest_causal.rules.rotation_presets import LIMITS, SOAK_CLASSES, Preset, preset_policy
from pytest_causal.settings.config_file import ConfigFile
from pytest_causal.settings.sources import Settings, checked_value
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.table import Interval, Kind, Setting, Value

SECTION = "artifacts"
CLASSES = "classes"
MEGABYTE_BYTES = 1_000_000
_DAYS = Interval(low=0, high=36_500)
_COUNT = Interval(low=0, high=1_000_000_000_000)
_MAIN = LIMITS[Preset.MAIN]

RULES: tuple[Setting, ...] = (
    Setting(
        name="keep_latest",
        kind=Kind.COUNT,
        default=_MAIN.keep_latest,
        help="Latest files of a class that are never deleted, by iteration number; 0 protects none.",
        section=SECTION,
        unit="files",
        interval=_COUNT,
    ),
    Setting(
        name="keep_within_days",
        kind=Kind.NUMBER,
        default=0.0,
        help="Files younger than this are never deleted.",
        section=SECTION,
        unit="days",
        interval=_DAYS,
    ),
    Setting(
        name="keep_daily",
        kind=Kind.COUNT,
        default=0,
        help="Last days (UTC) of which the newest file is never deleted.",
        section=SECTION,
        unit="days with files",
        interval=_COUNT,
    ),
    Setting(
        name="keep_weekly",
        kind=Kind.COUNT,
        default=0,
        help="Last ISO weeks of which the newest file is never deleted.",
        section=SECTION,
        unit="weeks with files",
        interval=_COUNT,
    ),
    Setting(
        name="keep_monthly",
        kind=Kind.COUNT,
        default=0,
        help="Last months of which the newest file is never deleted.",
        section=SECTION,
        unit="months with files",
        interval=_COUNT,
    ),
    Setting(
        name="ttl_days",
        kind=Kind.NUMBER,
        default=_MAIN.compress_after_days,
        help="Files older than this are compressed.",
        section=SECTION,
        unit="days",
        interval=_DAYS,
    ),
    Setting(
        name="delete_after_days",
        kind=Kind.NUMBER,
        default="",
        help="Files older than this that no rule keeps are deleted; none are where it is not given.",
        section=SECTION,
        unit="days",
        interval=_DAYS,
    ),
)
"""What may be said of all files, and of a class."""

LIMIT_ROWS: tuple[Setting, ...] = (
    Setting(
        name="max_size_mb",
        kind=Kind.NUMBER,
        default=_MAIN.max_size_bytes / MEGABYTE_BYTES,
        help="Most that a root may hold; beyond it the oldest files that no rule keeps are deleted.",
        section=SECTION,
        unit="megabytes (1,000,000 bytes)",
        interval=Interval(low=0, high=1e9, is_low_open=True),
    ),
    Setting(
        name="max_removed_ratio",
        kind=Kind.NUMBER,
        default=0.5,
        help="Share of the files that one run may delete: a clock that jumps must not empty the disk.",
        section=SECTION,
        unit="ratio",
        interval=Interval(low=0, high=1, is_low_open=True),
    ),
    Setting(
        name="min_age_seconds",
        kind=Kind.NUMBER,
        default=60.0,
        help="A file changed less than this ago is left: somebody may be writing it.",
        section=SECTION,
        unit="seconds",
        interval=Interval(low=0, high=31_536_000),
    ),
    Setting(
        name="level",
        kind=Kind.COUNT,
        default=3,
        help="Level of zstd; 19 takes 250 times as long as 3 and saves a fifth more.",
        section=SECTION,
        unit="level",
        interval=Interval(low=1, high=19),
    ),
    Setting(
        name="jobs",
        kind=Kind.COUNT,
        default=2,
        help="Files that are compressed at once.",
        section=SECTION,
        unit="threads",
        interval=Interval(low=1, high=64),
    ),
)
"""What may be said of a root."""

SESSION_ROWS: tuple[Setting, ...] = (
    Setting(
        name="roots",
        kind=Kind.NAMES,
        default=("artifacts/soak",),
        help="Directories to rotate, relative to the file that names them.",
        section=SECTION,
    ),
    Setting(
        name="preset",
        kind=Kind.CHOICE,
        default=Preset.MAIN,
        help="Limits where none are given.",
        section=SECTION,
    ),
    Setting(
        name="after_session",
        kind=Kind.SWITCH,
        default=False,
        help="Rotate the roots, and look after the store, at the end of each pytest session.",
        section=SECTION,
    ),
    Setting(
        name="budget_seconds",
        kind=Kind.NUMBER,
        default=20.0,
        help="Longest that this may take at the end of a session.",
        section=SECTION,
        unit="seconds",
        interval=Interval(low=0, high=3600),
    ),
    Setting(
        name="quarantine_days",
        kind=Kind.NUMBER,
        default="",
        help="Damaged stores set aside longer ago than this are deleted after a session; not given, none are.",
        section=SECTION,
        unit="days",
        interval=_DAYS,
    ),
)

ROWS = (*SESSION_ROWS, *LIMIT_ROWS, *RULES)
PATTERNS = Setting(
    name="patterns", kind=Kind.NAMES, default=(), help="Names of the files of a class.", section=SECTION
)
ITERATION = Setting(
    name="iteration",
    kind=Kind.TEXT,
    default="",
    help="Expression whose first group is the number of the iteration.",
    section=SECTION,
)
_FIELDS = {"ttl_days": "compress_after_days"}
"""Rows that have another name in the rules, where they stand beside ``delete_after_days``."""

Values = dict[str, Value]


class ArtifactSettings(NamedTuple):
    """What is in force. ``roots`` are absolute."""

    roots: tuple[Path, ...]
    after_session: bool
    budget_seconds: float
    quarantine_days: float | None
    policy: RotationPolicy


def artifact_settings(settings: Settings, flags: Mapping[str, str | None] | None = None) -> ArtifactSettings:
    """Return what is in force for artifacts. ``flags`` maps names of rows to the text that was given for this run.

    Raises :class:`UsageError` for a bad flag and :class:`ConfigError` for what the file says, each with its place.
    """
    flagged = _from_flags(flags or {})
    general, by_class = _from_file(settings)
    values: Values = {row.name: row.default for row in SESSION_ROWS} | general | flagged
    policy = preset_policy(Preset(str(values["preset"])), _classes(by_class))
    classes = tuple(
        replace(each, rules=replace(each.rules, **_rules(general | by_class.get(each.name, {}) | flagged)))
        for each in policy.classes
    )
    Classifier(classes)  # refuses patterns that cannot be used
    return ArtifactSettings(
        roots=_roots(settings, values["roots"], is_from_file="roots" in general),
        after_session=values["after_session"] is True,
        budget_seconds=_number(values["budget_seconds"]) or 0.0,
        quarantine_days=_number(values["quarantine_days"]),
        policy=replace(policy, classes=classes, **_limits(values)),
    )


def _from_flags(flags: Mapping[str, str | None]) -> Values:
    rows = {row.name: row for row in ROWS}
    found: Values = {}
    for name, text in flags.items():
        if text is not None:
            flag = "--" + name.replace("_", "-")
            try:
                found[name] = checked_value(rows[name], text, is_typed=False)
            except ValueError as problem:
                raise UsageError(f"{flag}: {problem}", "correct it or leave it out") from problem
    return found


def _from_file(settings: Settings) -> tuple[Values, dict[str, Values]]:
    """Return what the file says of all files, and of each class by its name."""
    config, table = settings.config, dict(settings.artifacts_table)
    classes = table.pop(CLASSES, {})
    if config is None:
        return {}, {}
    if not isinstance(classes, dict):
        raise ConfigError(
            f"{config.place((SECTION, CLASSES))}: classes is no table", "write [artifacts.classes.NAME]"
        )
    by_class = {}
    for name, said in classes.items():
        path = (SECTION, CLASSES, name)
        if not isinstance(said, dict):
            raise ConfigError(
                f"{config.place(path)}: {name} is no table", f"write [artifacts.classes.{name}]"
            )
        by_class[name] = _typed(said, (PATTERNS, ITERATION, *RULES), path, config)
    return _typed(table, ROWS, (SECTION,), config), by_class


def _typed(
    said: Mapping[str, Any], rows: Sequence[Setting], path: tuple[str, ...], config: ConfigFile
) -> Values:
    known = {row.name: row for row in rows}
    found: Values = {}
    for key, value in said.items():
        place, dotted = config.place((*path, key)), ".".join((*path, key))
        if key not in known:
            raise ConfigError(f"{place}: unknown key {dotted!r}", did_you_mean(key, known))
        try:
            found[key] = checked_value(known[key], value)
        except ValueError as problem:
            raise ConfigError(f"{place}: {dotted}: {problem}", "correct it or leave it out") from problem
    return found


def _classes(by_class: Mapping[str, Values]) -> tuple[ArtifactClass, ...]:
    """Return the classes that were given, or those of the soak toolkit; one of its names needs no patterns."""
    if not by_class:
        return SOAK_CLASSES
    known = {each.name: each for each in SOAK_CLASSES}
    found = []
    for name, values in by_class.items():
        base = known.get(name, ArtifactClass(name=name, patterns=()))
        patterns, iteration = values.get("patterns", base.patterns), values.get("iteration", base.iteration)
        if isinstance(patterns, tuple) and isinstance(iteration, str):
            found.append(ArtifactClass(name=name, patterns=patterns, iteration=iteration))
    return tuple(found)


def _rules(values: Values) -> dict[str, Any]:
    return {_FIELDS.get(row.name, row.name): values[row.name] for row in RULES if row.name in values}


def _limits(values: Values) -> dict[str, Any]:
    found: dict[str, Any] = {row.name: values[row.name] for row in LIMIT_ROWS if row.name in values}
    if "max_size_mb" in found:
        found["max_size_bytes"] = int(found.pop("max_size_mb") * MEGABYTE_BYTES)
    return found


def _roots(settings: Settings, roots: Value, *, is_from_file: bool) -> tuple[Path, ...]:
    start = settings.config.path.parent if settings.config and is_from_file else settings.root
    return tuple(start / root for root in roots) if isinstance(roots, tuple) else ()


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None
