from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.soak.view import Lines, Screen, line_of, watching

ROOT = Path(__file__).parents[2]
COMMAND = [
    sys.executable,
    "-m",
    "tools.soak.run",
    "--iterations",
    "3",
    "--mock",
    "--auto-tune",
    "--no-history",
]


def test_k23_away_from_a_terminal_each_iteration_is_a_plain_line(bench) -> None:
    out = io.StringIO()
    with watching(out) as watcher:
        assert isinstance(watcher, Lines)
        bench.watcher = watcher
        bench.begin(iterations=3, auto_tune=True)
    lines = out.getvalue().splitlines()
    assert [line.split()[:3] for line in lines] == [[f"{n}/3", "STEADY", "PASS"] for n in (1, 2, 3)]
    assert "\x1b" not in out.getvalue()
    assert "min_interval_ms 75 -> 65" in lines[0]


def test_what_workloads_say_is_escaped(bench, scripted, measured) -> None:
    out = io.StringIO()
    bench.watcher = Lines(out)
    bench.begin(scripted(lambda task: measured(problem="\x1b[2J\u202e")), iterations=1)
    assert "\\x1b[2J\\u202e" in out.getvalue()


def test_a_change_that_was_not_read_or_taken_back_is_shown(bench, scripted, measured) -> None:
    bench.begin(scripted(lambda task: measured({"slippage_bps_p95": 2.6})), iterations=2, auto_tune=True)
    assert "not read: engine.tail_age_ms, quoting.base_spread_bps_delta" in line_of(bench.progress())


def drawn(bench, columns: int, **options: Any) -> str:
    """Return the last screen of a run on a terminal of so many columns."""
    from rich.console import Console

    shown: list[Any] = []
    bench.watcher = Screen(shown.append, lambda: columns)
    bench.begin(kpi_set="production", auto_tune=True, **options)
    console = Console(width=columns, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(shown[-1])
    return capture.get()


def test_a_wide_terminal_has_a_column_for_each_metric_under_a_folded_head(bench) -> None:
    screen = drawn(bench, 120, iterations=3).splitlines()
    assert screen[0].startswith("soak ")
    assert "soak:mock/steady_safe, limits production" in screen[0]
    assert screen[0].endswith("2 PASS  1 WARN")
    assert screen[2].split() == [
        "iteration", "verdict", "taker_ratio", "net_bps", "latency_ms", "risk_ratio", "remarks",
    ]  # fmt: skip
    assert screen[3].split()[:3] == ["1/3", "WARN", "0.9201"]


def test_phases_have_a_column_where_there_are_any(bench) -> None:
    screen = drawn(bench, 120, iterations=3, warmup=1)
    assert "WARMUP" in screen
    assert "STEADY" in screen


def test_a_narrow_terminal_has_the_metrics_in_one_column(bench) -> None:
    screen = drawn(bench, 80, iterations=2)
    assert max(map(len, screen.splitlines())) <= 80
    assert "maker_taker_ratio 0.9201" in screen


def on_terminal(tmp_path: Path, columns: int, **env: str) -> str:
    """Return what a run writes to a terminal of so many columns."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    base = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        COMMAND, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**base, "TERM": "xterm-256color", **env, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the terminal is gone with its last process
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait(60) == 0, written
    return written.decode("utf-8", "replace")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "env", "is_live", "has_colour"),
    [
        (100, {}, True, True),
        (20, {}, True, True),
        (100, {"NO_COLOR": "1"}, True, False),
        (100, {"TERM": "dumb"}, False, False),
        (100, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, True, True),
    ],
    ids=["wide", "20 columns", "no colour", "dumb", "ascii"],
)
def test_k23_terminals_of_all_kinds(
    tmp_path: Path, columns: int, env: dict[str, Any], is_live: bool, has_colour: bool
) -> None:
    written = on_terminal(tmp_path, columns, **env)
    assert "Traceback" not in written
    assert ("\x1b[2K" in written or "\x1b[1A" in written) == is_live, "lines are drawn over"
    assert ("\x1b[32m" in written) == has_colour
    assert "PASS" in written
