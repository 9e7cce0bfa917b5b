"""What a person sees of a session at the end of it: worst and newly changed scenarios first, at most a screenful."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Decision, Evidence, Verdict
from pytest_causal.model.run import Outcome
from pytest_causal.rules.attention import WORST_FIRST, importance
from pytest_causal.views.escape import terminal
from pytest_causal.views.words import VERDICT_WORDS, evidence_words, plural

VERDICT_MARKS = {
    Verdict.REJECTED: ("red", "bold"),
    Verdict.INCONCLUSIVE: ("yellow",),
    Verdict.INERT: ("yellow",),
    Verdict.NOT_YET: (),
    Verdict.ELIGIBLE: ("green",),
}


class Line(NamedTuple):
    """A line for the terminal. ``marks`` are colour words as pytest's terminal writer knows them."""

    text: str
    marks: tuple[str, ...] = ()


class Row(NamedTuple):
    """One scenario of the session, judged. ``is_newly_flaky`` says that this session was the first contradiction."""

    name: str
    evidence: Evidence
    criteria: Criteria
    decision: Decision
    is_changed: bool
    is_newly_flaky: bool = False
    flaky_since: str = ""


class SessionView(NamedTuple):
    """All that the summary is made from."""

    location: str
    number: int
    outcomes: Mapping[Outcome, int]
    verdicts: Mapping[Verdict, int]
    rows: Sequence[Row]
    broken: str = ""
    is_trusted: bool = True
    is_finished: bool = True
    notices: Sequence[str] = ()


def order_rows(rows: Sequence[Row]) -> list[Row]:
    """Return rows by importance, then by name."""
    return sorted(rows, key=lambda row: (_importance_of(row), row.name))


def _importance_of(row: Row) -> tuple[int, int, bool]:
    return importance(row.decision.verdict, is_newly_flaky=row.is_newly_flaky, is_changed=row.is_changed)


def summary_lines(view: SessionView, *, limit: int | None, width: int) -> list[Line]:
    """Return the summary section. ``limit`` caps the scenario rows (``None``: all); lines fit in ``width``."""
    lines = [Line(text=_recorded(view, width))]
    lines += [Line(text=text, marks=("yellow",)) for text in _cautions(view)]
    if view.verdicts:
        lines.append(Line(text="verdicts: " + verdict_counts(view.verdicts)))
    rows = order_rows(view.rows)
    shown = rows if limit is None else rows[:limit]
    for row in shown:
        lines += _row_lines(row, width)
    hidden = sum(view.verdicts.values()) - len(shown)
    if hidden > 0:
        lines.append(
            Line(text=f"... and {plural(hidden, 'more scenario')} (-v shows all, or: causal status)")
        )
    lines += [Line(text=text, marks=("yellow",)) for text in view.notices]
    return lines


def attention_lines(view: SessionView) -> list[Line]:
    """Return what must be said even under ``-q``: broken sessions, newly rejected and newly flaky scenarios."""
    lines = [Line(text=f"causal: {text}", marks=("yellow",)) for text in _cautions(view)]
    for row in order_rows(view.rows):
        if row.is_changed and row.decision.verdict is Verdict.REJECTED:
            lines.append(Line(text=f"causal: rejected: {terminal(row.name, 200)}", marks=("red",)))
        elif row.is_newly_flaky:
            lines.append(Line(text=f"causal: flaky: {terminal(row.name, 200)}", marks=("yellow",)))
    return lines


def _recorded(view: SessionView, width: int) -> str:
    total = sum(view.outcomes.values())
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in view.outcomes.items() if count)
    place = terminal(view.location, max(20, width // 2))
    return f"recorded session {view.number} in {place}: {plural(total, 'run')}" + (
        f" ({outcomes})" if outcomes else ""
    )


def _cautions(view: SessionView) -> list[str]:
    cautions = []
    if view.broken:
        cautions.append(f"this session is no evidence: {terminal(view.broken)}")
    if not view.is_trusted:
        cautions.append("this session is no evidence: its source is not trusted (a fork's pull request)")
    if not view.is_finished:
        cautions.append("this session did not finish: its failures count, its passes do not")
    return cautions


def verdict_counts(verdicts: Mapping[Verdict, int]) -> str:
    """Return how many scenarios have each verdict, in words, worst first."""
    counted = Counter(verdicts)
    return ", ".join(
        f"{counted[verdict]:,} {VERDICT_WORDS[verdict]}" for verdict in WORST_FIRST if counted[verdict]
    )


def _row_lines(row: Row, width: int) -> list[Line]:
    label = VERDICT_WORDS[row.decision.verdict]
    sign = "*" if row.is_changed else " "
    marks = VERDICT_MARKS[row.decision.verdict]
    words = evidence_words(row.evidence, row.criteria, row.decision)
    if row.evidence.contradictions:
        since = f" since {row.flaky_since}" if row.flaky_since else ""
        words += f"; flaky {row.evidence.contradictions}x{since}"
    return [
        Line(text=f"{sign} {label:<12} {terminal(row.name, max(20, width - 16))}", marks=marks),
        Line(text=f"               {words}"),
    ]
