"""The loop of a soak: each iteration is planned, run, measured, decided on, applied and done, and each is a line.

What comes next depends on the journal alone (:mod:`tools.soak.progress`). So a run that was killed anywhere goes on
where it was: what had been measured is not measured again, and what had been applied is found applied.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pytest_causal import clock
from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.secrets import masked
from tools.soak.interruption import Interruption
from tools.soak.journal import Journal, Step
from tools.soak.kpi import Verdict
from tools.soak.measurement import Measurement
from tools.soak.pacing import Pacing
from tools.soak.parameters import Author, Parameters, SafetyStopError
from tools.soak.parameters import Step as Move
from tools.soak.plan import Plan
from tools.soak.preset import under_preset
from tools.soak.progress import Progress, fold
from tools.soak.surroundings import Surroundings
from tools.soak.tuning import Moment, Tuning
from tools.soak.warmup import Phase, between, preset_share
from tools.soak.workloads import Task, Workload

_SECOND_US = 1_000_000
ATTEMPT_FOLDER = "attempt"
"""The folder, in that of the run, which a workload may make and write to."""


class Watcher(Protocol):
    """Who is told how the run goes."""

    def waiting(self, progress: Progress, seconds: float) -> None:
        """The next iteration begins in so many seconds."""

    def running(self, progress: Progress) -> None:
        """The workload runs."""

    def iterated(self, progress: Progress) -> None:
        """An iteration is done."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a run is put together from. ``tuning`` is ``None`` where nothing is tuned."""

    workload: Workload
    parameters: Parameters
    tuning: Tuning | None
    surroundings: Surroundings
    interruption: Interruption
    watcher: Watcher
    is_frozen: Callable[[], bool]
    """Whether the kill switch is on: measure and decide, and change nothing."""


class _InForce(NamedTuple):
    """A policy and what is made of it.

    ``values`` is dotted path -> value that an iteration runs under, ``shown`` the same as JSON types, secrets masked;
    ``bounds`` are those of what may be tuned.
    """

    policy: Policy
    values: Mapping[str, Any]
    shown: Mapping[str, Any]
    bounds: Mapping[str, Bound]


class Loop:
    """Takes a run to its end, step by step, from wherever its journal says it is."""

    def __init__(self, folder: Path, journal: Journal, progress: Progress, parts: Parts) -> None:
        if progress.plan is None:
            raise ValueError("a run begins with its plan")
        self.progress = progress
        self._plan: Plan = progress.plan
        self._attempt_folder = folder / ATTEMPT_FOLDER
        self._folder = folder
        self._journal = journal
        self._parts = parts
        self._clock = parts.surroundings.clock
        self._pacing = Pacing(self._clock, self._plan.sleep_seconds)
        self._started_us = self._clock.monotonic_us() - progress.elapsed_us
        self._entered_us = self._clock.monotonic_us()
        self._in_force: _InForce | None = None

    def run(self) -> str:
        """Go on until the run ends; return why: ``planned``, ``budget``, ``aborted``, ``safety`` or ``interrupted``.

        Raises SafetyStopError where a person must look before the run can go on, StoreError where nothing can be
        written.
        """
        with self._parts.interruption.telling(self._clock.wake):
            while not (reason := self._end()):
                self._advance()
        return reason

    def _end(self) -> str:
        """Return why the run ends here, or nothing. A half done iteration is ended only while its workload runs."""
        progress = self.progress
        if progress.is_between_iterations:
            if progress.stop:
                return progress.stop
            return "planned" if self._is_last(progress.iteration) else self._cut()
        return self._cut() if progress.step in (Step.PLANNED, Step.RUNNING) else ""

    def _cut(self) -> str:
        """Return what cuts the run off at any moment, or nothing."""
        if self._parts.interruption.is_asked_for:
            return "interrupted"
        budget = self._plan.budget_seconds
        return "budget" if budget is not None and self._elapsed_us() >= budget * _SECOND_US else ""

    def _is_last(self, iteration: int) -> bool:
        """Whether no iteration is planned after this one."""
        plan = self._plan
        if iteration < 1:
            return False
        if plan.iterations is not None and iteration >= plan.iterations:
            return True
        if plan.duration_seconds is None:
            return False
        next_us = self._elapsed_us() + self._pacing.until_next_us()
        return next_us >= plan.duration_seconds * _SECOND_US

    def _elapsed_us(self) -> int:
        return self._clock.monotonic_us() - self._started_us

    def _advance(self) -> None:
        match self.progress.step:
            case None | Step.DONE:
                self._plan_iteration()
            case Step.PLANNED | Step.RUNNING:
                self._measure()
            case Step.MEASURED:
                self._decide()
            case Step.DECIDED:
                self._apply()
            case _:
                self._close()

    def _append(self, step: Step, data: Mapping[str, Any], iteration: int = 0) -> None:
        line = self._journal.append(step, iteration or self.progress.iteration, self._clock.now_us(), data)
        self.progress = fold(self.progress, line)

    def _plan_iteration(self) -> None:
        self._parts.watcher.waiting(self.progress, self._pacing.until_next_us() / _SECOND_US)
        slot = self._pacing.enter()
        self._entered_us = self._clock.monotonic_us()
        if self._cut():  # told to stop while it waited, or the budget was spent waiting
            return
        iteration = self.progress.iteration + 1
        shown = self._look(iteration).shown
        data = {
            "phase": self._plan.phase(iteration),
            "elapsed_us": self._elapsed_us(),
            "late_us": slot.late_us,
            "missed_slots": slot.missed,
        }
        if shown != self.progress.values:
            data["values"] = shown
        self._append(Step.PLANNED, data, iteration)

    def _seen(self) -> _InForce:
        """Return what was in force when this process last looked, which nothing was waited for since."""
        return self._in_force or self._look(self.progress.iteration)

    def _look(self, iteration: int) -> _InForce:
        """Return what an iteration runs under, by the files as they are now.

        Raises SafetyStopError where the override file is no longer as this run left it.
        """
        policy = self._parts.parameters.policy()
        found = policy.overrides
        if found is not None and (found.revision != self.progress.revision or found.is_edited):
            raise SafetyStopError(
                f"{found.path} is not as this run left it (revision {found.revision}, expected"
                f" {self.progress.revision}{', and edited' if found.is_edited else ''})",
                "undo the edit and resume, or begin a new run"
                if found.is_edited
                else "see who changed it; `causal soak revert` puts the last good values back",
            )
        seen, plan = self._in_force, self._plan
        if seen is not None and seen.policy is policy and not plan.preset:
            return seen
        values = policy.flat
        share = preset_share(iteration, warmup=plan.warmup, rampdown=plan.rampdown)
        if share and plan.preset:
            values = between(values, under_preset(plan.preset, values, policy.bounds), share)
        self._in_force = _InForce(
            policy=policy,
            values=values,
            shown=json.loads(json.dumps(masked(values, policy.secrets), sort_keys=True)),
            bounds={path: bound for path, bound in policy.bounds.items() if path not in policy.secrets},
        )
        return self._in_force

    def _measure(self) -> None:
        """Run the workload. What was cut off, by a signal or the end of the budget, was not measured."""
        policy, values, _, _ = self._seen()
        self._append(Step.RUNNING, {"attempt": self.progress.attempt + 1})
        self._parts.watcher.running(self.progress)
        timeout_us = self._plan.timeout_seconds * _SECOND_US
        if self._plan.budget_seconds is not None:
            timeout_us = min(timeout_us, self._plan.budget_seconds * _SECOND_US - self._elapsed_us())
        started_us = self._clock.monotonic_us()
        measurement = self._parts.workload.measure(
            Task(
                run=self._plan.run,
                iteration=self.progress.iteration,
                seed=self._plan.seed,
                values=dict(values),
                secrets=policy.secrets,
                profile=policy.profile,
                folder=self._attempt_folder,
                timeout_seconds=timeout_us / _SECOND_US,
                interruption=self._parts.interruption,
            )
        )
        took_us = self._clock.monotonic_us() - started_us
        if measurement.problem and self._cut():
            return
        self._append(
            Step.MEASURED,
            {
                "measurement": measurement.to_json(),
                "took_us": took_us,
                "observed_us": self._observed_us(measurement, took_us),
            },
        )

    def _observed_us(self, measurement: Measurement, took_us: int) -> int:
        """Return how much of the system's time this iteration stands for."""
        covered = measurement.covered_seconds
        worked_us = took_us if covered is None else round(covered * _SECOND_US)
        return max(worked_us, round(self._plan.sleep_seconds * _SECOND_US))

    def _decide(self) -> None:
        progress = self.progress
        credited = self._credited(progress.measurement)
        verdict = progress.gate.verdict
        if progress.measurement.problem and verdict is not Verdict.FAIL:
            verdict = Verdict.INCONCLUSIVE
        tuned = self._tuned(self._look(progress.iteration), verdict)
        stop = "safety" if tuned.get("is_safety_stop") else ""
        if not stop and self._is_to_abort(verdict):
            stop = "aborted"
        decided = {
            "verdict": verdict,
            "credited": credited,
            "uncredited": sorted(progress.pending.keys() - credited),
            **tuned,
            "stop": stop,
        }
        self._append(Step.DECIDED, {name: part for name, part in decided.items() if part})  # see UNDECIDED

    def _is_to_abort(self, verdict: Verdict) -> bool:
        after = self._plan.abort_after_seconds
        is_steady = self.progress.planned["phase"] == Phase.STEADY
        if after is None or verdict is not Verdict.FAIL or not is_steady:
            return False
        since = self.progress.failing_since_us
        return (
            self.progress.soak_us - (self.progress.soak_us if since is None else since) >= after * _SECOND_US
        )

    def _credited(self, measurement: Measurement) -> list[str]:
        """Return the paths of the last change that this iteration read, with the value they were changed to."""
        if not self.progress.pending:
            return []
        read = {(read.path, read.value) for read in measurement.reads}
        return sorted(
            path for path, value in self.progress.pending.items() if (path, canonical(value)) in read
        )

    def _tuned(self, seen: _InForce, verdict: Verdict) -> dict[str, Any]:
        """Return what tuning proposes and what the guards let through; nothing in the warm-up or without tuning."""
        if self._parts.tuning is None or self.progress.planned["phase"] != Phase.STEADY:
            return {}
        return self._parts.tuning.decide(
            self.progress,
            seen.values,
            seen.bounds,
            Moment(
                verdict=verdict,
                is_last=self._is_last(self.progress.iteration),
                is_frozen=self._parts.is_frozen(),
            ),
        )

    def _apply(self) -> None:
        """Make the change that was decided; one that was made before the run was killed is found made."""
        moves = [Move(*step) for step in self.progress.decided["applied"]]
        if not moves:
            found = self._seen().policy.overrides
            fingerprint = found.fingerprint if found is not None else ""
            data = {"revision": self.progress.revision, "fingerprint": fingerprint, "taken_back": ""}
        else:
            author = Author(
                by=f"soak {self._plan.run} iteration {self.progress.iteration}",
                at=f"{clock.at(self._clock.now_us()):%Y-%m-%dT%H:%M:%SZ}",
            )
            done = self._parts.parameters.apply(moves, author, from_revision=self.progress.revision)
            data = done._asdict()
        self._append(Step.APPLIED, data)

    def _close(self) -> None:
        """End the iteration: what it cost us is noted, and its artifact written by whoever watches."""
        footprint = self._parts.surroundings.footprint(self._folder)
        self._append(
            Step.DONE,
            {
                "elapsed_us": self._elapsed_us(),
                "runner_us": max(
                    0, self._clock.monotonic_us() - self._entered_us - self.progress.measured["took_us"]
                ),
                "own": footprint._asdict(),
            },
        )
        self._parts.watcher.iterated(self.progress)
