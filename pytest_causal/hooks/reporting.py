"""What pytest's terminal shows of us: one header line, one section at the end, and under ``-q`` only what matters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_causal.hooks.edge import Edge, contained, guarded
from pytest_causal.hooks.recorder import Recorder
from pytest_causal.model.session import SessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    from pytest_causal.actions.judgements import Judged, Judgements
    from pytest_causal.store.interface import HistoryStore
    from pytest_causal.views.summary import Line, Row, SessionView

_PYTEST_NAMES = {"dim": "light"}
"""Marks that pytest's terminal writer, which refuses a name it does not know, calls otherwise."""


class Reporter(Edge):
    """Writes the header and the summary; lets go of the store at the end, being the last to need it."""

    def __init__(self, recorder: Recorder, location: str) -> None:
        super().__init__()
        self._recorder = recorder
        self._location = location
        self._is_told = False
        self.more_lines: Callable[[int | None, int], Iterable[Line]] | None = None

    def pytest_report_header(self) -> str:
        """Say that this run is recorded, and where."""
        from pytest_causal.views.escape import terminal

        return f"causal: recording to {terminal(self._location)}"

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Write the section, or under ``-q`` the lines that need attention; then what went wrong, if anything did."""
        self._summarise(terminalreporter, config)
        if not self.is_child:
            contained(lambda: self._tell_problems(terminalreporter))

    def pytest_unconfigure(self) -> None:
        """Release the store; tell the problems that no terminal section could tell."""
        if not self.is_child:
            contained(lambda: self._tell_problems(None))
            contained(self._recorder.recording.close)

    @guarded
    def _summarise(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        verbosity = config.get_verbosity()
        recorder = self._recorder
        store = recorder.recording.store
        judgements = recorder.judgements
        if judgements is not None and store is not None:
            # Imported when there is something to show: the first test does not wait for it.
            from pytest_causal.views.summary import attention_lines, summary_lines

            limit = None if verbosity > 0 else recorder.settings.summary_lines
            view = self._view(store, judgements)
            if verbosity >= 0:
                terminalreporter.write_sep("=", "causal")
                width = terminalreporter._tw.fullwidth
                _write(terminalreporter, summary_lines(view, limit=limit, width=width))
                if self.more_lines is not None:
                    _write(terminalreporter, self.more_lines(limit, width))
                _write(terminalreporter, self._promotion_lines(limit, width))
            else:
                _write(terminalreporter, attention_lines(view))
                _write(terminalreporter, self._promotion_lines(limit or 1, terminalreporter._tw.fullwidth))

    def _promotion_lines(self, limit: int | None, width: int) -> list[Line]:
        """Return what became of promotions; nothing is imported for a session without any."""
        recorder = self._recorder
        if not recorder.reviewed:
            return []
        from pytest_causal.views.promotion import promotion_lines

        return promotion_lines(recorder.reviewed, limit, width, recorder.secrets)

    def _tell_problems(self, terminalreporter: pytest.TerminalReporter | None) -> None:
        if self._is_told:
            return
        self._is_told = True
        problems = [problem for problem in (*self._recorder.problems(), self.fault) if problem]
        if not problems:
            return
        from pytest_causal.views.escape import terminal

        for problem in problems:
            line = f"causal: {terminal(problem)}"
            if terminalreporter is not None:
                terminalreporter.write_line(line, yellow=True)
            else:
                print(line, file=sys.stderr)  # noqa: T201 - there is no reporter to write through

    def _view(self, store: HistoryStore, judgements: Judgements) -> SessionView:
        from pytest_causal.views.summary import SessionView

        number = self._recorder.recording.session
        session = store.session(number)
        shown = judgements.shown()
        names = store.scenario_names([each.scenario_id for each in shown])
        return SessionView(
            location=store.location,
            number=number,
            outcomes=store.outcome_counts(number),
            verdicts=judgements.counts,
            rows=[
                self._row(each, names[each.scenario_id], store, judgements.is_newly_flaky(each))
                for each in shown
            ],
            broken=session.ending.broken,
            is_trusted=session.facts.is_trusted,
            is_finished=session.ending.state is SessionState.FINISHED,
        )

    def _row(self, judged: Judged, name: str, store: HistoryStore, is_newly_flaky: bool) -> Row:
        from pytest_causal.views.summary import Row

        evidence = judged.evidence
        since = ""
        if evidence.contradictions and evidence.flaky_since:
            first = store.session(evidence.flaky_since).facts
            since = f"commit {first.commit[:10]}" if first.commit else f"session {evidence.flaky_since}"
        return Row(
            name=name,
            evidence=evidence,
            criteria=judged.criteria,
            decision=judged.decision,
            is_changed=judged.is_changed,
            is_newly_flaky=is_newly_flaky,
            flaky_since=since,
        )


def _write(terminalreporter: pytest.TerminalReporter, lines: Iterable[Line]) -> None:
    for line in lines:
        marks = (_PYTEST_NAMES.get(mark, mark) for mark in line.marks)
        terminalreporter.write_line(line.text, **dict.fromkeys(marks, True))
