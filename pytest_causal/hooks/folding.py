"""Folds the reports of setup, call and teardown into one run. Knows the shapes of reports, not where runs go."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pytest_causal import clock
from pytest_causal.hooks.notes import ATTRIBUTE, NO_NOTES, read_notes
from pytest_causal.model.run import CONTROL, Cause, Outcome, Phase, Run

if TYPE_CHECKING:
    import pytest

Key = tuple[str, str]
"""(worker, node id)."""

_SUPERSEDED = frozenset({"rerun", "retried"})
_PHASES = {"setup": Phase.SETUP, "call": Phase.CALL, "teardown": Phase.TEARDOWN}
_says = itemgetter("when", "outcome")
_PASSED_SETUP, _PASSED_CALL, _PASSED_TEARDOWN = ((when, "passed") for when in _PHASES)
_DECIDED = frozenset({Outcome.FAILED, Outcome.ERROR})
_STRICT_XPASS = "[XPASS(strict)] "


class _Open:
    """A run that has begun and not ended. Without a call phase it is not a pass, whatever setup and teardown say."""

    # Not set for every test anew, nor in slots: most runs change two of them.
    setup = call = teardown = 0.0
    outcome = Outcome.MISSING
    cause: Cause | None = None
    notes = NO_NOTES

    def __init__(self, started_us: int) -> None:
        self.started_us = started_us


class Folding:
    """Keeps the runs that are under way and says when one is whole.

    ``clean`` is applied to every message before it is kept (redaction and cap).
    """

    has_arms = False
    """Whether runs may have been made under other policies than the one in force."""

    def __init__(self, clean: Callable[[str], str], *, prefix: str = "", strips_groups: bool = False) -> None:
        self._clean = clean
        self._prefix = prefix
        self._strips_groups = strips_groups
        self._is_renaming = bool(prefix) or strips_groups
        self._open: dict[Key, _Open] = {}
        self._occurrences: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._attempts: dict[Key, int] = {}
        self.scenario_of: dict[str, str] = {}

    def fold(self, reports: deque[pytest.TestReport]) -> Iterator[Run]:
        """Take reports from the left, in the order in which they came, and yield the runs that they complete."""
        while reports:
            run = self._plain_pass(reports) or self.add(reports.popleft())
            if run is not None:
                yield run

    def add(self, report: pytest.TestReport) -> Run | None:
        """Take one report; return the run that it completes, if it does."""
        facts = vars(report)  # three times a test: a dict tells sooner than an object what is not there
        nodeid = report.nodeid  # a property as of pytest 9.1, and in no dict
        key = (facts.get("worker_id", ""), self.identity(nodeid) if self._is_renaming else nodeid)
        when: str = facts["when"]
        entry = None if when == "setup" else self._open.get(key)
        if entry is None:
            if when == "teardown" and key in self._attempts:
                return None  # of an attempt that is rerun, and closed already
            entry = self._open[key] = _Open(int(report.start * 1_000_000) or clock.now_us())
        if ATTRIBUTE in facts:
            entry.notes = read_notes(facts[ATTRIBUTE])
        if "context" in facts:  # a subtest lies inside its test's call and is timed with it
            self._judge(entry, report)
            return None
        if when == "???":
            return self._close_crashed(key, entry, report)
        outcome: str = facts["outcome"]
        if outcome in _SUPERSEDED:
            return self._close_superseded(key, entry, report)
        if when in _PHASES:
            setattr(entry, when, facts["duration"])
        if outcome != "passed" or "wasxfail" in facts:
            self._judge(entry, report)
        elif when == "call" and entry.outcome is Outcome.MISSING:
            entry.outcome = Outcome.PASSED
        return self._run(key, entry, entry.outcome) if when == "teardown" else None

    def collection_problem(self, report: pytest.CollectReport) -> Run | None:
        """Return the run that stands for a collector that failed or skipped as a whole; once for each."""
        nodeid = self.identity(report.nodeid)
        if nodeid in self._occurrences[""]:
            return None
        self._occurrences[""][nodeid] = 1
        failed = bool(report.failed)
        cause = Cause(
            phase=Phase.COLLECT,
            type=_type_from_text(_crash_message(report)) if failed else "",
            message=self._clean(_crash_message(report) if failed else _skip_reason(report)),
        )
        return Run(
            scenario=nodeid,
            nodeid=nodeid,
            outcome=Outcome.ERROR if failed else Outcome.SKIPPED,
            started_us=clock.now_us(),
            cause=cause,
        )

    def missing(self, selected: Iterable[Key]) -> Iterator[Run]:
        """Yield a ``missing`` run for each selected (worker, node id) that never ended, begun or not.

        With a worker of "" a test counts as run wherever it ran.
        """
        for worker, raw in selected:
            nodeid = self.identity(raw) if self._is_renaming else raw
            if nodeid in self._occurrences[worker]:
                continue
            if not worker and any(nodeid in ran for ran in self._occurrences.values()):
                continue
            self._occurrences[worker][nodeid] = 1
            was_running = any(key[1] == nodeid for key in self._open) if self._open else False
            text = "interrupted while it ran" if was_running else "collected, but never run"
            yield Run(
                scenario=self.scenario_of.get(nodeid, nodeid),
                nodeid=nodeid,
                outcome=Outcome.MISSING,
                started_us=clock.now_us(),
                worker=worker,
                cause=Cause(phase=Phase.NONE, type="", message=text),
            )

    def identity(self, nodeid: str) -> str:
        """Return a node id relative to the intended root, without the ``@group`` of ``--dist=loadgroup``."""
        nodeid = nodeid.removeprefix(self._prefix)
        if self._strips_groups and nodeid.rfind("@") > nodeid.rfind("]"):
            return nodeid.rpartition("@")[0]
        return nodeid

    def _plain_pass(self, reports: deque[pytest.TestReport]) -> Run | None:
        """Take the next three reports at once, if they are those of one test that simply passed and noted nothing.

        Most are. :meth:`add` makes the same of them in three times the time.
        """
        if len(reports) < len(_PHASES) or self._attempts:
            return None
        setup, call, teardown = reports[0].__dict__, reports[1].__dict__, reports[2].__dict__  # as in add
        if not _is_plain_pass(setup, call, teardown):
            return None
        worker = setup.get("worker_id", "")
        nodeid = reports.popleft().nodeid
        reports.popleft()
        reports.popleft()
        if self._is_renaming:
            nodeid = self.identity(nodeid)
        if self._open:
            self._open.pop((worker, nodeid), None)
        ran = self._occurrences[worker]
        ran[nodeid] = occurrence = ran.get(nodeid, 0) + 1
        return Run(
            self.scenario_of.get(nodeid, nodeid) if self.scenario_of else nodeid,
            nodeid,
            Outcome.PASSED,
            int(setup["start"] * 1_000_000) or clock.now_us(),
            setup["duration"],
            call["duration"],
            teardown["duration"],
            1,
            occurrence,
            False,
            worker,
        )

    def _judge(self, entry: _Open, report: pytest.TestReport) -> None:
        """Bring a report that is more than a plain pass into the run's outcome; the first failure decides."""
        outcome, type_, message = _outcome_of(report)
        if entry.outcome in _DECIDED or outcome is Outcome.PASSED:
            return
        entry.outcome = outcome
        if outcome is Outcome.XPASSED and type_ == "":
            return  # a cause would make it a failure
        entry.cause = Cause(
            phase=_PHASES.get(str(report.when), Phase.NONE),
            type=type_ or (entry.notes.raised if outcome in (Outcome.FAILED, Outcome.ERROR) else ""),
            message=self._clean(message),
            is_infrastructure=entry.notes.is_infrastructure and outcome in (Outcome.FAILED, Outcome.ERROR),
        )

    def _close_superseded(self, key: Key, entry: _Open, report: pytest.TestReport) -> Run:
        setattr(entry, report.when, report.duration)
        outcome = Outcome.FAILED if report.when == "call" else Outcome.ERROR
        entry.cause = Cause(
            phase=_PHASES.get(str(report.when), Phase.NONE),
            type=entry.notes.raised,
            message=self._clean(_crash_message(report)),
            is_infrastructure=entry.notes.is_infrastructure,
        )
        run = self._run(key, entry, outcome, is_superseded=True)
        self._attempts[key] = run.attempt + 1
        return run

    def _close_crashed(self, key: Key, entry: _Open, report: pytest.TestReport) -> Run:
        worker = getattr(getattr(getattr(report, "node", None), "gateway", None), "id", key[0])
        began = self._open.pop((worker, key[1]), None)
        self._open.pop(key, None)
        entry = began or entry
        entry.cause = Cause(phase=Phase.NONE, type="crashed", message=self._clean(_crash_message(report)))
        is_superseded = report.outcome in _SUPERSEDED
        run = self._run((worker, key[1]), entry, Outcome.CRASHED, is_superseded=is_superseded)
        if is_superseded:
            self._attempts["", key[1]] = run.attempt + 1  # whichever worker reruns it
        return run

    def _run(self, key: Key, entry: _Open, outcome: Outcome, *, is_superseded: bool = False) -> Run:
        self._open.pop(key, None)
        attempt = 1
        if self._attempts:
            attempt = self._attempts.pop(key, 0) or self._attempts.pop(("", key[1]), 1)
        worker, nodeid = key
        ran = self._occurrences[worker]
        occurrence = ran.get(nodeid, 0) + 1
        if not is_superseded:
            ran[nodeid] = occurrence
        notes = entry.notes
        if notes.scenario:
            self.scenario_of[nodeid] = notes.scenario
        return Run(  # by place, in the order of the fields: by keyword it takes twice as long
            notes.scenario or (self.scenario_of.get(nodeid, nodeid) if self.scenario_of else nodeid),
            nodeid,
            outcome,
            entry.started_us,
            entry.setup,
            entry.call,
            entry.teardown,
            attempt,
            occurrence,
            is_superseded,
            worker,
            CONTROL,
            entry.cause,
            notes.metrics,
            notes.reads,
        )


def _is_plain_pass(setup: dict[str, Any], call: dict[str, Any], teardown: dict[str, Any]) -> bool:
    """Whether these are the reports of one test, which passed and said nothing else.

    They are of one if they lie at one place: the tests of a worker do not interleave, and a node id takes a call.
    """
    return (
        _says(setup) == _PASSED_SETUP
        and _says(call) == _PASSED_CALL
        and _says(teardown) == _PASSED_TEARDOWN
        and setup["location"] == call["location"] == teardown["location"]
        and setup.get("worker_id", "") == call.get("worker_id", "") == teardown.get("worker_id", "")
        and "wasxfail" not in call
        and ATTRIBUTE not in setup
        and ATTRIBUTE not in call
        and ATTRIBUTE not in teardown
        and "context" not in call
    )


def _outcome_of(report: pytest.TestReport) -> tuple[Outcome, str, str]:
    """Return (outcome, type where the report names one, message) of one phase."""
    xfail_reason = getattr(report, "wasxfail", None)
    if report.outcome == "skipped":
        if xfail_reason is not None:
            return Outcome.XFAILED, "", str(xfail_reason)
        return Outcome.SKIPPED, "", _skip_reason(report)
    if report.outcome == "passed":
        return (
            (Outcome.XPASSED if xfail_reason is not None and report.when == "call" else Outcome.PASSED),
            "",
            "",
        )
    message = _crash_message(report)
    if report.when != "call":
        return Outcome.ERROR, "", message
    if isinstance(report.longrepr, str) and message.startswith(_STRICT_XPASS):
        return Outcome.XPASSED, "xpassed(strict)", message.removeprefix(_STRICT_XPASS)
    return Outcome.FAILED, "", message


def _crash_message(report: Any) -> str:
    longrepr = report.longrepr
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    return str(longrepr) if longrepr is not None else ""


def _skip_reason(report: Any) -> str:
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) and len(longrepr) == 3 else longrepr
    return str(reason or "").removeprefix("Skipped: ")


def _type_from_text(text: str) -> str:
    """Find the exception's name in the last line of a collection error that came as text: ``E   Name: words``."""
    for line in reversed(text.splitlines()):
        if line.startswith("E "):
            head = line[2:].strip().partition(":")[0]
            if head.replace(".", "").isidentifier():
                return head
    head = text.partition(":")[0].strip()
    return head if head.replace(".", "").isidentifier() else "CollectError"
