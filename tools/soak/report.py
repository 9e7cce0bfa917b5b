"""A run as a page to look at, and as Markdown for the summary of a CI job.

The page is one file: style and plots stand in it, it loads nothing and runs nothing, so that it can be read offline and
cannot do anything. All that workloads named is escaped for the place where it stands.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_causal.views.escape import terminal
from pytest_causal.views.times import duration, utc_minutes
from tools.soak.journal import NAME as JOURNAL
from tools.soak.journal import read_journal
from tools.soak.kpi import Finding, judge_run
from tools.soak.plan import Plan
from tools.soak.plots import Level, line_plot
from tools.soak.progress import Progress, replay, replayed
from tools.soak.trend import Trend, trend_of
from tools.soak.view import ENDINGS

NAME = "report.html"
_SECOND_US = 1_000_000
_CODE_OF_MARKDOWN = str.maketrans({each: f"\\{each}" for each in "\\`*_{}[]<>()#+-.!|@~&:"})
_STYLE = """
:root{color-scheme:light dark;--line:#2563a8;--hard:#b42318;--soft:#9a5b00;--dim:#667;--good:#18794e;--open:#7c3aed}
@media(prefers-color-scheme:dark){:root{--line:#7ab7ff;--hard:#ff8078;--soft:#f0b74a;--dim:#99a;--good:#5fd08f;--open:#b99bff}}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}figcaption{font-size:.95rem;font-weight:600}figure{margin:0}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1rem 2rem}
svg{width:100%;height:auto}svg text{font-size:16px;fill:currentColor;paint-order:stroke;stroke:Canvas;stroke-width:4}
.line{fill:none;stroke:var(--line);stroke-width:2}.dot{fill:var(--line)}.axis{fill:none;stroke:var(--dim)}
.mark{stroke:var(--dim);stroke-width:3}path.hard{stroke:var(--hard);stroke-width:1.5}
path.soft{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:6 4}
svg text.hard{fill:var(--hard)}svg text.soft{fill:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;min-width:50%}
td,th{text-align:left;padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid #8884;vertical-align:top}
.PASS{color:var(--good)}.WARN{color:var(--soft)}.FAIL{color:var(--hard)}.INCONCLUSIVE{color:var(--open)}
.none,.note{color:var(--dim)}
@media print{figure,tr{break-inside:avoid}}
"""


_FINDING_HEADER = ("metric", "verdict", "mean", "limit", "samples", "95 % interval", "iterations")


class Subject:
    """A run read once for a report. Raises as reading its journal does."""

    def __init__(self, folder: Path) -> None:
        self.progress: Progress = replay(read_journal(folder / JOURNAL))
        if self.progress.plan is None:
            raise ValueError("a run begins with its plan")
        self.plan: Plan = self.progress.plan
        self.trend: Trend = trend_of(replayed(read_journal(folder / JOURNAL)), self.plan.bounds)
        result = judge_run(self.progress.kpis, self.progress.tally)
        finished = self.progress.finished or {}
        self.verdict: str = finished.get("verdict", result.verdict)
        self.reason: str = finished.get("reason", result.reason)
        self.ended: str = ENDINGS.get(finished.get("ended", ""), "has not ended")
        self.findings = result.findings
        self.drift: Mapping[str, Any] = finished.get("drift", {})
        self.own_drift: Mapping[str, Any] = finished.get("own_drift", {})

    @property
    def facts(self) -> dict[str, str]:
        """What a reader wants to know first, name -> text."""
        progress, plan = self.progress, self.plan
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.trend.verdicts.items()))
        return {
            "scenario": plan.scenario,
            "began (UTC)": utc_minutes(progress.began_us),
            "iterations": f"{self.trend.iterations} ({verdicts})",
            "went on for": duration(progress.elapsed_us / _SECOND_US),
            "KPI set": plan.kpi_set,
            "seed": str(plan.seed),
            "missed slots": str(progress.missed_slots),
            "resumed": f"{progress.resumes} times",
            "state": self.ended,
            "version": plan.version,
        }


def html_report(folder: Path) -> str:
    """Return the page of a run. Raises as reading its journal does."""
    return "".join(_page(Subject(folder)))


def _page(subject: Subject) -> Iterator[str]:
    plan, trend = subject.plan, subject.trend
    title = f"Soak {plan.run}"
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>"
    yield f'<h1>{_text(title)}: <span class="{_text(subject.verdict)}">{_text(subject.verdict)}</span></h1>'
    yield f"<p>{_text(subject.reason)}</p>"
    yield _table(("", ""), subject.facts.items())
    yield "<h2>Limits</h2>"
    yield _table(_FINDING_HEADER, (_finding_row(each, trend) for each in subject.findings))
    yield "<h2>Metrics</h2>"
    yield (
        '<p class="note">By iteration. Solid red: a limit that fails a run. Dashed: one that warns, or the bound of a'
        " parameter. Ticks on the axis: a change was made after this iteration.</p>"
    )
    marks = [row["iteration"] for row in trend.changes]
    by_limit = sorted(trend.metrics.items(), key=lambda item: (item[0] not in plan.kpi, item[0]))
    yield _plots(
        (name, line_plot(series.points, _levels(plan, name), marks, title=terminal(name)))
        for name, series in by_limit
    )
    yield "<h2>Parameters</h2>"
    yield _plots(
        (path, line_plot(series.points, _bounds(plan, path), marks, title=terminal(path), is_stepped=True))
        for path, series in sorted(trend.values.items())
    )
    yield "<h2>Changes</h2>"
    yield _table(
        ("iteration", "change", "read afterwards"), (_change_row(row, trend) for row in trend.changes)
    )
    yield "<h2>Guards</h2>"
    yield _table(
        ("guard", "refused in"), ((name, f"{n} iterations") for name, n in sorted(trend.refused.items()))
    )
    yield "<h2>Drift</h2>"
    rows = [(f"system {name}", each) for name, each in subject.drift.items()]
    rows += [(f"runner {name}", each) for name, each in subject.own_drift.items()]
    yield _table(
        ("resource", "verdict", "start", "rise", "points"), (_drift_row(name, each) for name, each in rows)
    )
    yield "<h2>Own cost</h2>"
    own = sorted(trend.own.items())
    yield _plots((f"runner {name}", line_plot(each.points, title=f"runner {name}")) for name, each in own)
    yield "<h2>Last iterations</h2>"
    yield _table(("iteration", "phase", "verdict", "refused", "problem"), map(_last_row, trend.rows))
    yield "</body></html>\n"


def markdown_report(folder: Path) -> str:
    """Return a run as Markdown. Raises as reading its journal does."""
    subject = Subject(folder)
    trend = subject.trend
    lines = [
        f"## Soak {_mark(subject.plan.run)}: {_mark(subject.verdict)}",
        "",
        _mark(subject.reason),
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {_mark(name)} | {_mark(text)} |" for name, text in subject.facts.items()),
        "",
        f"| {' | '.join(_FINDING_HEADER)} |",
        f"|{' --- |' * len(_FINDING_HEADER)}",
        *(f"| {' | '.join(map(_mark, _finding_row(each, trend)))} |" for each in subject.findings),
    ]
    if trend.changes:
        lines += ["", "| iteration | change | read afterwards |", "| --- | --- | --- |"]
        lines += [f"| {' | '.join(map(_mark, _change_row(row, trend)))} |" for row in trend.changes[-20:]]
    if trend.refused:
        refused = ", ".join(f"{name} ({count})" for name, count in sorted(trend.refused.items()))
        lines += ["", f"Refused by {_mark(refused)}."]
    return "\n".join(lines) + "\n"


def _levels(plan: Plan, metric: str) -> list[Level]:
    limits = plan.kpi.get(metric, {})
    return [
        Level(name, limits[name], is_hard=not name.startswith("soft"))
        for name in ("min", "soft_min", "soft_max", "max")
        if name in limits
    ]


def _bounds(plan: Plan, path: str) -> list[Level]:
    bound = plan.bounds[path]
    return [Level(side, bound[side], is_hard=False) for side in ("min", "max") if side in bound]


def _finding_row(finding: Finding, trend: Trend) -> tuple[str, ...]:
    interval = "" if finding.low is None else f"{finding.low:.4g} to {finding.high:.4g}"
    limit = finding.reason if finding.limit is None else f"{finding.side} {finding.limit:g}"
    levels = sorted(trend.levels.get(finding.metric, Counter()).items())
    return (
        finding.metric,
        finding.level,
        "-" if finding.value is None else f"{finding.value:.4g}",
        limit,
        str(finding.samples),
        interval,
        ", ".join(f"{count} {level}" for level, count in levels),
    )


def _change_row(row: Mapping[str, Any], trend: Trend) -> tuple[str, ...]:
    change = "; ".join(f"{path} {before:g} to {after:g}" for path, before, after in row["applied"])
    after = next((each for each in trend.rows if each["iteration"] == row["iteration"] + 1), None)
    if after is None:
        seen = "not known"
    else:
        seen = "yes" if not after["uncredited"] else f"not {', '.join(after['uncredited'])}"
    return str(row["iteration"]), ("revert: " if row["is_revert"] else "") + change, seen


def _drift_row(name: str, drift: Mapping[str, Any]) -> tuple[str, ...]:
    start, rise = (("-" if drift[key] is None else f"{drift[key]:.4g}") for key in ("start", "rise"))
    return name, drift["verdict"], start, rise, str(drift["points"])


def _last_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return str(row["iteration"]), row["phase"], row["verdict"], ", ".join(row["refused"]), row["problem"]


def _plots(named: Iterable[tuple[str, str]]) -> str:
    figures = (f"<figure><figcaption>{_text(name)}</figcaption>{plot}</figure>" for name, plot in named)
    return f'<div class="plots">{"".join(figures)}</div>'


def _table(header: tuple[str, ...], rows: Any) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return '<p class="none">none</p>'
    head = f"<tr>{''.join(f'<th>{_text(name)}</th>' for name in header)}</tr>" if any(header) else ""
    return f'<div class="wide"><table>{head}{body}</table></div>'


def _cell(text: str) -> str:
    is_verdict = text in ("PASS", "WARN", "FAIL", "INCONCLUSIVE")
    return f'<span class="{text}">{text}</span>' if is_verdict else _text(text)


def _text(text: str) -> str:
    return html.escape(terminal(text), quote=True)


def _mark(text: str) -> str:
    """Return text that Markdown shows as it is, in one cell of a table."""
    return terminal(str(text)).translate(_CODE_OF_MARKDOWN)
