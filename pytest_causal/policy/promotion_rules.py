"""Rules of promotion as the configuration file states them, and the changes they propose today.

Everything that could never work is refused here, when the file is read: a path that the policy does not have, a value
of another type or out of bounds, a rung that is not on the ladder, a limit that nothing can meet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_causal.errors import CausalError, ConfigError
from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Basis, MetricLimit, Mode, PromotionRule, Trigger
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.legacy_keys import known_name
from pytest_causal.policy.profiles import load_chain, search_path
from pytest_causal.policy.tree import TreeError, flatten, is_at_or_under
from pytest_causal.policy.values import conform
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.sources import checked_value
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.table import CRITERIA, SETTINGS

if TYPE_CHECKING:
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.settings.sources import Settings

SECTION = "promotion"
_KEYS = (
    *("name", "scenarios", "changes", "to", "mode", "evidence", "criteria", "metrics", "reads"),
    *("revert_when", "watch_sessions"),
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_METRIC_SIDES = ("min", "max")
_TRIGGER_SIDES = ("max", "min", "max_increase", "max_decrease")
_Word = TypeVar("_Word", bound=StrEnum)


def read_rules(settings: Settings) -> tuple[PromotionRule, ...]:
    """Return the ``[[promotion]]`` tables of the configuration file, in its order, checked for themselves.

    Raises :class:`ConfigError` with the place for an unknown key, a value of the wrong kind, and two of one name.
    """
    rules: dict[str, PromotionRule] = {}
    for table, place in settings.promotion_tables:
        rule = _read_rule(table, place, settings)
        if rule.name in rules:
            raise ConfigError(f"{place}: a second promotion {rule.name!r}", "give each its own name")
        rules[rule.name] = rule
    return tuple(rules.values())


def usable_rules(settings: Settings) -> tuple[PromotionRule, ...]:
    """Return the rules, or none where one cannot be used: a session is recorded all the same; the review says why."""
    try:
        return read_rules(settings)
    except ConfigError:
        return ()


def find_rule(settings: Settings, name: str) -> PromotionRule:
    """Return a rule by its name. Raises :class:`ConfigError`, naming the nearest."""
    rules = {rule.name: rule for rule in read_rules(settings)}
    if name not in rules:
        raise ConfigError(f"there is no promotion {shown(name)}", did_you_mean(name, rules))
    return rules[name]


def proposed_change(rule: PromotionRule, settings: Settings, policy: Policy) -> Change | None:
    """Return what a rule would change of the policy in force; ``None`` where that has these values already.

    Raises :class:`ConfigError` for a path, also of its ``reads``, that the policy does not have, a value of another
    type or out of bounds, and a rung that is not the next one up the ladder, or below.
    """
    for path in rule.reads:
        if not any(is_at_or_under(leaf, path) for leaf in policy.leaves):
            raise ConfigError(
                f"{_where(rule)}: reads: the policy has no {shown(path)}",
                did_you_mean(path, policy.leaves),
            )
    wanted: Mapping[str, Any] = dict(rule.values)
    if rule.to:
        chain = load_chain(rule.to, search_path(settings.profiles))
        wanted = {path: value for profile in chain for path, value in profile.leaves.items()}
        _check_rung(rule, settings, policy)
    return change_of(wanted, policy, lambda path: f"{_where(rule)}: {path}")


def change_of(
    wanted: Mapping[str, Any],
    policy: Policy,
    place_of: Callable[[str], str],
    kind: type[CausalError] = ConfigError,
) -> Change | None:
    """Return the change from the policy in force to dotted path -> wanted value, or ``None`` where there is none.

    Raises ``kind`` for a path that the policy does not have, and a value of another type or out of bounds.
    """
    steps = []
    for given, value in wanted.items():
        path = known_name(given, policy.leaves)
        if path is None:
            raise kind(
                f"{place_of(given)}: the policy has no {shown(given)}", did_you_mean(given, policy.leaves)
            )
        before = policy.leaves[path].value
        try:
            after = conform(value, before)
        except ValueError as error:
            raise kind(f"{place_of(path)}: {error}", "correct the value") from error
        bound = policy.bounds.get(path)
        if bound is not None and not bound.holds(after):
            raise kind(
                f"{place_of(path)} = {shown(after)} is out of bounds", f"expected {bound} ({bound.place})"
            )
        if canonical(after) != canonical(before):
            steps.append(Step(path, before, after))
    return Change(tuple(sorted(steps))) if steps else None


def rung_in_force(settings: Settings, policy: Policy) -> int:
    """Return the place on the ladder of the highest rung of which every value is in force, or -1."""
    flat = {path: canonical(value) for path, value in policy.flat.items()}
    for place in range(len(settings.ladder) - 1, -1, -1):
        chain = load_chain(settings.ladder[place], search_path(settings.profiles))
        leaves = {path: value for profile in chain for path, value in profile.leaves.items()}
        if all(flat.get(path) == canonical(value) for path, value in leaves.items()):
            return place
    return -1


def _where(rule: PromotionRule) -> str:
    """Return what a person is to look at: a table of the configuration file, or an option of the command line."""
    return rule.place if rule.place.startswith("--") else f"{rule.place}: promotion {rule.name!r}"


def _check_rung(rule: PromotionRule, settings: Settings, policy: Policy) -> None:
    ladder = settings.ladder
    if not ladder:
        raise ConfigError(
            f"{_where(rule)}: {rule.to} is to be reached by a ladder, and there is none",
            f'list profiles from the safest on: ladder = ["...", "{rule.to}"]',
        )
    if rule.to not in ladder:
        raise ConfigError(
            f"{_where(rule)}: {rule.to} is no rung of the ladder", f"rungs: {', '.join(ladder)}"
        )
    now = rung_in_force(settings, policy)
    if ladder.index(rule.to) > now + 1:
        here = ladder[now] if now >= 0 else "below the ladder"
        raise ConfigError(
            f"{_where(rule)}: {rule.to} is more than one rung above {here}",
            f"take {ladder[now + 1]} first",
        )


def _read_rule(table: Mapping[str, Any], place: str, settings: Settings) -> PromotionRule:
    for key in table:
        if key not in _KEYS:
            raise ConfigError(f"{place}: unknown key {shown(key)} of a promotion", did_you_mean(key, _KEYS))
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{place}: name is {shown(name)}", "name each promotion with letters, digits, '_', '-' and '.'"
        )
    where = f"{place}: promotion {name!r}"
    if ("changes" in table) == ("to" in table):
        raise ConfigError(f"{where}: it needs either changes or to", "give one of the two")
    rule = PromotionRule(
        name=name,
        scenarios=_texts(table.get("scenarios"), f"{where}: scenarios", needed=True),
        values=_changes(table, where),
        to=_text(table.get("to", ""), f"{where}: to"),
        mode=_word(Mode, table.get("mode", Mode.PROPOSE), f"{where}: mode"),
        basis=_word(Basis, table.get("evidence", Basis.CANDIDATE), f"{where}: evidence"),
        criteria=_criteria(table.get("criteria", {}), f"{where}: criteria"),
        metrics=tuple(_metrics(table.get("metrics", {}), f"{where}: metrics")),
        triggers=tuple(_triggers(table.get("revert_when", {}), f"{where}: revert_when")),
        reads=_texts(table.get("reads", []), f"{where}: reads"),
        watch_sessions=_count(
            table.get("watch_sessions", settings.watch_sessions), f"{where}: watch_sessions"
        ),
        place=place,
    )
    if rule.mode is Mode.AUTO and not rule.triggers:
        raise ConfigError(
            f"{where}: mode is auto and nothing says when to take it back",
            "add revert_when, such as revert_when = {failure_rate = {max = 0.2}}",
        )
    return rule


def _changes(table: Mapping[str, Any], where: str) -> tuple[tuple[str, Any], ...]:
    if "changes" not in table:
        return ()
    changes = table["changes"]
    if not isinstance(changes, dict) or not changes:
        raise ConfigError(f"{where}: changes is {shown(changes)}", "write it as {path = value}")
    try:
        # A quoted key is a whole dotted path; nested tables spell the same.
        leaves = {path: value for key, inner in changes.items() for path, value in _under(key, inner)}
    except TreeError as error:
        raise ConfigError(f"{where}: changes: {'.'.join(error.path)}: {error}", "correct it") from error
    return tuple(sorted(leaves.items()))


def _under(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"{key}.{path}", leaf) for path, leaf in flatten(value).items())
    else:
        yield key, flatten({"value": value})["value"]


def _criteria(table: Any, where: str) -> tuple[tuple[str, Any], ...]:
    rows = {setting.name: setting for setting in SETTINGS if setting.section == CRITERIA}
    checked = {}
    for key, value in _table(table, where).items():
        if key not in rows:
            raise ConfigError(f"{where}: unknown key {shown(key)}", did_you_mean(key, rows))
        try:
            checked[key] = checked_value(rows[key], value)
        except ValueError as error:
            raise ConfigError(f"{where}: {key}: {error}", "correct it or leave it out") from error
    return tuple(sorted(checked.items()))


def _metrics(table: Any, where: str) -> Iterator[MetricLimit]:
    for metric, limits in sorted(_table(table, where).items()):
        sides = _sides(limits, f"{where}.{metric}", _METRIC_SIDES)
        _check_order(sides, f"{where}.{metric}")
        yield MetricLimit(metric, **sides)


def _triggers(table: Any, where: str) -> Iterator[Trigger]:
    for signal, limits in sorted(_table(table, where).items()):
        sides = _sides(limits, f"{where}.{signal}", _TRIGGER_SIDES)
        _check_order(sides, f"{where}.{signal}")
        for side in ("max_increase", "max_decrease"):
            if sides.get(side, 0.0) < 0:
                raise ConfigError(
                    f"{where}.{signal}: {side} is negative", "give a ratio, such as 0.2 for 20 %"
                )
        yield Trigger(signal, **sides)


def _check_order(sides: Mapping[str, float], where: str) -> None:
    if "min" in sides and "max" in sides and sides["min"] > sides["max"]:
        raise ConfigError(f"{where}: min is above max", "exchange or correct them")


def _sides(limits: Any, where: str, allowed: tuple[str, ...]) -> dict[str, float]:
    table = _table(limits, where)
    if not table:
        raise ConfigError(f"{where} limits nothing", f"give one of {', '.join(allowed)}")
    for key, value in table.items():
        if key not in allowed:
            raise ConfigError(f"{where}: unknown key {shown(key)}", did_you_mean(key, allowed))
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{where}: {key} is {shown(value)}", "expected a finite number")
    return {key: float(value) for key, value in table.items()}


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {shown(value)}", "write it as a table")
    return value


def _texts(value: Any, where: str, *, needed: bool = False) -> tuple[str, ...]:
    is_list = isinstance(value, list) and all(isinstance(each, str) and each for each in value)
    if not is_list or (needed and not value):
        raise ConfigError(f"{where} is {shown(value)}", "write it as a list of names")
    return tuple(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where} is {shown(value)}", "write it as text")
    return value


def _word(words: type[_Word], value: Any, where: str) -> _Word:
    if value not in tuple(words):
        raise ConfigError(f"{where} is {shown(value)}", f"expected one of {', '.join(words)}")
    return words(value)


def _count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise ConfigError(f"{where} is {shown(value)}", "expected a whole number from 1 to 1000")
    return value
