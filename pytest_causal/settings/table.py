"""The one table of settings: flags, variables, file keys, reference and suggestions all come from these rows.

Adding a setting is adding a row here and a field to ``Settings``; a test holds the two together. This module
is imported whenever the plugin is active: the rows are named tuples because a dataclass takes ten times as
long to define.
"""

from enum import StrEnum
from typing import NamedTuple

from pytest_causal.model.criteria import Criteria, Rule, Unit


class Kind(StrEnum):
    """What a setting holds; its value says how a person writes it."""

    TEXT = "text"
    PATH = "path"
    SWITCH = "yes|no"
    COUNT = "whole number"
    NUMBER = "number"
    CHOICE = "one of"
    NAMES = "names"


class Trusted(StrEnum):
    """Whether runs of this session may count as evidence; ``auto`` asks the CI environment."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


class Interval(NamedTuple):
    """The numbers a setting may take; an open end leaves its own limit out."""

    low: float
    high: float
    is_low_open: bool = False
    is_high_open: bool = False

    def holds(self, number: float) -> bool:
        """Return whether a number is allowed; NaN never is."""
        above = self.low < number if self.is_low_open else self.low <= number
        below = number < self.high if self.is_high_open else number <= self.high
        return above and below

    def __str__(self) -> str:
        """Return the mathematical notation, such as ``(0, 1]``."""
        return f"{'[('[self.is_low_open]}{self.low:g}, {self.high:g}{'])'[self.is_high_open]}"


Value = str | bool | int | float | tuple[str, ...]


class Setting(NamedTuple):
    """One row. ``unit`` names what a number counts; ``section`` is the file's table that holds the key."""

    name: str
    kind: Kind
    default: Value
    help: str
    section: str = ""
    unit: str = ""
    interval: Interval | None = None

    @property
    def flag(self) -> str:
        """The pytest option, such as ``--causal-min-runs``."""
        return "--causal-" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        """The attribute under which pytest keeps the option."""
        return "causal_" + self.name

    @property
    def env(self) -> str:
        """The environment variable, such as ``CAUSAL_MIN_RUNS``."""
        return ENV_PREFIX + self.name.upper()

    @property
    def key(self) -> str:
        """The dotted key in ``causal.toml``; in ``pyproject.toml`` it stands under ``tool.causal``."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def choices(self) -> tuple[str, ...]:
        """The words allowed, where the setting is a choice: those of its default's enum."""
        return tuple(type(self.default)) if isinstance(self.default, StrEnum) else ()


ENV_PREFIX = "CAUSAL_"
POLICY_ENV = "CAUSAL_POLICY"
POLICY_ENV_PREFIX = "CAUSAL_POLICY__"
SET_FLAG = "--causal-set"
LEGACY_POLICY_ENV = "MM_RUNTIME_OVERRIDES_JSON"
RESERVED_ENV = frozenset({POLICY_ENV, "CAUSAL_POLICY_FILE", "CAUSAL_RESULT_FILE"})
"""Variables of ours that are no settings: policy values, and the protocol with a command under trial."""

CRITERIA = "criteria"
GUARDS = "guards"
SECTIONS = ("policy", "bounds", "promotion", "artifacts")
"""Tables of the file that other parts read; they are handed on as they are."""

_RATE = Interval(low=0, high=1, is_low_open=True, is_high_open=True)
_general = Criteria()

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="store",
        kind=Kind.PATH,
        default=".causal/history.db",
        help="History store: a file, relative to the root directory, or a URL.",
    ),
    Setting(
        name="strict",
        kind=Kind.SWITCH,
        default=False,
        help="Fail with a usage error when the store cannot record, instead of warning once.",
    ),
    Setting(
        name="messages",
        kind=Kind.SWITCH,
        default=True,
        help="Store the messages of failures, redacted; without them only the exception type is kept.",
    ),
    Setting(
        name="message_limit",
        kind=Kind.COUNT,
        default=500,
        help="Longest failure message that is stored.",
        unit="characters",
        interval=Interval(low=20, high=100_000),
    ),
    Setting(
        name="infrastructure_errors",
        kind=Kind.NAMES,
        default=(),
        help="Exception types that say nothing about the scenario, such as requests.ConnectionError.",
    ),
    Setting(
        name="session_key",
        kind=Kind.TEXT,
        default="",
        help="Sessions with one key are one unit of evidence; else those of one CI run and attempt are.",
    ),
    Setting(
        name="trusted",
        kind=Kind.CHOICE,
        default=Trusted.AUTO,
        help="Whether this session's runs may count; auto distrusts pull requests from forks.",
    ),
    Setting(
        name="busy_seconds",
        kind=Kind.NUMBER,
        default=30.0,
        help="How long to wait for a store that another process holds.",
        unit="seconds",
        interval=Interval(low=0, high=3600),
    ),
    Setting(
        name="summary_lines",
        kind=Kind.COUNT,
        default=12,
        help="Most scenarios named in the summary at the end of a session; all of them with -v.",
        unit="lines",
        interval=Interval(low=0, high=1000),
    ),
    Setting(
        name="profile",
        kind=Kind.TEXT,
        default="",
        help="Profile of policy values to use, by name.",
    ),
    Setting(
        name="profiles",
        kind=Kind.PATH,
        default="profiles",
        help="Directory of profiles, searched before those shipped with the package.",
    ),
    Setting(
        name="secrets",
        kind=Kind.NAMES,
        default=(),
        help="Policy values or tables that are never shown, such as database.dsn; passwords and tokens never are.",
    ),
    Setting(
        name="targets",
        kind=Kind.NAMES,
        default=(),
        help="Mappings that hold the policy's values while a session runs, as pkg.mod:NAME; restored afterwards.",
    ),
    Setting(
        name="shadow",
        kind=Kind.SWITCH,
        default=False,
        help="Run each test that gates an open candidate once more under the candidate's policy.",
    ),
    Setting(
        name="shadow_seed",
        kind=Kind.COUNT,
        default=0,
        help="Seed of the order in which a test and its shadows run; 0 draws a fresh one and prints it.",
        unit="seed",
        interval=Interval(low=0, high=2**32 - 1),
    ),
    Setting(
        name="arm",
        kind=Kind.TEXT,
        default="control",
        help="Policy of the whole session: control, or candidate:NAME for that of a promotion.",
    ),
    Setting(
        name="plugins",
        kind=Kind.NAMES,
        default=(),
        help="Modules that implement pytest_causal_* hooks, imported by name; for pytest and for the command line.",
    ),
    Setting(
        name="ladder",
        kind=Kind.NAMES,
        default=(),
        help="Profiles from the safest to the boldest; a promotion goes up one rung at a time.",
    ),
    Setting(
        name="watch_sessions",
        kind=Kind.COUNT,
        default=7,
        help="Sessions without a trigger after which a change that was made is validated.",
        unit="sessions",
        interval=Interval(low=1, high=1000),
    ),
    Setting(
        name="review",
        kind=Kind.SWITCH,
        default=True,
        help="After a session, watch changes that were made and decide on those that are proposed.",
    ),
    Setting(
        name="freeze",
        kind=Kind.SWITCH,
        default=False,
        help="The kill switch: decide and report, and change nothing.",
        section=GUARDS,
    ),
    Setting(
        name="freeze_file",
        kind=Kind.PATH,
        default=".causal/FROZEN",
        help="The kill switch as a file: while it is there nothing is changed. See causal freeze.",
        section=GUARDS,
    ),
    Setting(
        name="cooldown_hours",
        kind=Kind.NUMBER,
        default=6.0,
        help="How long a value that was changed is left alone.",
        section=GUARDS,
        unit="hours",
        interval=Interval(low=0, high=8760),
    ),
    Setting(
        name="max_actions",
        kind=Kind.COUNT,
        default=3,
        help="Most promotions within 24 hours; reverts are not counted.",
        section=GUARDS,
        unit="promotions",
        interval=Interval(low=1, high=1000),
    ),
    Setting(
        name="min_runs",
        kind=Kind.COUNT,
        default=_general.min_runs,
        help="Fewest runs before a scenario can be eligible.",
        section=CRITERIA,
        unit="runs",
        interval=Interval(low=1, high=1_000_000),
    ),
    Setting(
        name="min_sessions",
        kind=Kind.COUNT,
        default=_general.min_sessions,
        help="Fewest sessions before a scenario can be eligible.",
        section=CRITERIA,
        unit="sessions",
        interval=Interval(low=1, high=1_000_000),
    ),
    Setting(
        name="max_failure_rate",
        kind=Kind.NUMBER,
        default=_general.max_failure_rate,
        help="The failure rate that the evidence must be below.",
        section=CRITERIA,
        unit="ratio",
        interval=_RATE,
    ),
    Setting(
        name="rule",
        kind=Kind.CHOICE,
        default=Rule(_general.rule),
        help="How evidence is judged: sequential holds however often one looks, threshold is floors only.",
        section=CRITERIA,
    ),
    Setting(
        name="alpha",
        kind=Kind.NUMBER,
        default=_general.alpha,
        help="Chance of ever calling a scenario eligible whose failure rate is at the limit.",
        section=CRITERIA,
        unit="probability",
        interval=_RATE,
    ),
    Setting(
        name="unit",
        kind=Kind.CHOICE,
        default=Unit(_general.unit),
        help="What counts as one independent piece of evidence.",
        section=CRITERIA,
    ),
    Setting(
        name="max_age_days",
        kind=Kind.NUMBER,
        default=_general.max_age_days,
        help="Oldest that the newest evidence may be.",
        section=CRITERIA,
        unit="days",
        interval=Interval(low=0, high=36_500, is_low_open=True),
    ),
    Setting(
        name="max_incomplete_rate",
        kind=Kind.NUMBER,
        default=_general.max_incomplete_rate,
        help="Share of recent sessions that may be incomplete before the evidence is inconclusive.",
        section=CRITERIA,
        unit="ratio",
        interval=_RATE,
    ),
    Setting(
        name="flaky_weight",
        kind=Kind.NUMBER,
        default=_general.flaky_weight,
        help="How much a test that failed and then passed on rerun counts as failed.",
        section=CRITERIA,
        unit="ratio",
        interval=Interval(low=0, high=1),
    ),
)

BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}
