"""Beginning, resuming and ending a run: ``python -m tools.soak.run`` is ``causal soak run``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import ExitCode, MissingInputError, UsageError
from tools.soak.artifacts import mend_summaries, write_reports, write_summary
from tools.soak.identity import OVERRIDES, Ground, stand
from tools.soak.interruption import Interruption
from tools.soak.journal import NAME as JOURNAL
from tools.soak.journal import SCHEMA, Journal, Step, read_journal
from tools.soak.kpi import Verdict, judge_run
from tools.soak.lease import lease, this_process
from tools.soak.loop import Loop, Parts, Watcher
from tools.soak.parameters import SafetyStopError
from tools.soak.plan import Plan, check_run_name, differences, refuse_changes, refuse_the_impossible
from tools.soak.progress import Progress, fold, replay, replayed
from tools.soak.resources import drift_to_json, resources_of
from tools.soak.surroundings import Surroundings
from tools.soak.tuner import rules_path
from tools.soak.tuning import Tuning
from tools.soak.workloads import Workload, open_workload

LEASE = "run.lock"
OVERRIDES_LEASE_SUFFIX = ".soak-lock"


class Ending(NamedTuple):
    """How a run, or this part of it, ended. ``ended`` is ``interrupted`` where it can be resumed."""

    exit_code: int
    ended: str
    verdict: str
    reason: str
    folder: Path


@dataclass(frozen=True, kw_only=True)
class World:
    """What a run meets: surroundings, whoever interrupts it, whoever watches it, and how a workload is opened."""

    watcher: Watcher
    surroundings: Surroundings = dataclasses.field(default_factory=Surroundings)
    interruption: Interruption = dataclasses.field(default_factory=Interruption)
    workload: Callable[[Plan], Workload] = lambda plan: open_workload(plan.workload, plan.options)
    record: Callable[[Ground, Path, Progress], None] = lambda ground, folder, progress: None
    """Puts a finished run into the history store; called again for one that was recorded already."""


def begin(asked: Plan, out: Path, world: World) -> Ending:
    """Begin a run and take it to its end. Raises UsageError where there is one of that name, and as the loop does."""
    refuse_the_impossible(asked)
    folder = (out / asked.run).absolute()
    ground = stand(asked, folder)
    with _holding(folder, ground, world) as journal:
        if journal.lines:
            began = replay(read_journal(folder / JOURNAL)).plan
            lines = differences(began, ground.plan) if began is not None else []
            raise UsageError(
                f"run {asked.run} was begun already"
                + (f", with another plan: {'; '.join(lines)}" if lines else ""),
                f"causal soak resume {asked.run} goes on as it began; or give another --run-id",
            )
        found = ground.parameters.start()
        line = journal.append(
            Step.BEGUN,
            0,
            world.surroundings.clock.now_us(),
            {
                "schema": SCHEMA,
                "plan": ground.plan.to_json(),
                "revision": found.revision,
                "overrides": dict(found.leaves),
                "process": this_process()._asdict(),
            },
        )
        return _go_on(ground, folder, journal, fold(Progress(), line), world)


def resume(name: str, out: Path, world: World, *, is_forced: bool = False) -> Ending:
    """Take a run that was interrupted or killed to its end.

    One that has ended is left as it is. Raises ChangedPlanError where profile, version, values or limits are no longer
    those it began with (``is_forced`` goes on under today's and records that), SafetyStopError for one that was
    reverted, MissingInputError, LeaseHeldError for one that is going on, and as the loop does.
    """
    folder = existing_folder(name, out)
    progress = replay(read_journal(folder / JOURNAL))
    if progress.plan is None:
        raise MissingInputError(
            f"run {name} was not begun: its journal is empty", "begin it with `causal soak run`"
        )
    ground = stand(progress.plan, folder)
    with _holding(folder, ground, world) as journal:
        progress = replay(read_journal(folder / JOURNAL))
        if progress.reverted is not None:
            raise SafetyStopError(f"run {name} was reverted", "begin a new run")
        if progress.finished is not None:
            mend_summaries(world.surroundings.files, folder, progress)
            _complete(ground, folder, progress, world)
            return _ending(progress, folder)._replace(exit_code=ExitCode.OK)
        changes = differences(progress.plan, ground.plan) if progress.plan else []
        if not is_forced and progress.plan is not None:
            refuse_changes(progress.plan, ground.plan)
        line = journal.append(
            Step.RESUMED,
            progress.iteration,
            world.surroundings.clock.now_us(),
            {
                "forced": changes,
                "plan": ground.plan.to_json() if changes else {},
                "process": this_process()._asdict(),
            },
        )
        progress = fold(progress, line)
        mend_summaries(world.surroundings.files, folder, progress)
        return _go_on(ground, folder, journal, progress, world)


def existing_folder(name: str, out: Path) -> Path:
    """Return the folder of a run. Raises UsageError for a name that is none, MissingInputError."""
    folder = (out / check_run_name(name)).absolute()
    if not (folder / JOURNAL).exists():
        raise MissingInputError(
            f"there is no run {name} in {out}", "`causal soak list` lists the runs there are"
        )
    return folder


@contextlib.contextmanager
def _holding(folder: Path, ground: Ground, world: World) -> Iterator[Journal]:
    """Hold the run, and the override file where others may use it too. Raises LeaseHeldError."""
    parameters, sync = ground.parameters.path, world.surroundings.sync
    with contextlib.ExitStack() as stack:
        stack.enter_context(lease(folder / LEASE, f"run {folder.name}"))
        if parameters != folder / OVERRIDES:
            held = parameters.with_name(parameters.name + OVERRIDES_LEASE_SUFFIX)
            stack.enter_context(lease(held, str(parameters)))
        journal = stack.enter_context(contextlib.closing(Journal.open(folder / JOURNAL, sync=sync)))
        yield journal


def _go_on(ground: Ground, folder: Path, journal: Journal, progress: Progress, world: World) -> Ending:
    plan = ground.plan
    parts = Parts(
        workload=world.workload(plan),
        parameters=ground.parameters,
        tuning=Tuning.from_file(rules_path(plan.rules_file)) if plan.auto_tune else None,
        surroundings=world.surroundings,
        interruption=world.interruption,
        watcher=_Summaries(folder, world),
        is_frozen=lambda: ground.is_frozen,
    )
    loop = Loop(folder, journal, progress, parts)
    now_us = world.surroundings.clock.now_us
    try:
        ended = loop.run()
    except SafetyStopError as error:
        journal.append(Step.INTERRUPTED, loop.progress.iteration, now_us(), {"reason": str(error)})
        raise
    if ended == "interrupted":
        reason = world.interruption.reason
        journal.append(Step.INTERRUPTED, loop.progress.iteration, now_us(), {"reason": reason})
        again = f"{reason}; go on with: causal soak resume {plan.run}"
        return Ending(ExitCode.BUSY, ended, "", again, folder)
    data = {**_final(ground, folder, loop.progress, ended), "at_us": now_us()}
    line = journal.append(Step.FINISHED, loop.progress.iteration, now_us(), data)
    progress = fold(loop.progress, line)
    _complete(ground, folder, progress, world)
    return _ending(progress, folder)


def _final(ground: Ground, folder: Path, progress: Progress, ended: str) -> dict[str, Any]:
    """Return the verdict on the run: what its limits say, unless a resource of the system keeps growing."""
    result = judge_run(ground.kpis, progress.tally)
    resources = resources_of(replayed(read_journal(folder / JOURNAL)))
    verdict, reason = result.verdict, result.reason
    if resources.growing:
        verdict, reason = Verdict.FAIL, f"{', '.join(resources.growing)} keeps growing; {reason}"
    return {
        "ended": ended,
        "verdict": verdict,
        "reason": reason,
        "exit_code": int(ExitCode.LOCKED if ended == "safety" else verdict.exit_code),
        "drift": drift_to_json(resources.system),
        "own_drift": drift_to_json(resources.own),
    }


def _complete(ground: Ground, folder: Path, progress: Progress, world: World) -> None:
    """Write everything that stands at the end of a run; doing it again changes nothing."""
    write_reports(world.surroundings.files, folder, progress)
    world.record(ground, folder, progress)


def _ending(progress: Progress, folder: Path) -> Ending:
    finished = progress.finished or {}
    return Ending(
        finished.get("exit_code", 0), finished["ended"], finished["verdict"], finished["reason"], folder
    )


class _Summaries:
    """Writes the summary of each iteration, and passes on what the watcher is told."""

    def __init__(self, folder: Path, world: World) -> None:
        self._folder = folder
        self._files = world.surroundings.files
        self._watcher = world.watcher

    def waiting(self, progress: Progress, seconds: float) -> None:
        self._watcher.waiting(progress, seconds)

    def running(self, progress: Progress) -> None:
        self._watcher.running(progress)

    def iterated(self, progress: Progress) -> None:
        write_summary(self._files, self._folder, progress)
        self._watcher.iterated(progress)


def main() -> None:
    """Run ``causal soak run`` under the name of old."""
    from tools.soak.command import soak_run

    soak_run.main(prog_name="python -m tools.soak.run")


if __name__ == "__main__":
    main()
