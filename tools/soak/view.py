"""How a run is shown while it goes: live on a terminal, plain lines elsewhere. What workloads named is escaped."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pytest_causal.views.escape import terminal
from pytest_causal.views.times import duration
from tools.soak.kpi import Verdict
from tools.soak.progress import Progress
from tools.soak.tuning import guards_that_refused
from tools.soak.warmup import Phase

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from tools.soak.loop import Watcher

_SECOND_US = 1_000_000
_SHOWN_METRICS = 4
_SHOWN_ITERATIONS = 12
_WIDE_COLUMNS = 96
"""Columns from which on each metric has a column of its own; below they stand together in one."""
_HEAD_COLUMNS = 11
ENDINGS = {
    "planned": "ended as planned",
    "budget": "ended with its budget",
    "aborted": "was aborted",
    "safety": "was stopped for safety",
    "interrupted": "was interrupted",
}
"""How a run ended, in words."""
_COLOURS = {"PASS": "green", "WARN": "yellow", "FAIL": "red", "INCONCLUSIVE": "magenta"}


@contextmanager
def watching(stream: TextIO | None = None) -> Iterator[Watcher]:
    """Return the watcher that fits where the output goes: a table that changes on a terminal, else lines."""
    out = sys.stderr if stream is None else stream
    if not out.isatty():
        yield Lines(out)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=out, highlight=False)
    if console.is_dumb_terminal:
        yield Lines(out)
        return
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        yield Screen(lambda shown: live.update(shown, refresh=True), lambda: console.width)


class Lines:
    """Writes a line an iteration."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def waiting(self, progress: Progress, seconds: float) -> None:
        """Say nothing: a log is read later."""

    def running(self, progress: Progress) -> None:
        """Say nothing."""

    def iterated(self, progress: Progress) -> None:
        """Write how the iteration went."""
        print(terminal(line_of(progress)), file=self._out, flush=True)


class Screen:
    """Keeps a table of the last iterations up to date. ``width`` tells how many columns the terminal has now."""

    def __init__(self, show: Callable[[RenderableType], None], width: Callable[[], int]) -> None:
        self._show = show
        self._width = width
        self._rows: list[Row] = []

    def waiting(self, progress: Progress, seconds: float) -> None:
        """Say how long it is to the next iteration."""
        self._draw(progress, f"next in {duration(seconds)}" if seconds > 0 else "starting")

    def running(self, progress: Progress) -> None:
        """Say that the workload runs."""
        self._draw(progress, f"iteration {progress.iteration}{_of(progress)} runs")

    def iterated(self, progress: Progress) -> None:
        """Add the iteration."""
        self._rows = [*self._rows, row_of(progress)][-_SHOWN_ITERATIONS:]
        self._draw(progress, "")

    def _draw(self, progress: Progress, caption: str) -> None:
        from rich.console import Group
        from rich.text import Text

        head = Text()
        plan = progress.plan
        head.append(f"soak {plan.run}" if plan else "soak", style="bold")
        head.append(f"  {terminal(plan.scenario)}, limits {terminal(plan.kpi_set)}" if plan else "")
        head.append(f"  {duration(progress.elapsed_us / _SECOND_US)}" if progress.elapsed_us else "")
        for verdict, count in sorted(progress.tally.steady.items()):
            head.append("  ").append(f"{count} {verdict}", style=_COLOURS[verdict])
        self._show(Group(head, self._table(), Text(caption, style="dim italic")))

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="dim")
        has_phases = any(row.phase != Phase.STEADY for row in self._rows)
        is_wide = self._width() >= _WIDE_COLUMNS
        names = [name for name, _, _ in self._rows[-1].metrics] if self._rows and is_wide else []
        table.add_column("iteration")
        if has_phases:
            table.add_column("phase")
        table.add_column("verdict")
        for name in names:
            table.add_column(_folded(terminal(name)), justify="right", vertical="top")
        if not is_wide:
            table.add_column("metrics", overflow="fold")
        table.add_column("remarks", overflow="fold")
        for row in self._rows:
            shown = [Text(_number(value), style=_style(level)) for _, value, level in row.metrics]
            table.add_row(
                row.number,
                *([row.phase] if has_phases else []),
                Text(row.verdict, style=_COLOURS.get(row.verdict, "")),
                *(shown if is_wide else [Text(terminal(_listed(row)))]),
                Text(terminal(row.remarks)),
            )
        return table


class Row(NamedTuple):
    """An iteration as it is shown: ``metrics`` are the name, value and level of those that limits are about."""

    number: str
    phase: str
    verdict: str
    metrics: tuple[tuple[str, float | None, str], ...]
    remarks: str


def row_of(progress: Progress) -> Row:
    """Return what is shown of an iteration."""
    problem = progress.measurement.problem
    remarks = [f"({problem})"] if problem else []
    if tuning := _tuning_of(progress):
        remarks.append(tuning)
    return Row(
        number=f"{progress.iteration}{_of(progress)}",
        phase=progress.planned["phase"],
        verdict=progress.decided["verdict"],
        metrics=tuple(
            (each.metric, each.value, each.level) for each in progress.gate.findings[:_SHOWN_METRICS]
        ),
        remarks="  ".join(remarks),
    )


def line_of(progress: Progress) -> str:
    """Return an iteration as one line."""
    row = row_of(progress)
    parts = [row.number, row.phase, row.verdict, _listed(row)]
    return "  ".join([*parts, f"| {row.remarks}"] if row.remarks else parts)


def _listed(row: Row) -> str:
    return "  ".join(f"{name} {_number(value)}" for name, value, _ in row.metrics)


def _folded(name: str) -> str:
    """Return a name in lines that are narrow enough for the head of a column of numbers."""
    lines = [""]
    for part in re.findall(r"[^_.]*[_.]?", name):
        if lines[-1] and len(lines[-1]) + len(part) > _HEAD_COLUMNS:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _style(level: str) -> str:
    return "" if level == Verdict.PASS else _COLOURS.get(level, "")


def _tuning_of(progress: Progress) -> str:
    decided, applied = progress.decided, progress.applied
    if applied["taken_back"]:
        return f"taken back: {applied['taken_back']}"
    words = [
        f"{path.rpartition('.')[2]} {before:g} -> {after:g}" for path, before, after in decided["applied"]
    ]
    if decided["is_revert"]:
        words.insert(0, "REVERT")
    if decided["uncredited"]:
        words.append(f"not read: {', '.join(decided['uncredited'])}")
    refused = guards_that_refused(decided)
    if refused and not decided["applied"]:
        words.append(f"refused: {', '.join(refused)}")
    return "  ".join(words)


def _of(progress: Progress) -> str:
    iterations = progress.plan.iterations if progress.plan else None
    return f"/{iterations}" if iterations else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
