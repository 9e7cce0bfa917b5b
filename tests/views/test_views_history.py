from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.run import Cause, Outcome, Phase, Run
from pytest_causal.model.session import SessionFacts
from pytest_causal.store.interface import RunRecord
from pytest_causal.views.history import HistoryRow, history_line, history_table

STARTED_US = 1_700_000_000_000_000


def history_row(outcome: Outcome = Outcome.FAILED, *, commit: str = "", **fields: Any) -> HistoryRow:
    given: dict[str, Any] = {"scenario": "s", "nodeid": "n"} | fields
    run = Run(outcome=outcome, started_us=STARTED_US, **given)
    facts = SessionFacts(uid="u", key="u", started_us=STARTED_US, commit=commit)
    return HistoryRow(record=RunRecord(id=1, session=7, session_uid="u", run=run), facts=facts)


def last_cell(row: HistoryRow, *, of_one_scenario: bool = True) -> list[str]:
    table = history_table([row], 200, of_one_scenario=of_one_scenario, has_header=True)
    return [line.text for line in table.rows[0][-1]]


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (None, ""),
        (Cause(phase=Phase.CALL, type="ValueError", message="no"), "ValueError: no"),
        (Cause(phase=Phase.CALL, type="builtins.ValueError", message="ValueError: no"), "ValueError: no"),
        (Cause(phase=Phase.SETUP, type="ValueError", message="no\nmore"), "in setup: ValueError: no"),
        (Cause(phase=Phase.NONE, type="", message="why not"), "why not"),
        (Cause(phase=Phase.CALL, type="ValueError", message=""), "ValueError"),
        (
            Cause(phase=Phase.CALL, type="OSError", message="gone", is_infrastructure=True),
            "OSError: gone (infrastructure)",
        ),
        (Cause(phase=Phase.CALL, type="x", message="\x1b[31m"), "x: \\x1b[31m"),
    ],
)
def test_the_cause_in_one_line(cause: Cause | None, words: str) -> None:
    assert last_cell(history_row(cause=cause)) == [words]


def test_an_attempt_that_was_rerun_says_so() -> None:
    assert last_cell(history_row(is_superseded=True)) == ["rerun"]


def test_the_name_is_shown_where_it_may_differ() -> None:
    row = history_row(cause=Cause(phase=Phase.CALL, type="ValueError", message="no"))
    assert last_cell(row, of_one_scenario=False) == ["s", "ValueError: no"]
    assert last_cell(history_row(Outcome.PASSED), of_one_scenario=False) == ["s"]


@pytest.mark.parametrize(("width", "columns"), [(40, 3), (60, 4), (80, 6), (110, 8)])
def test_columns_by_width(width: int, columns: int) -> None:
    table = history_table([history_row()], width, of_one_scenario=False, has_header=True)
    assert len(table.columns) == columns
    assert sum(column.width or 10 for column in table.columns) + 2 * (columns - 1) <= width


@pytest.mark.parametrize("outcome", Outcome)
def test_only_failures_are_red(outcome: Outcome) -> None:
    table = history_table([history_row(outcome)], 80, of_one_scenario=True, has_header=True)
    marks = table.rows[0][1][0].marks
    assert ("red" in marks) is (outcome in {Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED})
    assert len(outcome) <= 8


def test_a_line_of_json_is_one_line_of_ascii() -> None:
    line = history_line(history_row(scenario="a\nb\u2028\ud800"))
    assert line.isascii()
    assert "\n" not in line


def test_p20_all_cells_are_escaped() -> None:
    escape = "\x1b[31m\n"
    row = history_row(scenario=escape, worker=escape, commit=escape)
    table = history_table([row], 200, of_one_scenario=False, has_header=True)
    assert all(line.text.isprintable() for cell in table.rows[0] for line in cell)
