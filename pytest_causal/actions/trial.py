"""A trial: control and candidate side by side, in fresh processes, until rounds, budget or a hard limit end it.

In each round both arms run once, in an order drawn from the seed, so that whatever drifts in the machine befalls both
alike. Each process leaves an ordinary session in the history, which counts as evidence like any other.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_causal import clock
from pytest_causal.actions.trial_arms import Ground, Slot, arms_of
from pytest_causal.model.change import CONTROL
from pytest_causal.model.trial import Attempt, TrialPlan, TrialReason, TrialResult, TrialVerdict
from pytest_causal.rules.trial_verdict import ChangedValues, Findings, Round, find_broken, judge_trial

if TYPE_CHECKING:
    from pytest_causal.model.change import Change

LIMIT_BROKEN = "a hard limit is broken"
INTERRUPTED = "interrupted"


class Progress(NamedTuple):
    """How far a trial is: ``round`` of ``rounds`` begins its process of ``arm``; seconds are estimates of what is left,
    ``None`` in the first round."""

    round: int
    rounds: int
    arm: str
    seconds_left: float | None


def run_trial(
    plan: TrialPlan,
    ground: Ground,
    *,
    watch: Callable[[Progress], None] = lambda progress: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> TrialResult:
    """Run a trial and judge it; nothing that it started runs on afterwards, however it ends.

    ``watch`` is told of each process before it starts. ``is_stopped`` is asked often, and ends the trial. Raises
    StoreError where the history cannot be written.
    """
    started_us, started = clock.now_us(), clock.monotonic_seconds()
    if plan.change is None:
        verdict, reason = TrialVerdict.INCONCLUSIVE, TrialReason.NOTHING_TO_CHANGE
        return TrialResult(plan, verdict, (reason,), rounds=0, started_us=started_us)
    course = _Course(plan, plan.change, ground, watch, is_stopped)
    course.run()
    findings = judge_trial(plan, course.rounds, course.changed)
    verdict, reasons = _with_interruption(findings, is_interrupted=course.stopped == INTERRUPTED)
    return TrialResult(
        plan=plan,
        verdict=verdict,
        reasons=reasons,
        rounds=len(course.rounds),
        rounds_needed=findings.rounds_needed,
        scenarios=findings.scenarios,
        broken=findings.broken,
        unmatched=findings.unmatched,
        unreported=findings.unreported,
        sessions=tuple(each.session for each in course.attempts if each.session),
        stopped=course.stopped,
        problems=_problems(course.attempts),
        started_us=started_us,
        elapsed_seconds=clock.monotonic_seconds() - started,
    )


class _Course:
    """The course of a trial: what was run so far, and why it went no further."""

    def __init__(
        self,
        plan: TrialPlan,
        change: Change,
        ground: Ground,
        watch: Callable[[Progress], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        self.rounds: list[Round] = []
        self.attempts: list[Attempt] = []
        self.stopped = ""
        self.changed = ChangedValues(ground.texts(change.before), ground.texts(change.after))
        self._plan = plan
        self._arms = arms_of(plan, change, ground)
        self._candidate = plan.rule.candidate(change).arm
        self._watch = watch
        self._is_interrupted = is_stopped
        self._chance = random.Random(plan.seed)  # noqa: S311 - an order, no secret
        self._key = f"trial:{os.urandom(8).hex()}"
        self._longest_seconds = 0.0
        budget = math.inf if plan.budget_seconds is None else plan.budget_seconds
        self._deadline = clock.monotonic_seconds() + budget

    def run(self) -> None:
        """Run rounds until there is a reason to stop."""
        for number in range(1, self._plan.rounds + 1):
            self.stopped = self._why_not_begin()
            if not self.stopped:
                self._run_round(number)
            if self.stopped:
                return

    def _why_not_begin(self) -> str:
        if self._is_interrupted():
            return INTERRUPTED
        if self._left() <= self._longest_seconds:
            return f"the budget of {self._plan.budget_seconds:g} s does not hold another round"
        return ""

    def _run_round(self, number: int) -> None:
        began = clock.monotonic_seconds()
        arms = [CONTROL, self._candidate]
        self._chance.shuffle(arms)
        done: dict[str, Attempt] = {}
        for arm in arms:
            self._watch(Progress(number, self._plan.rounds, arm, self._estimate(number)))
            slot = Slot(number, arm, f"{self._key}:{number}:{arm}")
            attempt = self._arms.run(slot, lambda: self._is_interrupted() or self._left() <= 0)
            self.attempts.append(attempt)
            if attempt.is_cut_off:
                self.stopped = INTERRUPTED if self._is_interrupted() else self._spent()
                return
            done[arm] = attempt
        self._longest_seconds = max(self._longest_seconds, clock.monotonic_seconds() - began)
        self.rounds.append(Round(done[CONTROL], done[self._candidate]))
        self.stopped = self._why_stop(self.rounds[-1])

    def _why_stop(self, newest: Round) -> str:
        if len(self.rounds) == 1 and not any(each.runs or each.is_killed for each in newest):
            return "the first round left nothing to compare"
        return LIMIT_BROKEN if find_broken(self._plan, self.rounds, self.changed) else ""

    def _spent(self) -> str:
        return f"the budget of {self._plan.budget_seconds:g} s is spent"

    def _left(self) -> float:
        return self._deadline - clock.monotonic_seconds()

    def _estimate(self, number: int) -> float | None:
        if not self._longest_seconds:
            return None
        return min((self._plan.rounds - number + 1) * self._longest_seconds, self._left())


def _with_interruption(
    findings: Findings, *, is_interrupted: bool
) -> tuple[TrialVerdict, tuple[TrialReason, ...]]:
    """Return verdict and reasons; what was interrupted is at most inconclusive, unless a limit was broken before."""
    if not is_interrupted or findings.broken:
        return findings.verdict, findings.reasons
    return TrialVerdict.INCONCLUSIVE, (TrialReason.INTERRUPTED,)


def _problems(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    """Return what went wrong, each once, with the arm and the first round that it befell."""
    first: dict[tuple[str, str], int] = {}
    for each in attempts:
        if each.problem and not each.is_cut_off:
            first.setdefault((each.arm, each.problem), each.round)
    return tuple(f"{arm}, from round {number} on: {problem}" for (arm, problem), number in first.items())
