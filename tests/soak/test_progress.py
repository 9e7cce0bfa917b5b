"""The journal, folded: what goes on and what is resumed know the same, and what cannot have happened is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_causal.errors import DataError
from tools.soak.journal import Journal, Line, Step
from tools.soak.progress import Progress, fold, replay, replayed


@pytest.fixture
def lines(bench) -> list[Line]:
    bench.begin(iterations=5, auto_tune=True, warmup=1)
    found: list[Line] = bench.lines()
    return found


def test_a_line_more_is_the_fold_of_one_more(lines: list[Line]) -> None:
    progress = Progress()
    for count, line in enumerate(lines, start=1):
        progress = fold(progress, line)
        assert progress == replay(lines[:count])
    assert progress.finished is not None


def test_each_whole_iteration_is_yielded_once_and_in_order(lines: list[Line]) -> None:
    assert [each.iteration for each in replayed(lines)] == [1, 2, 3, 4, 5]
    assert [each.iteration for each in replayed(lines[:10])] == [1]


@pytest.mark.parametrize("at", range(1, 30))
def test_k1_a_line_that_is_lost_or_doubled_is_refused(lines: list[Line], at: int) -> None:
    assert lines[at].step not in (Step.BEGUN, Step.FINISHED)
    with pytest.raises(DataError):
        replay([*lines[:at], *lines[at + 1 :], lines[at]])
    if lines[at].step is not Step.RUNNING:  # which is how another attempt begins
        with pytest.raises(DataError):
            replay([*lines[: at + 1], lines[at], *lines[at + 1 :]])


def test_an_iteration_before_the_beginning_is_refused(lines: list[Line]) -> None:
    with pytest.raises(DataError, match="after the beginning"):
        replay(lines[1:])


def test_a_journal_of_another_schema_is_refused(lines: list[Line]) -> None:
    older = lines[0]._replace(data={**lines[0].data, "schema": "causal.soak_journal/1"})
    with pytest.raises(
        DataError, match=r"its schema is 'causal\.soak_journal/1', expected 'causal\.soak_journal/2'"
    ):
        replay([older])


def test_a_line_of_another_version_is_refused_with_its_number(lines: list[Line]) -> None:
    odd = lines[3]._replace(data={})
    with pytest.raises(DataError, match=f"line {odd.number} of the journal"):
        replay([*lines[:3], odd])


def test_a_damaged_memory_of_the_guards_is_refused(lines: list[Line]) -> None:
    at = next(at for at, line in enumerate(lines) if line.data.get("guards"))
    assert replay(lines[: at + 1]).guards.iteration == lines[at].iteration
    damaged = lines[at]._replace(data={**lines[at].data, "guards": {"spent": -1}})
    with pytest.raises(DataError, match="guard state: spent"):
        replay([*lines[:at], damaged])


def test_what_append_returned_is_what_a_reader_gets(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run that goes on would know something else than one that is resumed."""
    returned: list[Line] = []
    append = Journal.append

    def noting(*given: Any) -> Line:
        returned.append(append(*given))
        return returned[-1]

    monkeypatch.setattr(Journal, "append", noting)
    bench.begin(iterations=8, auto_tune=True, warmup=2)
    read = bench.lines()
    assert returned == read
    assert [json.dumps(line.data, sort_keys=True) for line in returned] == [
        json.dumps(line.data, sort_keys=True) for line in read
    ]


def test_values_are_written_where_they_are_new_and_are_those_of_each_iteration(lines: list[Line]) -> None:
    planned = [line for line in lines if line.step is Step.PLANNED]
    written = [line.iteration for line in planned if "values" in line.data]
    changed = [line.iteration + 1 for line in lines if "applied" in line.data]
    assert written == [1, *changed]
    assert 1 < len(written) < len(planned)
    plan = replay(lines[: lines.index(planned[0])]).plan
    assert plan is not None
    values = plan.values
    for progress in replayed(lines):
        assert progress.values == values
        values = {**values, **{path: after for path, _, after in progress.decided["applied"]}}


def test_time_that_was_observed_adds_up(lines: list[Line]) -> None:
    measured = [line for line in lines if line.step is Step.MEASURED]
    assert replay(lines).soak_us == sum(line.data["observed_us"] for line in measured)


def test_a_change_is_pending_until_the_next_decision(lines: list[Line]) -> None:
    changed = [
        (index, line)
        for index, line in enumerate(lines)
        if line.step is Step.DECIDED and "applied" in line.data
    ]
    assert changed, "something was tuned"
    index, line = changed[0]
    pending = replay(lines[: index + 2]).pending
    assert pending == {path: after for path, _, after in line.data["applied"]}
