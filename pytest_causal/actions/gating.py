"""Which scenarios must vouch for a rule's change, and under which criteria besides their usual ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pytest_causal.model.change import matches
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.promotion import PromotionRule
from pytest_causal.store.interface import HistoryStore, Scenario


def gating_scenarios(store: HistoryStore, patterns: Sequence[str]) -> list[Scenario]:
    """Return the scenarios that a rule's patterns name, by name."""
    return [each for each in store.scenarios() if any(matches(each.name, pattern) for pattern in patterns)]


def own_criteria(
    store: HistoryStore, rules: Iterable[PromotionRule], general: Criteria
) -> Mapping[int, Sequence[Criteria]]:
    """Return, by scenario id, the criteria of rules under which it needs running states of their own.

    Left out are those that can be judged from the states that the scenario has anyway.
    """
    found: dict[int, dict[str, Criteria]] = defaultdict(dict)
    for rule in rules:
        if not rule.criteria:
            continue
        for scenario in gating_scenarios(store, rule.scenarios):
            usual = scenario.declaration.criteria_over(general)
            criteria = rule.criteria_over(usual)
            if criteria.state_key != usual.state_key:
                found[scenario.id].setdefault(criteria.state_key, criteria)
    return {scenario_id: tuple(by_key.values()) for scenario_id, by_key in found.items()}
