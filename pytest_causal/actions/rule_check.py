"""Check the configured rules against the history: what they say that can never happen."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_causal.actions.context import Context
from pytest_causal.actions.gating import gating_scenarios
from pytest_causal.errors import CausalError
from pytest_causal.model.change import Change, matches
from pytest_causal.model.promotion import Mode, PromotionRule
from pytest_causal.model.run import ReadHow
from pytest_causal.policy.promotion_rules import proposed_change, read_rules
from pytest_causal.rules.never import Known, Never, nevers


def check_rules(context: Context) -> list[Never]:
    """Return what is wrong with the rules: those that cannot be used, and what can never happen. Raises StoreError."""
    found: list[Never] = []
    try:
        rules = read_rules(context.settings)
        policy = context.policy()
    except CausalError as error:
        return [Never(error.what, error.remedy)]
    for rule in rules:
        try:
            change = proposed_change(rule, context.settings, policy)
        except CausalError as error:
            found.append(Never(error.what, error.remedy))
            continue
        where = f"{rule.place}: promotion {rule.name!r}: "
        found += [Never(where + each.what, each.remedy) for each in _of_rule(context, rule, change)]
    return found


def _of_rule(context: Context, rule: PromotionRule, change: Change | None) -> Iterator[Never]:
    if rule.mode is Mode.AUTO and not context.settings.review:
        place = context.settings.origins["review"].place or "review"
        yield Never(f"mode is auto, and no session is reviewed ({place})", "switch review on")
    if context.store.scenarios():
        yield from nevers(rule, _known(context, rule, change))


def _known(context: Context, rule: PromotionRule, change: Change | None) -> Known:
    store = context.store
    blind = _blind(context, change) if change is not None else set()
    required = gating_scenarios(store, rule.scenarios)
    sums = store.metric_sums([each.id for each in required])
    return Known(
        unmatched=tuple(
            pattern for pattern in rule.scenarios if not any(matches(each.name, pattern) for each in required)
        ),
        blind=tuple(each.name for each in required if each.id in blind),
        reported=frozenset(
            name for metrics in sums.values() for name, each in metrics.items() if each.measured
        ),
    )


def _blind(context: Context, change: Change) -> set[int]:
    """Return the scenarios with evidence of which no run read a changed value."""
    paths = set(change.paths)
    seeing: dict[int, bool] = {}
    for state in context.store.all_evidence():
        reads = context.store.reads(state.reads_id)
        sees = any(read.path in paths and read.how is not ReadHow.ASSIGNED for read in reads)
        seeing[state.scenario_id] = seeing.get(state.scenario_id, False) or sees
    return {scenario for scenario, sees in seeing.items() if not sees}
