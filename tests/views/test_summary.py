from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Decision, Evidence, Reason, Verdict
from pytest_causal.model.run import Outcome
from pytest_causal.rules.attention import importance
from pytest_causal.views.summary import (
    VERDICT_MARKS,
    Line,
    Row,
    SessionView,
    attention_lines,
    order_rows,
    summary_lines,
    verdict_counts,
)

ESCAPE = "\x1b[31m"


def row(name: str, verdict: Verdict = Verdict.NOT_YET, *, is_changed: bool = False, **more: Any) -> Row:
    evidence = Evidence(
        scenario_id=1, reads_id=0, passed=3, units=3, contradictions=more.pop("contradictions", 0)
    )
    reasons = () if verdict is Verdict.ELIGIBLE else (Reason.NOT_PROVEN,)
    return Row(
        name=name,
        evidence=evidence,
        criteria=Criteria(),
        decision=Decision(verdict, reasons, 1.0),
        is_changed=is_changed,
        **more,
    )


def view(*rows: Row, **more: Any) -> SessionView:
    verdicts = {verdict: sum(each.decision.verdict is verdict for each in rows) for verdict in Verdict}
    given: dict[str, Any] = {"outcomes": {Outcome.PASSED: 3}, "verdicts": verdicts} | more
    return SessionView(location="/here/history.db", number=7, rows=rows, **given)


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def names(lines: list[Line]) -> list[str]:
    """Return the names in those lines that begin with a verdict."""
    return [
        line.text.split()[-1] for line in lines if line.text.startswith(("* ", "  ")) and line.text[2] != " "
    ]


def test_what_was_recorded_stands_first() -> None:
    counts = {Outcome.PASSED: 1200, Outcome.FAILED: 1, Outcome.SKIPPED: 0}
    first = summary_lines(view(outcomes=counts), limit=None, width=80)[0]
    assert first.text == "recorded session 7 in /here/history.db: 1,201 runs (1,200 passed, 1 failed)"


def test_rejected_then_newly_flaky_then_worst_then_changed_then_by_name() -> None:
    rows = [
        row("eligible", Verdict.ELIGIBLE),
        row("b"),
        row("a"),
        row("changed", is_changed=True),
        row("flaky", Verdict.ELIGIBLE, is_newly_flaky=True),
        row("empty", Verdict.INCONCLUSIVE),
        row("bad", Verdict.REJECTED),
    ]
    expected = ["bad", "flaky", "empty", "changed", "a", "b", "eligible"]
    assert [each.name for each in order_rows(rows)] == expected
    assert names(summary_lines(view(*rows), limit=None, width=80)) == expected


@pytest.mark.parametrize("verdict", Verdict)
def test_importance_never_puts_anything_before_rejected(verdict: Verdict) -> None:
    rejected = importance(Verdict.REJECTED, is_newly_flaky=False, is_changed=False)
    other = importance(verdict, is_newly_flaky=True, is_changed=True)
    assert other > rejected or verdict is Verdict.REJECTED


def test_a_limit_hides_the_least_important_and_says_how_many() -> None:
    rows = [row(f"s{number}") for number in range(5)] + [row("bad", Verdict.REJECTED)]
    lines = summary_lines(view(*rows), limit=2, width=80)
    assert names(lines) == ["bad", "s0"]
    assert "... and 4 more scenarios (-v shows all, or: causal status)" in texts(lines)
    assert not [
        text for text in texts(summary_lines(view(*rows), limit=None, width=80)) if "more scen" in text
    ]


def test_counts_cover_scenarios_that_were_not_handed_over() -> None:
    lines = summary_lines(
        view(row("x"), verdicts={Verdict.NOT_YET: 10, Verdict.REJECTED: 1}), limit=5, width=80
    )
    assert "verdicts: 1 rejected, 10 not yet" in texts(lines)
    assert "... and 10 more scenarios (-v shows all, or: causal status)" in texts(lines)


def test_changed_rows_are_marked_and_coloured_by_verdict() -> None:
    lines = summary_lines(view(row("x", Verdict.REJECTED, is_changed=True), row("y")), limit=None, width=80)
    (changed,) = [line for line in lines if line.text.endswith(" x")]
    assert changed.text.startswith("* rejected")
    assert changed.marks == VERDICT_MARKS[Verdict.REJECTED]
    assert set(VERDICT_MARKS) == set(Verdict)


def test_flaky_is_told_with_how_often_and_since_when() -> None:
    lines = summary_lines(view(row("x", contradictions=3, flaky_since="commit abc")), limit=None, width=80)
    assert any(text.endswith("flaky 3x since commit abc") for text in texts(lines))


CAUTIONS = [
    ({"broken": "half of it failed alike"}, "this session is no evidence: half of it failed alike"),
    ({"is_trusted": False}, "this session is no evidence: its source is not trusted (a fork's pull request)"),
    ({"is_finished": False}, "this session did not finish: its failures count, its passes do not"),
]


@pytest.mark.parametrize(("facts", "caution"), CAUTIONS)
def test_cautions_stand_out_with_and_without_q(facts: dict[str, Any], caution: str) -> None:
    (line,) = [line for line in summary_lines(view(**facts), limit=None, width=80) if line.text == caution]
    assert line.marks == ("yellow",)
    assert texts(attention_lines(view(**facts))) == [f"causal: {caution}"]


def test_under_q_a_session_without_news_says_nothing() -> None:
    rows = [
        row("old", Verdict.REJECTED),
        row("fine", Verdict.ELIGIBLE, is_changed=True),
        row("meh", is_changed=True),
    ]
    assert attention_lines(view(*rows)) == []


def test_under_q_newly_rejected_and_newly_flaky_are_told() -> None:
    rows = [row("shaky", is_newly_flaky=True), row("bad", Verdict.REJECTED, is_changed=True)]
    assert texts(attention_lines(view(*rows))) == ["causal: rejected: bad", "causal: flaky: shaky"]


def test_notices_stand_last() -> None:
    assert (
        texts(summary_lines(view(row("x"), notices=["look here"]), limit=None, width=80))[-1] == "look here"
    )


@pytest.mark.parametrize("width", [20, 40, 80])
def test_p20_names_are_escaped_and_cut(width: int) -> None:
    hostile = row(f"{ESCAPE}{'n' * 300}\n::error::", Verdict.REJECTED, is_changed=True, is_newly_flaky=True)
    shown = view(hostile, broken=ESCAPE)._replace(location=ESCAPE)
    for line in [*summary_lines(shown, limit=None, width=width), *attention_lines(shown)]:
        assert line.text.isprintable()
    named = [text for text in texts(summary_lines(shown, limit=None, width=width)) if "nnn" in text]
    assert all(len(text) <= max(36, width) for text in named)


def test_verdict_counts() -> None:
    assert verdict_counts({Verdict.ELIGIBLE: 1200, Verdict.REJECTED: 1, Verdict.INERT: 0}) == (
        "1 rejected, 1,200 eligible"
    )
