from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Decision, Evidence, Reason, Verdict
from pytest_causal.model.run import Outcome
from pytest_causal.model.session import Session, SessionEnding, SessionFacts, SessionState
from pytest_causal.model.status import ScenarioStatus
from pytest_causal.rules.renames import Suggestion
from pytest_causal.views.status import (
    StatusView,
    rename_lines,
    status_document,
    status_footer,
    status_table,
    worst_first,
)

STARTED_US = 1_700_000_000_000_000


def scenario(name: str, verdict: Verdict = Verdict.NOT_YET, **more: Any) -> ScenarioStatus:
    evidence = Evidence(
        scenario_id=1, reads_id=0, passed=3, failed=1, units=4, badness=1.0, wealth=(0.5,) * 7
    )
    given: dict[str, Any] = {
        "evidence": evidence._replace(**more.pop("counts", {})),
        "criteria": Criteria(),
        "decision": Decision(verdict, more.pop("reasons", (Reason.NOT_PROVEN,)), 0.5),
        "tags": (),
    } | more
    return ScenarioStatus(name=name, **given)


def session(state: SessionState = SessionState.FINISHED, broken: str = "", **facts: Any) -> Session:
    ending = SessionEnding(
        state=state, finished_us=0 if state is SessionState.RUNNING else STARTED_US, broken=broken
    )
    given: dict[str, Any] = {"uid": "u", "key": "u", "started_us": STARTED_US} | facts
    return Session(number=7, facts=SessionFacts(**given), ending=ending, order=3, runs=4)


def view(*scenarios: ScenarioStatus, **more: Any) -> StatusView:
    verdicts = {verdict: sum(each.decision.verdict is verdict for each in scenarios) for verdict in Verdict}
    given: dict[str, Any] = {"verdicts": verdicts} | more
    return StatusView(location="/here/history.db", generated_us=STARTED_US, scenarios=scenarios, **given)


def cells(status: ScenarioStatus, width: int) -> dict[str, list[str]]:
    table = status_table(view(status), width)
    (row,) = table.rows
    return {
        column.header: [line.text for line in each] for column, each in zip(table.columns, row, strict=True)
    }


def test_numbers_stand_in_columns_where_there_is_room() -> None:
    shown = cells(scenario("x", reasons=(Reason.FAILURE_RATE, Reason.NOT_PROVEN)), 120)
    assert shown["verdict"] == ["not yet"]
    assert (shown["runs"], shown["sessions"], shown["failed"]) == (["4"], ["4"], ["1"])
    assert shown["scenario"] == ["x", "25 % failed, limit 15 %"]


def test_numbers_stand_in_words_where_there_is_none() -> None:
    shown = cells(scenario("x"), 40)
    assert list(shown) == ["verdict", "scenario"]
    assert shown["scenario"][1].startswith("4 runs in 4 sessions, 1 failed")


def test_no_evidence_has_no_bound() -> None:
    empty = scenario(
        "x",
        Verdict.INCONCLUSIVE,
        reasons=(Reason.NO_EVIDENCE,),
        counts={"passed": 0, "failed": 0, "units": 0, "badness": 0.0},
    )
    assert cells(empty, 120)["below"] == ["-"]
    (document,) = status_document(view(empty))["scenarios"]
    assert (document["pass_rate"], document["failure_rate_upper"]) == (None, None)


def test_a_state_that_holds_no_number_makes_no_bad_json() -> None:
    nan = scenario(
        "x",
        Verdict.INCONCLUSIVE,
        reasons=(Reason.NO_EVIDENCE,),
        counts={"passed": 0, "failed": 0, "units": 0, "badness": 0.0},
        decision=Decision(Verdict.INCONCLUSIVE, (Reason.NO_EVIDENCE,), float("nan")),
    )
    assert '"e_value": null' in json.dumps(status_document(view(nan)), allow_nan=False)


@pytest.mark.parametrize(
    ("counts", "commit", "words"),
    [
        ({}, "", []),
        ({"contradictions": 1, "flaky_since": 5}, "", ["flaky once, since session 5"]),
        ({"contradictions": 3, "flaky_since": 5}, "a" * 40, ["flaky 3 times, since commit aaaaaaaaaaaa"]),
    ],
)
def test_flaky(counts: dict[str, Any], commit: str, words: list[str]) -> None:
    status = scenario("x", counts=counts, flaky_since_commit=commit)
    assert [text for text in cells(status, 120)["scenario"] if "flaky" in text] == words


def test_what_does_not_count_is_told() -> None:
    status = scenario("x", runs_under_other_policies=1, is_recomputed=True)
    assert cells(status, 80)["scenario"][-1] == (
        "1 run under other policies not counted; criteria changed: computed anew from all runs"
    )


def test_worst_first_then_flaky_then_by_name() -> None:
    statuses = [
        scenario("d", Verdict.ELIGIBLE),
        scenario("c"),
        scenario("b"),
        scenario("z", counts={"contradictions": 1}),
        scenario("e", Verdict.REJECTED),
        scenario("f", Verdict.INCONCLUSIVE),
    ]
    assert [each.name for each in worst_first(statuses)] == ["e", "f", "z", "b", "c", "d"]


@pytest.mark.parametrize(
    ("newest", "words", "is_marked"),
    [
        (session(), "newest session 7: 2023-11-14 22:13 UTC, finished: 2 passed, 1 failed", False),
        (session(SessionState.RUNNING), "UTC, running: 2 passed", False),
        (session(SessionState.INTERRUPTED), "UTC, interrupted: 2 passed", True),
        (session(SessionState.ABANDONED), "UTC, abandoned: 2 passed", True),
        (session(broken="all alike"), "finished, no evidence: all alike: 2 passed", True),
        (session(is_trusted=False), "finished, no evidence: not trusted: 2 passed", True),
        (session(commit="c" * 40, branch="main"), "UTC, commit cccccccccccc (main), finished", False),
    ],
)
def test_the_newest_session(newest: Session, words: str, is_marked: bool) -> None:
    shown = view(newest=newest, outcomes={Outcome.PASSED: 2, Outcome.FAILED: 1, Outcome.ERROR: 0})
    (line,) = [line for line in status_footer(shown, 80) if line.text.startswith("newest")]
    assert words in line.text
    assert bool(line.marks) is is_marked


def test_the_legend_stands_below_numbers_only() -> None:
    assert any("to go:" in line.text for line in status_footer(view(scenario("x")), 80))
    assert not any("to go:" in line.text for line in status_footer(view(scenario("x")), 40))
    assert not any("to go:" in line.text for line in status_footer(view(), 80))


def test_a_rename_is_a_command_to_be_copied() -> None:
    suggestion = Suggestion(
        old="it's $old", new="new [1]", likeness_ratio=0.9, why="same test in another file"
    )
    question, command = rename_lines(view(renames=[suggestion]))
    assert "same test in another file" in question.text
    assert shlex.split(command.text) == ["causal", "alias", "it's $old", "new [1]"]


def test_a_rename_that_no_command_line_can_hold_is_left_out() -> None:
    suggestion = Suggestion(old="a\0", new="b", likeness_ratio=0.9, why="similar id")
    assert rename_lines(view(renames=[suggestion])) == []
    assert status_document(view(renames=[suggestion]))["renames"][0]["old"] == "a\0"


def test_p20_all_text_is_escaped() -> None:
    escape = "\x1b[31m\n"
    hostile = view(
        scenario(escape, counts={"contradictions": 1, "flaky_since": 1}, flaky_since_commit=escape),
        newest=session(broken=escape, commit=escape, branch=escape),
        renames=[Suggestion(old=escape, new=escape, likeness_ratio=1.0, why="similar id")],
        notices=[escape],
    )
    lines = [*status_footer(hostile, 80), *rename_lines(hostile)]
    lines += [line for row in status_table(hostile, 80).rows for cell in row for line in cell]
    assert [line.text for line in lines if not line.text.isprintable()] == []
