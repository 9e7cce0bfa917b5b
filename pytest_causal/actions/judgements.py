"""What a session's conclusion found: every verdict counted, and those kept that a person should see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Decision, Evidence, Verdict
from pytest_causal.rules.attention import Importance, importance


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


class Judgements:
    """The verdicts of one session: all of them counted, and those kept that a person should see.

    Memory does not grow with the suite: at most ``limit`` scenarios are kept (``None``: all), and beside them those
    that were newly rejected or were seen to be flaky for the first time.
    """

    def __init__(self, session: int = 0, limit: int | None = None) -> None:
        self._session = session
        self._limit = limit
        self._kept: list[tuple[Importance, int, Judged]] = []
        self._bar: Importance | None = None
        self._pressing: list[Judged] = []
        self.counts: Counter[Verdict] = Counter()

    def add(self, judged: Judged) -> None:
        """Count a verdict, and keep it if it is among those to be seen."""
        self.counts[judged.decision.verdict] += 1
        if self._limit is not None and self.is_pressing(judged):
            self._pressing.append(judged)
            return
        weight = self._weight(judged)
        if self._is_over_the_bar(weight):
            return
        self._kept.append((weight, judged.scenario_id, judged))
        if self._limit is not None and len(self._kept) > 2 * self._limit + 100:
            self._kept = sorted(self._kept)[: self._limit]
            self._bar = self._kept[-1][0] if self._kept else (0, 0, False)

    def add_alike(self, judged: Judged, last_runs_us: Mapping[int, int]) -> None:
        """Take what holds of many scenarios, by id, that differ from one another only in when they last ran."""
        limit = None if self.is_pressing(judged) else self._limit
        if limit is not None and self._is_over_the_bar(self._weight(judged)):
            limit = 0  # they weigh the same, and none of them would be kept
        seen = list(last_runs_us)[:limit]
        for id_ in seen:
            evidence = judged.evidence._replace(scenario_id=id_, last_run_us=last_runs_us[id_])
            self.add(judged._replace(scenario_id=id_, evidence=evidence))
        self.counts[judged.decision.verdict] += len(last_runs_us) - len(seen)

    def _weight(self, judged: Judged) -> Importance:
        return importance(
            judged.decision.verdict, is_newly_flaky=self.is_newly_flaky(judged), is_changed=judged.is_changed
        )

    def _is_over_the_bar(self, weight: Importance) -> bool:
        """Whether enough that matters as much or more is kept already."""
        return self._bar is not None and weight >= self._bar

    def shown(self) -> list[Judged]:
        """Return the scenarios that were kept."""
        return [*self._pressing, *(judged for _, _, judged in sorted(self._kept)[: self._limit])]

    def is_newly_flaky(self, judged: Judged) -> bool:
        """Whether this session was the first in which the scenario contradicted itself."""
        return judged.evidence.contradictions > 0 and judged.evidence.flaky_since == self._session

    def is_pressing(self, judged: Judged) -> bool:
        """Whether a person must be told, however little is to be shown."""
        is_newly_rejected = judged.decision.verdict is Verdict.REJECTED and judged.is_changed
        return is_newly_rejected or self.is_newly_flaky(judged)
