"""Conclude a session: bring the evidence of its scenarios forward, in the transaction that ends the session.

The usual session is newer than all evidence, and each scenario costs one fold. A session that arrives late (a merge,
an import, a shard whose scenarios another shard also ran) makes its scenarios' states be computed again from their
runs, in the order of history, so that the state never depends on the order of arrival.

A scenario that gates a rule of promotion with criteria of its own has running states under these as well, so that no
decision scans runs. States under criteria that are not in use are dropped when the scenario runs: they would miss the
session, and speak without it when the criteria come back into use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from pytest_causal.actions.judgements import Judged, Judgements
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Decision, Evidence, Tally, Verdict
from pytest_causal.model.run import NO_READS
from pytest_causal.model.session import SessionEnding, SessionState
from pytest_causal.rules.eligibility import Judge, fold
from pytest_causal.rules.evidence_union import combine
from pytest_causal.rules.session_health import diagnose

if TYPE_CHECKING:
    from pytest_causal.model.promotion import PromotionRule
    from pytest_causal.model.scenario import Declaration
    from pytest_causal.store.interface import Conclusion, HistoryStore, Ledger

_CHUNK = 500
_LAST_RUN = Evidence._fields.index("last_run_us")
_TALLY_LAST_RUN = Tally._fields.index("last_run_us")
_last_order = attrgetter("last_order")


def conclude_session(  # noqa: PLR0913 - the last four have defaults and names
    store: HistoryStore,
    session: int,
    ending: SessionEnding,
    general: Criteria,
    *,
    is_valid: Callable[[int], bool] = lambda reads_id: reads_id == NO_READS,
    show: int | None = None,
    is_mixed: bool = False,
    rules: Sequence[PromotionRule] = (),
) -> tuple[SessionEnding, Judgements]:
    """End a session and fold its evidence.

    A scenario is judged by all its running states that ``is_valid`` says hold under the policy in force, which those
    of this session do unless it ``is_mixed``: made under several policies. ``rules`` are those of promotion, whose own
    criteria are folded for but not judged by. Returns the ending as stored (``broken``
    filled in from the runs) and the judgements of every scenario that the session ran under the policy in force, of
    which ``show`` are kept at most. Raises StoreError; nothing is written then.
    """
    if not ending.broken:
        ending = ending._replace(broken=diagnose(store.failure_kinds(session)))
    declared = store.declarations()
    own = _own_criteria(store, rules, general)
    judgements = Judgements(session, show)
    usual = _Bench(general, is_valid, ending.finished_us, is_mixed=is_mixed)
    with store.concluding(session, ending) as conclusion:
        conclusion.drop_unused(general.state_key, _other_keys(declared, own, general))
        by_criteria: dict[Criteria, list[Tally]] = defaultdict(list)
        # Under several policies at once nothing is usual. Elsewhere most of a suite is dealt with at a stroke: to fold
        # and judge each of 10,000 scenarios by itself cost 17 us, and all of them together cost 4 us each.
        done = set() if is_mixed else _fold_alike(conclusion, usual, judgements, declared.keys() | own.keys())
        gating: dict[Criteria, list[Tally]] = defaultdict(list)
        for tally in conclusion.tallies(besides=done):
            declaration = declared.get(tally.scenario_id)
            by_criteria[declaration.criteria_over(general) if declaration else general].append(tally)
            for criteria in own.get(tally.scenario_id, ()):
                gating[criteria].append(tally)
        for criteria, tallies in by_criteria.items():
            bench = _Bench(criteria, is_valid, ending.finished_us, is_mixed=is_mixed)
            for judged in _fold_group(conclusion, bench, tallies):
                judgements.add(judged)
        for criteria, tallies in gating.items():
            bench = _Bench(criteria, is_valid, ending.finished_us, is_mixed=is_mixed)
            for _ in _fold_group(conclusion, bench, tallies):
                pass  # it is judged when its rule is
    return ending, judgements


def conclude_dead_sessions(
    store: HistoryStore, criteria: Criteria, now_us: int, rules: Sequence[PromotionRule] = ()
) -> int:
    """Conclude sessions whose process was killed: what they recorded can speak against a scenario, not for it."""
    dead = store.dead_sessions()
    for session in dead:
        ending = SessionEnding(state=SessionState.ABANDONED, finished_us=now_us)
        conclude_session(store, session.number, ending, criteria, rules=rules)
    return len(dead)


def _own_criteria(
    store: HistoryStore, rules: Sequence[PromotionRule], general: Criteria
) -> Mapping[int, Sequence[Criteria]]:
    if not any(rule.criteria for rule in rules):
        return {}
    from pytest_causal.actions.gating import own_criteria  # for sessions of projects with such rules

    return own_criteria(store, rules, general)


def _other_keys(
    declared: Mapping[int, Declaration], own: Mapping[int, Sequence[Criteria]], general: Criteria
) -> dict[int, set[str]]:
    """Return the state keys in use for each scenario, by id, that is not folded under the general one alone."""
    keys = {id_: {declaration.criteria_over(general).state_key} for id_, declaration in declared.items()}
    for id_, criteria in own.items():
        keys.setdefault(id_, {general.state_key}).update(each.state_key for each in criteria)
    return keys


class _Bench:
    """Folds and judges scenarios under one set of criteria.

    Most scenarios of a suite have the same history but for their names: what was folded and judged once is
    remembered by everything that it depends on.
    """

    def __init__(
        self, criteria: Criteria, is_valid: Callable[[int], bool], now_us: int, *, is_mixed: bool
    ) -> None:
        self.criteria = criteria
        self._is_valid = is_valid
        self._is_mixed = is_mixed
        self._judge = Judge(criteria, now_us)
        self._known: dict[object, tuple[Evidence, Decision]] = {}

    def bring_forward(self, old: Evidence | None, tally: Tally) -> tuple[Evidence, Decision]:
        """Fold one unit into a state, or begin one, and judge the state for itself."""
        if not tally.runs or not tally.may_vouch:  # what says nothing leaves the time of the last run alone
            return self._computed(old, tally)
        history = (old[2:_LAST_RUN], old[_LAST_RUN + 1 :]) if old is not None else None
        key = (history, tally[2:_TALLY_LAST_RUN], tally[_TALLY_LAST_RUN + 1 :])
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._computed(old, tally)
            return known
        alike, decision = known
        ids, rest = (tally.scenario_id, tally.reads_id), alike[_LAST_RUN + 1 :]
        return Evidence._make((*ids, *alike[2:_LAST_RUN], tally.last_run_us, *rest)), decision

    def judge(self, states: Sequence[tuple[Evidence, Decision]], before: Sequence[Evidence]) -> Judged | None:
        """Judge a scenario by its states of this session, and by those before that they did not replace.

        ``None`` where the session ran it under other policies only.
        """
        if self._is_mixed:
            states = [each for each in states if self._is_valid(each[0].reads_id)]
            if not states:
                return None
        evidence, decision = states[0]
        if len(states) > 1 or len(before) > 1 or (before and before[0].reads_id != evidence.reads_id):
            evidence = self._united([state for state, _ in states], before)
            decision = self._judge.decide(evidence)
        verdict_before = max(before, key=_last_order).verdict if before else None
        return Judged(evidence.scenario_id, evidence, self.criteria, decision, verdict_before)

    def judged_alone(self, state: Evidence) -> tuple[Evidence, Decision]:
        """Return a state with the decision on it."""
        return state, self._judge.decide(state)

    def _computed(self, old: Evidence | None, tally: Tally) -> tuple[Evidence, Decision]:
        return self.judged_alone(fold(old or _fresh(tally), tally, self.criteria))

    def _united(self, states: Sequence[Evidence], before: Sequence[Evidence]) -> Evidence:
        written = {state.reads_id for state in states}
        others = [each for each in before if each.reads_id not in written and self._is_valid(each.reads_id)]
        return combine([*states, *others], self.criteria)


def _fold_alike(
    conclusion: Conclusion, bench: _Bench, judgements: Judgements, besides: Collection[int]
) -> set[int]:
    """Fold and judge scenarios that are alike together; return them. ``besides`` are those with other criteria."""
    key = bench.criteria.state_key
    redo = conclusion.overlapping_scenarios().union(besides)
    done: set[int] = set()
    written: list[tuple[Evidence, Mapping[int, int]]] = []
    for tally, old, last_runs_us in conclusion.alike(key):
        if not tally.may_vouch:
            break
        if old is None:
            redo |= conclusion.scenarios_without_state(key, last_runs_us)
        elif tally.order <= old.last_order:
            continue
        if not tally.runs:  # what says nothing leaves the time of each one's last run alone
            continue
        if not redo.isdisjoint(last_runs_us):
            last_runs_us = {id_: us for id_, us in last_runs_us.items() if id_ not in redo}
        if last_runs_us:
            evidence, decision = bench.bring_forward(old, tally)
            verdict_before = old.verdict if old is not None else None
            judged = Judged(evidence.scenario_id, evidence, bench.criteria, decision, verdict_before)
            written.append((evidence._replace(verdict=decision.verdict), last_runs_us))
            judgements.add_alike(judged, last_runs_us)
            done.update(last_runs_us)  # in place: |= with the keys of a mapping would copy the set
    conclusion.put_alike(key, written)
    return done


def _fold_group(conclusion: Conclusion, bench: _Bench, tallies: Sequence[Tally]) -> Iterator[Judged]:
    """Fold what one set of criteria is for, a chunk at a time, because a suite may be large."""
    if not tallies:
        return
    key = bench.criteria.state_key
    redo = conclusion.overlapping_scenarios()
    redo |= conclusion.scenarios_without_state(key, {tally.scenario_id for tally in tallies})
    start = 0
    while start < len(tallies):
        end = start + _CHUNK
        while end < len(tallies) and tallies[end].scenario_id == tallies[end - 1].scenario_id:
            end += 1  # a scenario is judged as a whole
        yield from _fold_chunk(conclusion, bench, tallies[start:end], redo)
        start = end


def _fold_chunk(
    conclusion: Conclusion, bench: _Bench, tallies: Sequence[Tally], redo: frozenset[int]
) -> list[Judged]:
    key = bench.criteria.state_key
    ids = {tally.scenario_id for tally in tallies}
    before: dict[int, list[Evidence]] = {}
    for state in conclusion.evidence(key, ids):
        before.setdefault(state.scenario_id, []).append(state)
    late = ids & redo
    states: dict[int, list[tuple[Evidence, Decision]]] = {}
    for tally in tallies:
        id_ = tally.scenario_id
        old = next((each for each in before.get(id_, ()) if each.reads_id == tally.reads_id), None)
        if old is not None and tally.order <= old.last_order:
            late.add(id_)
        elif id_ not in late:
            states.setdefault(id_, []).append(bench.bring_forward(old, tally))
    for id_ in late:
        states.pop(id_, None)
    for state in recompute(conclusion, bench.criteria, late).values() if late else ():
        states.setdefault(state.scenario_id, []).append(bench.judged_alone(state))
    kept: list[Evidence] = []
    found: list[Judged] = []
    for id_, of_scenario in states.items():
        judged = bench.judge(of_scenario, before.get(id_, ()))
        if judged is not None:
            found.append(judged)
        kept += _with_verdict(of_scenario, judged, before.get(id_, ()))
    conclusion.put_evidence(key, kept)
    return found


def _with_verdict(
    states: Sequence[tuple[Evidence, Decision]], judged: Judged | None, before: Sequence[Evidence]
) -> Iterator[Evidence]:
    """Yield the states of a scenario to be kept: each remembers what was last concluded of it."""
    if judged is not None:
        verdict = judged.decision.verdict
    else:
        verdict = max(before, key=_last_order).verdict if before else Verdict.INCONCLUSIVE
    for state, _ in states:
        yield state if state.verdict is verdict else state._replace(verdict=verdict)


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
