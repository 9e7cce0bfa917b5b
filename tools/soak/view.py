"""How a run is shown while it goes: live on a terminal, plain lines elsewhere. What workloads named is escaped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from pytest_causal.views.escape import terminal
from pytest_causal.views.times import duration
from tools.soak.progress import Progress

if TYPE_CHECKING:
    from rich.table import Table

    from tools.soak.loop import Watcher

_SECOND_US = 1_000_000
_SHOWN_METRICS = 4
_SHOWN_ITERATIONS = 12
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
        yield Screen(lambda table: live.update(table, refresh=True))


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
    """Keeps a table of the last iterations up to date."""

    def __init__(self, show: Any) -> None:
        self._show = show
        self._rows: list[tuple[str, ...]] = []

    def waiting(self, progress: Progress, seconds: float) -> None:
        """Say how long it is to the next iteration."""
        self._show(self._table(f"next in {duration(seconds)}" if seconds > 0 else "starting"))

    def running(self, progress: Progress) -> None:
        """Say that the workload runs."""
        self._show(self._table(f"iteration {progress.iteration}{_of(progress)} runs"))

    def iterated(self, progress: Progress) -> None:
        """Add the iteration."""
        row = (f"{progress.iteration}{_of(progress)}", *cells_of(progress))
        self._rows = [*self._rows, row][-_SHOWN_ITERATIONS:]
        self._show(self._table(""))

    def _table(self, caption: str) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, caption=caption or None, caption_justify="left")
        for name in ("iteration", "phase", "verdict", "metrics", "tuning"):
            table.add_column(name, overflow="fold", header_style="dim")
        for number, phase, verdict, metrics, tuning in self._rows:
            table.add_row(
                number,
                phase,
                Text(verdict, style=_COLOURS.get(verdict, "")),
                Text(terminal(metrics)),
                Text(terminal(tuning)),
            )
        return table


def line_of(progress: Progress) -> str:
    """Return an iteration as one line."""
    phase, verdict, metrics, tuning = cells_of(progress)
    parts = [f"{progress.iteration}{_of(progress)}", phase, verdict, metrics]
    return "  ".join([*parts, f"| {tuning}"] if tuning else parts)


def cells_of(progress: Progress) -> tuple[str, str, str, str]:
    """Return phase, verdict, the metrics that limits are about, and what tuning did."""
    findings = progress.decided["findings"][:_SHOWN_METRICS]
    shown = [f"{each['metric']} {_number(each['value'])}" for each in findings]
    if problem := progress.measured["measurement"]["problem"]:
        shown.append(f"({problem})")
    return progress.planned["phase"], progress.decided["verdict"], "  ".join(shown), _tuning_of(progress)


def _tuning_of(progress: Progress) -> str:
    decided, applied = progress.decided, progress.applied
    if applied["taken_back"]:
        return f"taken back: {applied['taken_back']}"
    words = [
        f"{path.rpartition('.')[2]} {before:g} > {after:g}" for path, before, after in decided["applied"]
    ]
    if decided["is_revert"]:
        words.insert(0, "REVERT")
    if decided["uncredited"]:
        words.append(f"not read: {', '.join(decided['uncredited'])}")
    refused = sorted({check["guard"] for check in decided["refused"]})
    if refused and not decided["applied"]:
        words.append(f"refused: {', '.join(refused)}")
    return "  ".join(words)


def _of(progress: Progress) -> str:
    iterations = progress.plan.iterations if progress.plan else None
    return f"/{iterations}" if iterations else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
