"""The case of a change: everything that the verdict on it depends on, gathered from the store.

Runs are read only where a rule's criteria were changed since its scenarios last ran, and for lessons.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_causal.actions.conclude import fold_units
from pytest_causal.actions.gating import gating_scenarios
from pytest_causal.actions.validity import validity
from pytest_causal.model.change import Change, matches
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Evidence
from pytest_causal.model.promotion import Basis, Lesson, MetricStanding, PromotionRule
from pytest_causal.model.run import Read, ReadHow
from pytest_causal.model.signal import MetricSum
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.secrets import read_value
from pytest_causal.rules.candidacy import Arm, CandidateCase, ScenarioCase
from pytest_causal.rules.evidence_union import combine
from pytest_causal.rules.guards import reaches
from pytest_causal.store.interface import HistoryStore, Scenario

_BEST_FIRST = tuple(ReadHow)


def gather_case(
    store: HistoryStore, rule: PromotionRule, change: Change, policy: Policy, general: Criteria, now_us: int
) -> CandidateCase:
    """Return the case of a rule's change of the standing policy.

    The criteria of a scenario are the general ones, then those of its marker, then those of the rule. Lessons that
    the change reaches demand their scenarios as well, by their own criteria. Raises StoreError.
    """
    return _Gathering(store, rule, change, policy, general).case(now_us)


def lessons_reached(lessons: Iterable[Lesson], change: Change) -> list[Lesson]:
    """Return the lessons in force that a change goes as far as, or past."""
    return [
        lesson
        for lesson in lessons
        if not lesson.retired_us and any(reaches(step, lesson) for step in change.steps)
    ]


def values_after(change: Change, policy: Policy) -> dict[str, str]:
    """Return dotted path -> the text of a read, for the policy with a change in it."""
    changed = {path: read_value(path, value, policy.secrets) for path, value in change.after.items()}
    return {**policy.read_values, **changed}


class _Stream(NamedTuple):
    """Running states of one scenario that touched a changed path, and the best way in which each path was known."""

    states: tuple[Evidence, ...]
    reads: tuple[tuple[str, ReadHow], ...]


class _Gathering:
    def __init__(
        self, store: HistoryStore, rule: PromotionRule, change: Change, policy: Policy, general: Criteria
    ) -> None:
        self._store = store
        self._rule = rule
        self._change = change
        self._general = general
        self._is_assumed = rule.basis is Basis.CONTROL
        self._holds_today = validity(store, lambda: policy.read_values)
        self._holds_after = validity(store, lambda: values_after(change, policy))
        self._touched: dict[int, tuple[Read, ...]] = {}

    def case(self, now_us: int) -> CandidateCase:
        """Return the whole case."""
        required = gating_scenarios(self._store, self._rule.scenarios)
        unmatched = tuple(
            pattern
            for pattern in self._rule.scenarios
            if not any(matches(each.name, pattern) for each in required)
        )
        sums = self._store.metric_sums([each.id for each in required])
        cases = [*self._of_rule(required, sums), *self._of_lessons()]
        return CandidateCase(tuple(cases), unmatched, self._rule.metrics, self._is_assumed, now_us)

    def _of_rule(
        self, required: Sequence[Scenario], sums: Mapping[tuple[int, int], Mapping[str, MetricSum]]
    ) -> list[ScenarioCase]:
        criteria = {
            each.id: self._rule.criteria_over(each.declaration.criteria_over(self._general))
            for each in required
        }
        states = self._states({each.id: criteria[each.id] for each in required if each.first_session})
        cases = []
        for scenario in required:
            today = self._stream(states.get(scenario.id, ()), self._holds_today)
            mine = today if self._is_assumed else self._stream(states.get(scenario.id, ()), self._holds_after)
            cases.append(
                ScenarioCase(
                    scenario=scenario.name,
                    criteria=criteria[scenario.id],
                    evidence=combine(mine.states, criteria[scenario.id]) if mine.states else None,
                    reads=mine.reads,
                    control=Arm(
                        sum(state.runs for state in today.states),
                        sum(state.failed + state.errors for state in today.states),
                    ),
                    metrics=self._standings(scenario.id, sums),
                )
            )
        return cases

    def _of_lessons(self) -> list[ScenarioCase]:
        """Return what the scenarios of lessons have shown since they were learned: nothing before that counts."""
        reached = lessons_reached(self._store.lessons(), self._change)
        if not reached:
            return []
        by_name = {each.name: each.id for each in self._store.scenarios()}
        cases = []
        for lesson in reached:
            criteria = self._general._replace(**dict(lesson.criteria))
            ids = [by_name[name] for name in (lesson.scenario, lesson.regression) if name in by_name]
            units = self._store.units(ids, after_order=lesson.after_order)
            stream = self._stream(tuple(fold_units(units, criteria).values()), self._holds_after)
            cases.append(
                ScenarioCase(
                    scenario=lesson.regression,
                    criteria=criteria,
                    evidence=combine(stream.states, criteria) if stream.states else None,
                    reads=stream.reads,
                    lesson=lesson.id,
                )
            )
        return cases

    def _states(self, criteria: Mapping[int, Criteria]) -> dict[int, tuple[Evidence, ...]]:
        """Return the running states by scenario; where none were kept under these criteria, from the runs."""
        by_key: dict[str, list[int]] = defaultdict(list)
        for scenario_id, each in criteria.items():
            by_key[each.state_key].append(scenario_id)
        found: dict[int, list[Evidence]] = defaultdict(list)
        for key, ids in by_key.items():
            for state in self._store.evidence(key, ids):
                found[state.scenario_id].append(state)
            lacking = [scenario_id for scenario_id in ids if scenario_id not in found]
            if lacking:
                states = fold_units(self._store.units(lacking), criteria[lacking[0]])
                for state in states.values():
                    found[state.scenario_id].append(state)
        return {scenario_id: tuple(states) for scenario_id, states in found.items()}

    def _stream(self, states: Sequence[Evidence], holds: Callable[[int], bool]) -> _Stream:
        mine = tuple(state for state in states if self._touches(state.reads_id) and holds(state.reads_id))
        best: dict[str, ReadHow] = {}
        for state in mine:
            for read in self._touches(state.reads_id):
                known = best.setdefault(read.path, read.how)
                best[read.path] = min(known, read.how, key=_BEST_FIRST.index)
        return _Stream(mine, tuple(sorted(best.items())))

    def _touches(self, reads_id: int) -> tuple[Read, ...]:
        """Return what a set of reads has of the changed paths."""
        if reads_id not in self._touched:
            paths = set(self._change.paths)
            self._touched[reads_id] = tuple(
                read for read in self._store.reads(reads_id) if read.path in paths
            )
        return self._touched[reads_id]

    def _standings(
        self, scenario_id: int, sums: Mapping[tuple[int, int], Mapping[str, MetricSum]]
    ) -> tuple[MetricStanding, ...]:
        holds = self._holds_today if self._is_assumed else self._holds_after
        totals: dict[str, MetricSum] = {}
        for (owner, reads_id), metrics in sums.items():
            if owner != scenario_id or not self._touches(reads_id) or not holds(reads_id):
                continue
            for name, each in metrics.items():
                so_far = totals.get(name, MetricSum(0, 0, 0.0))
                totals[name] = MetricSum(
                    so_far.measured + each.measured, so_far.broken + each.broken, so_far.total + each.total
                )
        return tuple(
            MetricStanding(name, each.measured, each.broken, each.mean)
            for name, each in sorted(totals.items())
        )
