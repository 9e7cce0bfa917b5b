"""Whether what a run reported is what happened: everything it wrote is read again and made again from its journal.

Each iteration is judged anew from what was measured, each decision is made anew from the rules and the guards, each
value must be the one before it plus what was applied, and every artifact must be what the journal says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import CausalError, ConfigError
from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.canonical import canonical, fingerprint
from pytest_causal.policy.overrides import read_overrides
from tools.soak.artifacts import (
    KPI_GATE,
    TUNING_REPORT,
    gate,
    iteration_summary,
    oldest_kept,
    summary_name,
    tuning_report,
)
from tools.soak.journal import NAME as JOURNAL
from tools.soak.journal import Line, Reading, Step, read_journal
from tools.soak.kpi import Verdict
from tools.soak.legacy import summary_files
from tools.soak.plan import file_hash
from tools.soak.progress import Progress, fold
from tools.soak.revert import override_file
from tools.soak.tuner import rules_path
from tools.soak.tuning import Moment, Tuning
from tools.soak.warmup import Phase


class Discrepancy(NamedTuple):
    """Something that is not as it was reported: where, and what."""

    where: str
    what: str


class Verification(NamedTuple):
    """What was looked at, what was found, and what could not be checked."""

    iterations: int
    found: tuple[Discrepancy, ...]
    unchecked: tuple[str, ...] = ()


def verify(folder: Path) -> Verification:
    """Check a run against its journal. Raises MissingInputError, StoreError; damage is a discrepancy."""
    check = _Check(folder)
    try:
        check.all()
    except CausalError as error:
        if not isinstance(error, ConfigError) and not str(error).startswith(str(folder)):
            raise
        check.found.append(Discrepancy(JOURNAL, str(error)))
    return Verification(check.progress.iteration, tuple(check.found), tuple(check.unchecked))


class _Check:
    """One pass over a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: list[Discrepancy] = []
        self.unchecked: list[str] = []
        self.progress = Progress()
        self._tuning: Tuning | None = None
        self._bounds: Mapping[str, Bound] = {}
        self._expected: dict[str, Any] | None = None

    def all(self) -> None:
        """Check everything, in the order in which it came about."""
        lines: Iterator[Line] = iter(Reading(self.folder / JOURNAL))
        for line in lines:
            before, self.progress = self.progress, fold(self.progress, line)
            match line.step:
                case Step.BEGUN | Step.RESUMED:
                    self._stand()
                case Step.PLANNED:
                    self._check_values(self.progress.values)
                case Step.DECIDED:
                    self._check_decision(before)
                case Step.APPLIED:
                    self._follow()
        self._check_summaries()
        self._check_reports()
        self._check_overrides()

    def _stand(self) -> None:
        plan = self.progress.plan
        if plan is None:
            return
        self._bounds = {
            path: Bound(bound.get("min"), bound.get("max"), bound.get("step"))
            for path, bound in plan.bounds.items()
        }
        self._tuning = None
        path = rules_path(plan.rules_file)
        if plan.auto_tune and path.exists() and plan.rules == file_hash(path):
            self._tuning = Tuning.from_file(path)
        elif plan.auto_tune:
            self.unchecked.append("decisions: the tuning rules are no longer those of this run")

    def _check_values(self, values: Mapping[str, Any]) -> None:
        """The values of an iteration are those of the one before, and what was applied to them."""
        where = f"iteration {self.progress.iteration}"
        if self.progress.planned["phase"] != Phase.STEADY:
            return  # a preset may lie above them; behind the warm-up they must be where they were
        plan = self.progress.plan
        expected = self._expected if self._expected is not None else dict(plan.values if plan else {})
        for path in sorted(values.keys() | expected.keys()):
            if canonical(values.get(path)) != canonical(expected.get(path)):
                self._note(where, f"{path} is {values.get(path)}, and should be {expected.get(path)}")
        for path, bound in self._bounds.items():
            if path in values and not bound.holds(values[path]):
                self._note(where, f"{path} is {values[path]}, out of bounds ({bound})")
        self._expected = dict(values)

    def _check_decision(self, before: Progress) -> None:
        """The verdict follows from the metrics, the credit from the reads, the decision from the rules."""
        where, data = f"iteration {before.iteration}", json.loads(json.dumps(self.progress.decided))
        measurement = before.measurement
        verdict = before.gate.verdict
        if measurement.problem and verdict is not Verdict.FAIL:
            verdict = Verdict.INCONCLUSIVE
        if verdict != data["verdict"]:
            self._note(where, f"verdict {data['verdict']} was reported, and the metrics give {verdict}")
        read = {(read.path, read.value) for read in measurement.reads}
        credited = sorted(path for path, value in before.pending.items() if (path, canonical(value)) in read)
        if credited != data["credited"]:
            self._note(where, f"{data['credited']} were credited, and {credited} were read")
        is_tuned = bool(before.plan and before.plan.auto_tune) and before.planned["phase"] == Phase.STEADY
        if not is_tuned and data["applied"]:
            self._note(where, "values were changed where nothing is tuned")
        if not is_tuned or self._tuning is None:
            return
        moment = Moment(Verdict(data["verdict"]), data["is_last"], data["is_frozen"])
        again = self._tuning.decide(before, before.values, self._bounds, moment)
        for name, value in json.loads(json.dumps(again)).items():
            if value != data[name]:
                self._note(where, f"{name} was reported as {data[name]}, and comes out as {value}")

    def _follow(self) -> None:
        """Note which values the next iteration must have."""
        if self._expected is None:
            return
        for path, before, after in self.progress.decided["applied"]:
            if canonical(self._expected.get(path)) != canonical(before):
                where = f"iteration {self.progress.iteration}"
                self._note(where, f"{path} was changed from {before}, and was {self._expected.get(path)}")
            if not self.progress.applied["taken_back"]:
                self._expected[path] = after

    def _check_summaries(self) -> None:
        """Each summary is what the journal says, and there is one for each iteration that is kept."""
        there = dict(summary_files(self.folder))
        progress = Progress()
        for line in read_journal(self.folder / JOURNAL):
            progress = fold(progress, line)
            if line.step is not Step.DONE:
                continue
            path = there.pop(progress.iteration, None)
            if path is not None:
                self._compare(path, iteration_summary(progress))
            elif progress.iteration >= oldest_kept(self.progress):
                self._note(summary_name(progress.iteration), "is missing")
        for number in there:
            self._note(summary_name(number), "is of an iteration that the journal does not know")

    def _check_reports(self) -> None:
        if self.progress.finished is None:
            self.unchecked.append("reports: the run has not ended")
            return
        lines = read_journal(self.folder / JOURNAL)
        report = json.loads(b"".join(tuning_report(lines, self.progress)))
        self._compare(self.folder / TUNING_REPORT, report)
        self._compare(self.folder / KPI_GATE, gate(self.progress))

    def _compare(self, path: Path, expected: Mapping[str, Any]) -> None:
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            self._note(path.name, f"cannot be read: {error}")
            return
        expected = json.loads(json.dumps(expected))
        if not isinstance(found, dict):
            self._note(path.name, "is no JSON object")
            return
        for key in sorted(found.keys() | expected.keys()):
            if found.get(key) != expected.get(key):
                self._note(
                    path.name,
                    f"{key} is {_brief(found.get(key))}, and the journal says {_brief(expected.get(key))}",
                )

    def _check_overrides(self) -> None:
        """The override file is as the run left it."""
        plan, applied = self.progress.plan, self.progress.applied
        if plan is None or not applied:
            return
        path = override_file(plan, self.folder)
        found = read_overrides(path)
        if self.progress.reverted is not None:
            is_as_left = canonical(found.leaves) == canonical(self.progress.reverted["overrides"])
        else:
            is_as_left = (found.revision, found.fingerprint) == (applied["revision"], applied["fingerprint"])
        if not is_as_left or (found.revision and found.fingerprint != fingerprint(found.leaves)):
            self._note(path.name, "is not as the run left it")

    def _note(self, where: str, what: str) -> None:
        self.found.append(Discrepancy(where, what))


def _brief(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 120 else f"{text[:117]}..."
