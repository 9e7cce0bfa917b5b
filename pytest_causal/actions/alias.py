"""Aliases: a scenario that was renamed keeps its record, because a person says that the two names are one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pytest_causal.actions.conclude import recompute
from pytest_causal.actions.validity import validity
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Evidence
from pytest_causal.rules.eligibility import decide_eligibility
from pytest_causal.rules.evidence_union import combine
from pytest_causal.store.interface import Alias, HistoryStore, Scenario
from pytest_causal.store.text import cut_name


def join_names(
    store: HistoryStore, names: Alias, *, general: Criteria, policy: Mapping[str, str]
) -> Scenario:
    """Declare that ``names.old`` is ``names.new``, and compute the evidence of the one scenario they are.

    ``policy`` maps dotted paths to the canonical JSON of the values in force. Returns the scenario. Killed between the
    two steps, the alias holds; the evidence is then computed by the next session that runs the scenario, and until
    then by whoever reads it. Raises MissingInputError where ``old`` was never recorded, UsageError where the two cannot
    be one.
    """
    store.alias(names.old, names.new, names.created_us)
    stands_for = {alias.old: alias.new for alias in store.aliases()}
    name = stands_for[cut_name(names.old)]
    scenario = next(each for each in store.scenarios() if each.name == name)
    criteria = scenario.declaration.criteria_over(general)
    is_valid = validity(store, lambda: policy)
    with store.amending() as ledger:
        states: Collection[Evidence] = recompute(ledger, criteria, {scenario.id}).values()
        if valid := [state for state in states if is_valid(state.reads_id)]:
            verdict = decide_eligibility(combine(valid, criteria), criteria, names.created_us).verdict
            states = [state._replace(verdict=verdict) for state in states]
        ledger.put_evidence(criteria.state_key, list(states))
    return scenario
