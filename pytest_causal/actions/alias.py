"""Aliases: a scenario that was renamed keeps its record, because a person says that the two names are one."""

from __future__ import annotations

from pytest_causal.actions.conclude import recompute
from pytest_causal.model.evidence import Criteria
from pytest_causal.rules.eligibility import decide_eligibility
from pytest_causal.store.interface import HistoryStore, Scenario


def join_names(store: HistoryStore, old: str, new: str, *, general: Criteria, now_us: int) -> Scenario:
    """Declare that ``old`` is ``new``, and compute the evidence of the one scenario they are from its runs.

    Returns that scenario. Raises MissingInputError where ``old`` was never recorded, UsageError where the two cannot
    be one. Killed between the two steps, the alias holds; the evidence is then computed by the next session that runs
    the scenario, and until then by whoever reads it.
    """
    store.alias(old, new, now_us)
    stands_for = {alias.old: alias.new for alias in store.aliases()}
    name = stands_for[old]
    scenario = next(each for each in store.scenarios() if each.name == name)
    criteria = scenario.declaration.criteria_over(general)
    with store.amending() as ledger:
        states = recompute(ledger, criteria, {scenario.id}).values()
        judged = [
            state._replace(verdict=decide_eligibility(state, criteria, now_us).verdict) for state in states
        ]
        ledger.put_evidence(criteria.state_key, judged)
    return scenario
