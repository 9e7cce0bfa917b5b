"""The recorder: turns what pytest reports into runs, on the controller (or in a plain session) only."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_causal import clock, garbage
from pytest_causal.actions.recording import BATCH_RUNS, Recording
from pytest_causal.actions.surroundings import is_dirty
from pytest_causal.errors import ExitCode
from pytest_causal.hooks.edge import Edge, guarded
from pytest_causal.hooks.folding import Folding
from pytest_causal.hooks.notes import NoteTaker
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionEnding, SessionState

if TYPE_CHECKING:
    from pytest_causal.actions.judgements import Judgements
    from pytest_causal.actions.review import Reviewed
    from pytest_causal.model.promotion import PromotionRule
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.settings.sources import Settings

BATCH_REPORTS = 3 * BATCH_RUNS
"""Reports that may wait to be folded: those of as many runs as may wait to be committed."""
_monotonic_seconds = clock.monotonic_seconds
_UNFINISHED_STATUSES = frozenset(
    {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR}
)


class Recorder(Edge):
    """Folds reports into runs and hands them to the recording; concludes it when the session ends."""

    def __init__(
        self,
        recording: Recording,
        folding: Folding,
        taker: NoteTaker,
        settings: Settings,
        policy: Policy,
    ) -> None:
        super().__init__()
        self.recording = recording
        self.settings = settings
        self.judgements: Judgements | None = None
        self.ending: SessionEnding | None = None
        self.reviewed: list[Reviewed] = []
        self._folding = folding
        self._policy = policy
        self._taker = taker
        self._reports: deque[pytest.TestReport] = deque()
        self._selected: list[tuple[str, Sequence[str]]] = []
        self._is_interrupted = False
        self._is_collecting_only = False
        self._is_each = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Begin the session in the store. With ``strict`` a store that cannot record is a usage error."""
        with garbage.left_alone():
            self._begin(session.config.option)
        if self.fault and self.settings.strict:
            raise pytest.UsageError(f"causal: {self.fault}")

    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember what was selected, to know at the end what never ran."""
        self._selected.append(("", [item.nodeid for item in session.items]))
        self._folding.scenario_of.update(self._taker.scenario_of)

    @guarded
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a collector that failed or was skipped whole."""
        if not report.passed and not self._is_collecting_only:
            run = self._folding.collection_problem(report)
            if run is not None:
                self.recording.add(run)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a report until some can be folded together: this is called three times a test."""
        reports = self._reports
        reports.append(report)
        if len(reports) >= BATCH_REPORTS or (
            report.when == "teardown" and _monotonic_seconds() >= self.recording.flush_at_seconds
        ):
            # What a failed test raised may be attached to its report only after this.
            newest = reports.pop() if report.outcome == "failed" else None
            try:
                self._fold()
            finally:
                if newest is not None:
                    reports.append(newest)

    def _fold(self) -> None:
        """Record the runs that the reports so far complete."""
        if self.is_off:
            self._reports.clear()
        self._record()

    @guarded
    def _record(self) -> None:
        self.recording.add_all(self._folding.fold(self._reports))

    @guarded
    def pytest_keyboard_interrupt(self) -> None:
        """Note that the session was interrupted: Ctrl-C or ``pytest.exit``."""
        self._is_interrupted = True

    @guarded
    def pytest_internalerror(self) -> None:
        """Note that the session broke inside pytest."""
        self._is_interrupted = True

    @guarded
    def _begin(self, option: Any) -> None:
        self._is_collecting_only = bool(option.collectonly)
        self._is_each = getattr(option, "dist", "no") == "each"
        if not self._is_collecting_only:
            self.recording.start()

    def note_collection(self, worker: str, nodeids: Sequence[str]) -> None:
        """Take what an xdist worker collected; with ``--dist=each`` every worker runs all of it."""
        name = worker if self._is_each else ""
        self._selected.append((name, nodeids))  # the list that pytest-xdist keeps: no memory of ours

    def note_worker_end(self, marks: str) -> None:
        """Take the scenario markers that a worker saw, and the fault that stopped its notes."""
        carried: dict[str, Any] = json.loads(marks)
        self._taker.fault = self._taker.fault or carried["fault"]
        self._folding.scenario_of.update(carried["scenario_of"])
        for name, (tags, criteria) in carried["declarations"].items():
            self._taker.declarations[name] = Declaration(
                scenario=name, tags=tuple(tags), criteria=tuple((field, value) for field, value in criteria)
            )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """End the session in the store. With ``strict`` a record that is not whole fails a run that passed."""
        with garbage.left_alone():
            self._fold()
            self._conclude(session, exitstatus)
            self._review(session.config)
        if self.settings.strict and not self._is_whole() and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = ExitCode.IO_ERROR

    @guarded
    def _conclude(self, session: pytest.Session, exitstatus: int) -> None:
        """Record what never ran, fold the evidence, and end the session."""
        if self._is_collecting_only or not self.recording.session:
            return
        for run in self._folding.missing((worker, each) for worker, ids in self._selected for each in ids):
            self.recording.add(run)
        # Without the notes of all tests it is not known what was read, and for which policy a pass would speak.
        unfinished = self._is_interrupted or self._taker.fault or exitstatus in _UNFINISHED_STATUSES
        ending = SessionEnding(
            state=SessionState.INTERRUPTED if unfinished else SessionState.FINISHED,
            finished_us=clock.now_us(),
            exit_status=int(exitstatus),
            is_dirty=is_dirty(self.settings.root),
        )
        declarations = list(self._taker.declarations.values())
        is_full = session.config.get_verbosity() > 0
        self.ending, self.judgements = self.recording.conclude(
            ending,
            self.settings.criteria,
            declarations,
            policy=lambda: self._policy.read_values,
            show=None if is_full else self.settings.summary_lines,
            is_mixed=self._folding.has_arms,
            rules=self._rules(),
        )

    def _rules(self) -> Sequence[PromotionRule]:
        """Return the rules of promotion; a session without any imports nothing for them."""
        if not self.settings.promotion_tables:
            return ()
        from pytest_causal.policy.promotion_rules import usable_rules

        return usable_rules(self.settings)

    @guarded
    def _review(self, config: pytest.Config) -> None:
        """Watch the changes that were made and decide on those that are proposed, where there are any."""
        store, settings = self.recording.store, self.settings
        if self.ending is None or store is None or not settings.review or settings.arm != "control":
            return
        if settings.promotion_tables or store.has_promotions():
            from pytest_causal.hooks.reviewing import review_session

            # Named as it is registered in hooks/measuring.py, when somebody implements one of our hooks.
            asking = config.pluginmanager.get_plugin("causal-measuring")
            extensions = asking.extensions if asking is not None else None
            self.reviewed, problem = review_session(store, self.recording.session, settings, extensions)
            if problem:
                self.recording.problems.append(problem)
            if extensions is not None:
                self.recording.notices += extensions.problems

    def _is_whole(self) -> bool:
        recording = self.recording
        return not (self.fault or self._taker.fault or recording.problems or recording.lost)

    @property
    def secrets(self) -> frozenset[str]:
        """The paths of the policy whose values must not be shown."""
        return self._policy.secrets

    def problems(self) -> list[str]:
        """Return what a person must be told about the record, a line each."""
        found = [*self.recording.notices, *self.recording.problems]
        for path in self._policy.changed_profiles():
            found.append(
                f"profile {path} was changed during this session, which kept the values it began with"
            )
        found += [fault for fault in (self.fault, self._taker.fault) if fault and fault not in found]
        if self.recording.lost:
            found.append(f"{self.recording.lost} runs of this session are not in the history")
        return found


class DistributionHooks(Edge):
    """The hooks that pytest-xdist adds; registered only where it is."""

    def __init__(self, recorder: Recorder, handover: str) -> None:
        super().__init__()
        self._recorder = recorder
        self._handover = handover

    @guarded
    def pytest_configure_node(self, node: Any) -> None:
        """Hand the settings and the policy over to a worker, as they were resolved here."""
        node.workerinput["causal"] = self._handover

    @guarded
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Remember what a worker selected."""
        self._recorder.note_collection(node.gateway.id, ids)

    @guarded
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take what a worker sent at its end; one that crashed sent nothing."""
        marks = getattr(node, "workeroutput", {}).get("causal")
        if marks:
            self._recorder.note_worker_end(marks)


class WorkerEnd:
    """Sends what a worker alone knows to the controller when the worker ends."""

    def __init__(self, taker: NoteTaker) -> None:
        self._taker = taker

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the scenario markers and the fault, if there are any."""
        if self._taker.scenario_of or self._taker.fault:
            declarations = {
                name: [each.tags, each.criteria] for name, each in self._taker.declarations.items()
            }
            carried = {
                "scenario_of": self._taker.scenario_of,
                "declarations": declarations,
                "fault": self._taker.fault,
            }
            session.config.workeroutput["causal"] = json.dumps(carried)  # type: ignore[attr-defined]
