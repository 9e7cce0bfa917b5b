"""How far a run has come: its journal, folded.

A run that goes on and one that is resumed know nothing but this, so that the two cannot differ. It holds what the next
step needs and running sums, and does not grow with the iterations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_causal.errors import DataError
from tools.soak.guard_state import State
from tools.soak.journal import SCHEMA, Line, Step
from tools.soak.kpi import GateResult, KpiSet, RunTally, Verdict, judge, parse_kpi
from tools.soak.measurement import Measurement
from tools.soak.plan import Plan
from tools.soak.warmup import Phase

_NOTHING: Mapping[str, Any] = MappingProxyType({})
UNDECIDED: Mapping[str, Any] = MappingProxyType(
    {
        "credited": (),
        "uncredited": (),
        "proposed": (),
        "set_aside": (),
        "applied": (),
        "checks": 0,
        "refused": (),
        "guards": {},
        "is_revert": False,
        "is_safety_stop": False,
        "is_last": False,
        "is_frozen": False,
        "stop": "",
    }
)
"""A decision on which nothing is tuned: of each part what it is where the journal leaves it out."""
_ORDER: Mapping[Step, tuple[Step | None, ...]] = {
    Step.PLANNED: (None, Step.DONE),
    Step.RUNNING: (Step.PLANNED, Step.RUNNING),
    Step.MEASURED: (Step.RUNNING,),
    Step.DECIDED: (Step.MEASURED,),
    Step.APPLIED: (Step.DECIDED,),
    Step.DONE: (Step.APPLIED,),
}
"""Which step of an iteration may follow which."""


class Progress(NamedTuple):
    """The state of a run: a named tuple, because six are made in each iteration (a dataclass takes 35 us more).

    ``step`` is the last one of ``iteration``; ``None`` before the first.

    ``begun_overrides`` is what the override file held (dotted path -> value) when the run began.

    ``planned``, ``measured``, ``decided``, ``applied`` and ``done`` are what those lines of this iteration hold;
    ``measurement`` is what was measured, read from them, ``gate`` what the limits ``kpis`` say of it, and ``guards``
    what the guards remember. ``values`` is dotted path -> value that the iteration runs under, secrets masked.
    ``soak_us`` is the time of the system that was observed so far: at least a period an iteration, and none while
    the run was down; guards go by it. ``elapsed_us`` is how long the run has been going. ``pending`` is path -> value
    of the last change, until an iteration has shown whether it is read. ``failing_since_us`` is the soak time since
    when every steady iteration has failed.
    """

    plan: Plan | None = None
    kpis: KpiSet = KpiSet(())
    began_us: int = 0
    begun_overrides: Mapping[str, Any] = _NOTHING
    step: Step | None = None
    iteration: int = 0
    attempt: int = 0
    planned: Mapping[str, Any] = _NOTHING
    values: Mapping[str, Any] = _NOTHING
    measured: Mapping[str, Any] = _NOTHING
    measurement: Measurement = Measurement()
    gate: GateResult = GateResult()
    decided: Mapping[str, Any] = _NOTHING
    applied: Mapping[str, Any] = _NOTHING
    done: Mapping[str, Any] = _NOTHING
    guards: State = State()
    tally: RunTally = RunTally()
    soak_us: int = 0
    elapsed_us: int = 0
    missed_slots: int = 0
    revision: int = 0
    pending: Mapping[str, Any] = _NOTHING
    failing_since_us: int | None = None
    stop: str = ""
    resumes: int = 0
    reverted: Mapping[str, Any] | None = None
    finished: Mapping[str, Any] | None = None

    @property
    def verdict(self) -> Verdict:
        """What the gate said of this iteration."""
        return Verdict(self.decided["verdict"])

    @property
    def is_between_iterations(self) -> bool:
        """Whether no iteration is half done."""
        return self.step in (None, Step.DONE)


def replay(lines: Iterable[Line]) -> Progress:
    """Return the progress that a journal tells of. Raises DataError for lines that are out of order."""
    return reduce(fold, lines, Progress())


def replayed(lines: Iterable[Line]) -> Iterator[Progress]:
    """Yield the progress at the end of each whole iteration. Raises DataError."""
    progress = Progress()
    for line in lines:
        progress = fold(progress, line)
        if line.step is Step.DONE:
            yield progress


def fold(progress: Progress, line: Line) -> Progress:
    """Return the progress after one more line. Raises DataError for one that cannot come next."""
    if line.step in _ORDER:
        _check_order(progress, line)
    try:
        return _FOLDS[line.step](progress, line)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"line {line.number} of the journal ({line.step}) cannot be understood: {error}",
            "it is of another version of the toolkit",
        ) from error


def _check_order(progress: Progress, line: Line) -> None:
    expected = progress.iteration + (line.step is Step.PLANNED)
    if progress.plan is None or progress.step not in _ORDER[line.step] or line.iteration != expected:
        raise DataError(
            f"line {line.number} of the journal says {line.step} of iteration {line.iteration} after"
            f" {progress.step or 'the beginning'} of iteration {progress.iteration}",
            "the journal is not one of a single run",
        )


def _begun(progress: Progress, line: Line) -> Progress:
    if line.data["schema"] != SCHEMA:
        raise ValueError(f"its schema is {line.data['schema']!r}, expected {SCHEMA!r}")
    plan = Plan.from_json(line.data["plan"])
    return progress._replace(
        plan=plan,
        kpis=parse_kpi(plan.kpi),
        values={},
        began_us=line.at_us,
        begun_overrides=line.data["overrides"],
        revision=line.data["revision"],
    )


def _planned(progress: Progress, line: Line) -> Progress:
    return progress._replace(
        step=line.step,
        iteration=line.iteration,
        attempt=0,
        planned=line.data,
        values=line.data.get("values", progress.values),
        elapsed_us=line.data["elapsed_us"],
        missed_slots=progress.missed_slots + line.data["missed_slots"],
    )


def _running(progress: Progress, line: Line) -> Progress:
    return progress._replace(step=line.step, attempt=line.data["attempt"])


def _measured(progress: Progress, line: Line) -> Progress:
    measurement = Measurement.from_json(line.data["measurement"])
    return progress._replace(
        step=line.step,
        measured=line.data,
        measurement=measurement,
        gate=judge(progress.kpis, measurement.metrics),
        soak_us=progress.soak_us + line.data["observed_us"],
    )


def _decided(progress: Progress, line: Line) -> Progress:
    decided = {**UNDECIDED, **line.data}
    is_steady = progress.planned["phase"] == Phase.STEADY
    verdict = Verdict(decided["verdict"])
    since = progress.failing_since_us
    if is_steady:
        since = (progress.soak_us if since is None else since) if verdict is Verdict.FAIL else None
    return progress._replace(
        step=line.step,
        decided=decided,
        guards=progress.guards.changed_by(decided["guards"]),
        tally=progress.tally.with_iteration(verdict, progress.measurement.metrics, is_warmup=not is_steady),
        failing_since_us=since,
        stop=decided["stop"],
    )


def _applied(progress: Progress, line: Line) -> Progress:
    is_in_force = not line.data["taken_back"]
    moved = {path: after for path, _, after in progress.decided["applied"]} if is_in_force else {}
    return progress._replace(step=line.step, applied=line.data, revision=line.data["revision"], pending=moved)


def _done(progress: Progress, line: Line) -> Progress:
    done = {**line.data, "at_us": line.at_us}
    return progress._replace(step=line.step, done=done, elapsed_us=done["elapsed_us"])


def _resumed(progress: Progress, line: Line) -> Progress:
    resumed = progress._replace(resumes=progress.resumes + 1)
    if not line.data["forced"]:
        return resumed
    plan = Plan.from_json(line.data["plan"])
    kpis = parse_kpi(plan.kpi)
    return resumed._replace(plan=plan, kpis=kpis, gate=judge(kpis, progress.measurement.metrics))


def _reverted(progress: Progress, line: Line) -> Progress:
    return progress._replace(reverted=line.data)


def _finished(progress: Progress, line: Line) -> Progress:
    return progress._replace(finished=line.data)


_FOLDS: Mapping[Step, Callable[[Progress, Line], Progress]] = {
    Step.BEGUN: _begun,
    Step.PLANNED: _planned,
    Step.RUNNING: _running,
    Step.MEASURED: _measured,
    Step.DECIDED: _decided,
    Step.APPLIED: _applied,
    Step.DONE: _done,
    Step.RESUMED: _resumed,
    Step.INTERRUPTED: lambda progress, line: progress,
    Step.REVERTING: lambda progress, line: progress,
    Step.REVERTED: _reverted,
    Step.FINISHED: _finished,
}
