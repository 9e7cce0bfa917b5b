"""The status of every scenario: its running states put together under the policy and the criteria in force, judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_causal.actions.conclude import fold_units
from pytest_causal.actions.validity import validity
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Evidence
from pytest_causal.model.status import ScenarioStatus
from pytest_causal.rules.eligibility import Judge
from pytest_causal.rules.evidence_union import combine
from pytest_causal.rules.renames import Suggestion, suggest_renames
from pytest_causal.store.interface import HistoryStore, Scenario

RECENT_SESSIONS = 10
"""A scenario first seen in one of so many newest sessions may be an old one under a new name."""


class _Streams(NamedTuple):
    """The running states of the scenarios, by scenario id, under the criteria in force for each."""

    criteria: Mapping[int, Criteria]
    states: Mapping[int, Sequence[Evidence]]
    recomputed: frozenset[int]


def scenario_statuses(
    store: HistoryStore,
    scenarios: Sequence[Scenario],
    *,
    general: Criteria,
    policy: Mapping[str, str],
    now_us: int,
) -> list[ScenarioStatus]:
    """Judge scenarios of the store, in the order given.

    ``policy`` maps dotted paths to the canonical JSON of the values in force: a running state is evidence where all
    that its runs read has these values. ``general`` are the criteria of scenarios that declare none. Writes nothing:
    where criteria were changed since the last session, states are computed from the runs and not kept. Raises
    StoreError.
    """
    streams = _streams(store, scenarios, general)
    is_valid = validity(store, lambda: policy)
    commits = _commits(store)
    judges = {criteria: Judge(criteria, now_us) for criteria in set(streams.criteria.values())}
    statuses = []
    for scenario in scenarios:
        criteria, states = streams.criteria[scenario.id], streams.states.get(scenario.id, ())
        valid = [state for state in states if is_valid(state.reads_id)]
        evidence = combine(valid, criteria) if valid else Evidence(scenario_id=scenario.id, reads_id=0)
        statuses.append(
            ScenarioStatus(
                name=scenario.name,
                tags=scenario.declaration.tags,
                evidence=evidence,
                criteria=criteria,
                decision=judges[criteria].decide(evidence),
                runs_under_other_policies=sum(state.runs for state in states if not is_valid(state.reads_id)),
                flaky_since_commit=commits(evidence.flaky_since) if evidence.flaky_since else "",
                is_recomputed=scenario.id in streams.recomputed,
            )
        )
    return statuses


def likely_renames(scenarios: Sequence[Scenario], newest_session: int) -> list[Suggestion]:
    """Return which scenarios, new in a recent session, may be others that no longer run since then."""
    suggestions: list[Suggestion] = []
    taken: set[str] = set()
    for session in range(newest_session, max(1, newest_session - RECENT_SESSIONS), -1):
        new = [each.name for each in scenarios if each.first_session == session]
        if new:
            gone = [
                each.name for each in scenarios if 0 < each.last_session < session and each.name not in taken
            ]
            found = suggest_renames(gone, new)
            suggestions += found
            taken.update(each.old for each in found)
    return suggestions


def _streams(store: HistoryStore, scenarios: Iterable[Scenario], general: Criteria) -> _Streams:
    criteria: dict[int, Criteria] = {}
    ids_under: dict[Criteria, set[int]] = defaultdict(set)
    seen = {scenario.id for scenario in scenarios if scenario.first_session}
    for scenario in scenarios:
        in_force = scenario.declaration.criteria_over(general)
        criteria[scenario.id] = in_force
        ids_under[in_force].add(scenario.id)
    states: dict[int, list[Evidence]] = defaultdict(list)
    recomputed: set[int] = set()
    for in_force, ids in ids_under.items():
        for state in store.all_evidence(in_force.state_key):
            if state.scenario_id in ids:
                states[state.scenario_id].append(state)
        lacking = {each for each in ids & seen if each not in states}
        for state in fold_units(store.units(lacking), in_force).values() if lacking else ():
            states[state.scenario_id].append(state)
            recomputed.add(state.scenario_id)
    return _Streams(criteria=criteria, states=states, recomputed=frozenset(recomputed))


def _commits(store: HistoryStore) -> Callable[[int], str]:
    """Return the commit of a session, asked once for each."""
    known: dict[int, str] = {}

    def commit(session: int) -> str:
        if session not in known:
            known[session] = store.session(session).facts.commit
        return known[session]

    return commit
