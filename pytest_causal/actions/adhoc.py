"""A change that a person names on the spot: the rule it is judged by, made from the evidence there is.

Whatever has been seen to read one of the values must vouch for the change, and it is watched by the general limit on
the failure rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_causal.actions.context import Context
from pytest_causal.errors import UsageError
from pytest_causal.model.change import Change
from pytest_causal.model.promotion import FAILURE_RATE, PromotionRule, Trigger
from pytest_causal.model.run import ReadHow
from pytest_causal.policy.given import from_flag
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.legacy_keys import known_name
from pytest_causal.policy.promotion_rules import change_of, proposed_change
from pytest_causal.policy.values import parse
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.store.interface import HistoryStore

BY_HAND = "by hand"
"""The name of a change given as values. It holds a blank, which no rule's name does."""


def rule_of_values(context: Context, texts: Sequence[str], policy: Policy) -> PromotionRule:
    """Return the rule of a change given as ``PATH=VALUE`` texts. Raises UsageError for what cannot be set."""
    wanted = {}
    for text in texts:
        given = from_flag(text, "--set")
        path = known_name(given.path, policy.leaves)
        if path is None:
            raise UsageError(
                f"--set: the policy has no {given.path!r}", did_you_mean(given.path, policy.leaves)
            )
        if path in wanted:
            raise UsageError(f"--set: {path} is set twice", "give each value once")
        try:
            wanted[path] = parse(given.value, policy.leaves[path].value)
        except ValueError as error:
            raise UsageError(f"--set: {path}: {error}", "correct the value") from error
    change = change_of(wanted, policy, lambda path: f"--set: {path}", UsageError)
    return _rule(context, BY_HAND, change, place="--set")._replace(values=tuple(sorted(wanted.items())))


def rule_of_profile(context: Context, name: str, policy: Policy) -> PromotionRule:
    """Return the rule of the change to a profile, a rung of the ladder. Raises ConfigError for one that is none."""
    rule = _rule(context, f"to {name}", None, place="--to")._replace(to=name)
    change = proposed_change(rule, context.settings, policy)
    return rule._replace(scenarios=_readers(context.store, change.paths) if change else ())


def _rule(context: Context, name: str, change: Change | None, *, place: str) -> PromotionRule:
    settings = context.settings
    return PromotionRule(
        name=name,
        scenarios=_readers(context.store, change.paths) if change else (),
        triggers=(Trigger(FAILURE_RATE, max=settings.criteria.max_failure_rate),),
        watch_sessions=settings.watch_sessions,
        place=place,
    )


def _readers(store: HistoryStore, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the scenarios of which some run has read one of these values, whatever it was then."""
    wanted = set(paths)
    reading: dict[int, bool] = {}
    found = set()
    for state in store.all_evidence():
        if state.reads_id not in reading:
            reads = store.reads(state.reads_id)
            reading[state.reads_id] = any(
                read.path in wanted and read.how is not ReadHow.ASSIGNED for read in reads
            )
        if reading[state.reads_id]:
            found.add(state.scenario_id)
    return tuple(sorted(store.scenario_names(found).values()))
