"""Conclude a session: bring the evidence of its scenarios forward, in the transaction that ends the session.

The usual session is newer than all evidence, and each scenario costs one fold. A session that arrives late (a merge,
an import, a shard whose scenarios another shard also ran) makes its scenarios' states be computed again from their
runs, in the order of history, so that the state never depends on the order of arrival.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_causal.model.evidence import Criteria, Decision, Evidence, Tally, Verdict
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionEnding, SessionState
from pytest_causal.rules.eligibility import decide_eligibility, fold
from pytest_causal.rules.session_health import diagnose
from pytest_causal.store.interface import Conclusion, HistoryStore, Ledger


class Judged(NamedTuple):
    """One scenario after a session: its evidence, the verdict on it, and the verdict before."""

    scenario_id: int
    evidence: Evidence
    criteria: Criteria
    decision: Decision
    verdict_before: Verdict | None

    @property
    def is_changed(self) -> bool:
        """Whether this session changed the verdict, or is the first to give one."""
        return self.verdict_before is not self.decision.verdict


def conclude_session(
    store: HistoryStore, session: int, ending: SessionEnding, criteria: Criteria
) -> tuple[SessionEnding, list[Judged]]:
    """End a session and fold its evidence.

    Returns the ending as stored (``broken`` filled in from the runs) and every scenario that the session ran, judged.
    Raises StoreError as the store does; nothing is written then.
    """
    if not ending.broken:
        ending = ending._replace(broken=diagnose(store.failure_kinds(session)))
    declared = store.declarations()
    with store.concluding(session, ending) as conclusion:
        judged = _fold_all(conclusion, criteria, declared, ending.finished_us)
    return ending, judged


def conclude_dead_sessions(store: HistoryStore, criteria: Criteria, now_us: int) -> int:
    """Conclude sessions whose process was killed: what they recorded can speak against a scenario, not for it."""
    dead = store.dead_sessions()
    for session in dead:
        ending = SessionEnding(state=SessionState.ABANDONED, finished_us=now_us)
        conclude_session(store, session.number, ending, criteria)
    return len(dead)


def _fold_all(
    conclusion: Conclusion, general: Criteria, declared: Mapping[int, Declaration], now_us: int
) -> list[Judged]:
    by_criteria: dict[Criteria, list[Tally]] = defaultdict(list)
    for tally in conclusion.tallies():
        declaration = declared.get(tally.scenario_id)
        by_criteria[declaration.criteria_over(general) if declaration else general].append(tally)
    overlapping = conclusion.overlapping_scenarios() if by_criteria else frozenset()
    judged: list[Judged] = []
    for criteria, tallies in by_criteria.items():
        judged += _fold_group(conclusion, criteria, tallies, overlapping, now_us)
    return judged


def _fold_group(
    conclusion: Conclusion,
    criteria: Criteria,
    tallies: Sequence[Tally],
    overlapping: frozenset[int],
    now_us: int,
) -> list[Judged]:
    key = criteria.state_key
    before = {(state.scenario_id, state.reads_id): state for state in conclusion.evidence(key)}
    redo = {tally.scenario_id for tally in tallies} & (overlapping | conclusion.scenarios_without_state(key))
    states: dict[tuple[int, int], Evidence] = {}
    for tally in tallies:
        place = (tally.scenario_id, tally.reads_id)
        state = before.get(place)
        if state is not None and tally.order <= state.last_order:
            redo.add(tally.scenario_id)
        elif tally.scenario_id not in redo:
            states[place] = fold(state or _fresh(tally), tally, criteria)
    if redo:
        states = {place: state for place, state in states.items() if place[0] not in redo}
        states |= recompute(conclusion, criteria, redo)
    judged = [_judge(state, criteria, before.get(place), now_us) for place, state in states.items()]
    conclusion.put_evidence(key, [each.evidence for each in judged])
    return judged


def recompute(
    ledger: Ledger, criteria: Criteria, scenario_ids: Iterable[int]
) -> dict[tuple[int, int], Evidence]:
    """Compute running states anew from the runs, after dropping what was kept for these scenarios."""
    ids = set(scenario_ids)
    ledger.drop_evidence(criteria.state_key, ids)
    return fold_units(ledger.units(ids), criteria)


def fold_units(units: Iterable[Tally], criteria: Criteria) -> dict[tuple[int, int], Evidence]:
    """Return the running states, by (scenario, reads), that units in history order fold into."""
    states: dict[tuple[int, int], Evidence] = {}
    for tally in units:
        place = (tally.scenario_id, tally.reads_id)
        states[place] = fold(states.get(place) or _fresh(tally), tally, criteria)
    return states


def _fresh(tally: Tally) -> Evidence:
    return Evidence(scenario_id=tally.scenario_id, reads_id=tally.reads_id)


def _judge(state: Evidence, criteria: Criteria, before: Evidence | None, now_us: int) -> Judged:
    decision = decide_eligibility(state, criteria, now_us)
    if decision.verdict is not state.verdict:
        state = state._replace(verdict=decision.verdict)
    return Judged(
        scenario_id=state.scenario_id,
        evidence=state,
        criteria=criteria,
        decision=decision,
        verdict_before=before.verdict if before is not None else None,
    )
