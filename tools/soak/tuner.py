"""The rules of live tuning: what metrics suggest. They are data (``tuning_rules.json``); here they are read and asked.

A rule proposes, and the guards decide (:mod:`tools.soak.guards`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError
from pytest_causal.policy.json_document import JsonDocument
from pytest_causal.policy.schema_check import check

RULES_FILE = Path(__file__).with_name("tuning_rules.json")
"""The rules that come with the toolkit."""


def rules_path(given: str) -> Path:
    """Return the file of the rules that a person named, or of those that come with the toolkit."""
    return Path(given) if given else RULES_FILE


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What must hold of one metric: each limit given. A metric that is missing or NaN meets no condition."""

    metric: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def holds(self, value: float | None) -> bool:
        """Return whether a value meets every limit."""
        lowest, highest = self._range
        return value is not None and lowest <= value <= highest

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The least and the greatest number that meet every limit: each is asked after each iteration."""
        return (
            max(
                -sys.float_info.max if self.at_least is None else self.at_least,
                -sys.float_info.max if self.above is None else math.nextafter(self.above, math.inf),
            ),
            min(
                sys.float_info.max if self.at_most is None else self.at_most,
                sys.float_info.max if self.below is None else math.nextafter(self.below, -math.inf),
            ),
        )

    def __str__(self) -> str:
        """Return the condition as a person reads it, such as ``0.4 <= risk_ratio < 0.6``."""
        return self._text

    @cached_property
    def _text(self) -> str:
        low = next(
            (f"{x:g} {sign} " for x, sign in ((self.at_least, "<="), (self.above, "<")) if x is not None), ""
        )
        high = next(
            (f" {sign} {x:g}" for x, sign in ((self.at_most, "<="), (self.below, "<")) if x is not None), ""
        )
        return f"{low}{self.metric}{high}"


class Effect(NamedTuple):
    """What a rule does to one path: ``add`` or multiply by ``mul``, no lower than ``floor``, no higher than ``cap``."""

    path: str
    add: float | None = None
    mul: float | None = None
    floor: float | None = None
    cap: float | None = None

    def delta(self, value: float) -> float:
        """Return the change of a value, before floor and cap."""
        return self.add if self.add is not None else value * ((self.mul or 0.0) - 1.0)


class Rule(NamedTuple):
    """Effects to propose where every condition holds."""

    name: str
    when: tuple[Condition, ...]
    then: tuple[Effect, ...]
    because: str


class Conflict(NamedTuple):
    """While ``rising`` is proposed to rise, these are not proposed to fall, and those not to rise."""

    rising: str
    not_falling: frozenset[str]
    not_rising: frozenset[str]


class TuningRules(NamedTuple):
    """The whole table, and the limits that its file gives the guards, under the names of ``GuardLimits``."""

    rules: tuple[Rule, ...]
    conflicts: tuple[Conflict, ...]
    guards: Mapping[str, Any]


class Proposal(NamedTuple):
    """A change that a rule suggests: ``delta`` at ``path``, going no lower than ``floor``, no higher than ``cap``."""

    path: str
    delta: float
    rule: str
    rationale: str
    floor: float | None = None
    cap: float | None = None


class SetAside(NamedTuple):
    """An effect of a rule that applies and was not proposed, and why."""

    path: str
    rule: str
    reason: str


class Proposals(NamedTuple):
    """What the rules suggest, in the order of the table, and what was set aside among themselves."""

    made: tuple[Proposal, ...]
    set_aside: tuple[SetAside, ...]


def holds(conditions: Sequence[Condition], metrics: Mapping[str, float | None]) -> bool:
    """Return whether every condition is met by the metrics."""
    for condition in conditions:  # noqa: SIM110  # a generator takes three times as long, for every rule
        if not condition.holds(metrics.get(condition.metric)):
            return False
    return True


def propose(rules: TuningRules, metrics: Mapping[str, float | None], values: Mapping[str, Any]) -> Proposals:
    """Return what the rules suggest for values (dotted path -> number) that gave these metrics.

    The first rule that names a path decides about it; then the conflicts are applied.
    """
    made: dict[str, Proposal] = {}
    aside: list[SetAside] = []
    for rule in rules.rules:
        if not holds(rule.when, metrics):
            continue
        for effect in rule.then:
            value = values.get(effect.path)
            if effect.path in made:
                aside.append(SetAside(effect.path, rule.name, f"{made[effect.path].rule} stands above it"))
            elif isinstance(value, bool) or not isinstance(value, int | float):
                aside.append(SetAside(effect.path, rule.name, "the policy has no such number"))
            else:
                made[effect.path] = _proposal(rule, effect, value, metrics)
    for conflict in rules.conflicts:
        for lost in _conflicting(conflict, made):
            aside.append(SetAside(lost.path, lost.rule, f"{conflict.rising} is to rise"))
            del made[lost.path]
    return Proposals(tuple(made.values()), tuple(aside))


def read_rules(document: JsonDocument) -> TuningRules:
    """Return the rules of a ``causal.tuning-rules/1`` document.

    Raises :class:`ConfigError`, with file and line, for what the schema does not know, for two rules of one name,
    for an effect that does not say exactly one of ``add`` and ``mul``, and for a condition that nothing can meet.
    """
    check(document, "tuning_rules")
    data = document.data
    names = [rule["name"] for rule in data["rules"]]
    if doubles := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{document.at(('rules',))}: two rules are called {min(doubles)!r}", "rename one")
    rules = tuple(_rule(rule, document.at(("rules",))) for rule in data["rules"])
    conflicts = tuple(
        Conflict(
            table["rising"], frozenset(table.get("not_falling", ())), frozenset(table.get("not_rising", ()))
        )
        for table in data.get("conflicts", ())
    )
    return TuningRules(rules, conflicts, data.get("guards", {}))


def read_conditions(tables: Sequence[Mapping[str, Any]], place: str) -> tuple[Condition, ...]:
    """Return conditions as written in the rules' file. Raises :class:`ConfigError` for one that nothing can meet."""
    conditions = tuple(Condition(**table) for table in tables)
    for condition in conditions:
        lowest = max((x for x in (condition.at_least, condition.above) if x is not None), default=-math.inf)
        highest = min((x for x in (condition.at_most, condition.below) if x is not None), default=math.inf)
        is_open = condition.above is not None or condition.below is not None
        if lowest > highest or (lowest == highest and is_open):
            raise ConfigError(f"{place}: nothing can meet {condition}", "correct its limits")
    return conditions


def _rule(table: Mapping[str, Any], place: str) -> Rule:
    where = f"{place}: {table['name']}"
    for effect in table["then"]:
        if ("add" in effect) == ("mul" in effect):
            raise ConfigError(
                f"{where}: {effect['path']} has both or none of add and mul", "give one of them"
            )
    effects = tuple(Effect(**effect) for effect in table["then"])
    return Rule(table["name"], read_conditions(table["when"], where), effects, table["because"])


def _proposal(rule: Rule, effect: Effect, value: float, metrics: Mapping[str, float | None]) -> Proposal:
    seen = ", ".join(f"{each} (is {metrics[each.metric]:g})" for each in rule.when)
    rationale = f"{rule.because}: {seen}"
    return Proposal(effect.path, effect.delta(value), rule.name, rationale, effect.floor, effect.cap)


def _conflicting(conflict: Conflict, made: Mapping[str, Proposal]) -> list[Proposal]:
    if conflict.rising not in made or made[conflict.rising].delta <= 0:
        return []
    return [
        proposal
        for path, proposal in made.items()
        if (proposal.delta < 0 and path in conflict.not_falling)
        or (proposal.delta > 0 and path in conflict.not_rising)
    ]
