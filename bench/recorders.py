"""Recording a pytest run: this plugin beside bare pytest and beside others that write results, each in turn."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.environments import clean_environment
from bench.measuring import Pair, Sample, run_process, spread, take_turns
from bench.report import Section

COLUMNS = (
    "recorder",
    "CPU, ratio to bare",
    "wall, ratio to bare",
    "CPU over bare, us a test",
    "peak over bare, MiB",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A way to write results: pytest's arguments, with ``{out}`` for the folder of this run, and ``count``, which
    returns how many passed tests it finds recorded there (``None``: nothing is written). A path is part of its
    option's word: pytest would take a path that stands alone for a test path, and look for its root above it."""

    name: str
    arguments: tuple[str, ...] = ()
    count: Callable[[Path], int] | None = None


def runs_in_store(out: Path) -> int:
    connection = sqlite3.connect(f"file:{out / 'history.db'}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM runs WHERE outcome = 'passed'").fetchone()[0])
    finally:
        connection.close()


BARE = Recorder(name="bare again (control)")
CAUSAL = Recorder(
    name="**pytest-causal**",
    arguments=("-p", "causal", "--causal-store={out}/history.db"),
    count=runs_in_store,
)
PEERS = (
    Recorder(
        name="--junitxml",
        arguments=("--junitxml={out}/junit.xml",),
        count=lambda out: (out / "junit.xml").read_text().count("<testcase "),
    ),
    Recorder(
        name="pytest-reportlog",
        arguments=("-p", "pytest_reportlog.plugin", "--report-log={out}/log.jsonl"),
        count=lambda out: (out / "log.jsonl").read_text().count('"when": "call"'),
    ),
    Recorder(
        name="pytest-json-report",
        arguments=("-p", "pytest_jsonreport", "--json-report", "--json-report-file={out}/report.json"),
        count=lambda out: int(json.loads((out / "report.json").read_text())["summary"]["passed"]),
    ),
    Recorder(
        name="allure-pytest",
        arguments=("-p", "allure_pytest.plugin", "--alluredir={out}/allure"),
        count=lambda out: len(list((out / "allure").glob("*-result.json"))),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """A suite that is run by pytest again and again; ``place`` is for what the runs write."""

    place: Path
    suite: Path
    tests: int
    autoload: bool = False

    def once(self, python: Path, recorder: Recorder, common: Sequence[str] = ()) -> Sample:
        """Run the suite with one recorder. Raises RuntimeError unless all tests passed and all were recorded."""
        out = self.place / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        arguments = [argument.replace("{out}", str(out)) for argument in (*common, *recorder.arguments)]
        log = self.place / "log.txt"
        sample = run_process(
            [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            folder=self.suite,
            environment=clean_environment(autoload=self.autoload),
            log=log,
        )
        said = log.read_text(errors="replace")
        passed = sum(map(int, re.findall(r"^(\d+) passed", said, flags=re.MULTILINE)))
        if passed != self.tests:
            raise RuntimeError(f"{recorder.name}: of {self.tests} tests {passed} passed:\n{said[-3000:]}")
        if recorder.count and (recorded := recorder.count(out)) != self.tests:
            raise RuntimeError(
                f"{recorder.name}: of {self.tests} tests {recorded} were recorded:\n{said[-3000:]}"
            )
        return sample


def measure_recorders(
    python: Path, run: SuiteRun, recorders: Sequence[Recorder], *, rounds: int, workers: int = 0
) -> Section:
    """Measure recorders over one suite, plain or with ``workers`` xdist workers."""
    common = ("-p", "xdist.plugin", "-n", str(workers)) if workers else ()
    contenders = {each.name: partial(run.once, python, each, common) for each in recorders}
    pairs = take_turns(partial(run.once, python, BARE, common), contenders, rounds=rounds)
    how = f"`-n {workers}`" if workers else "plain"
    bare = statistics.median(pair.baseline.cpu_seconds for each in pairs.values() for pair in each)
    peak = statistics.median(pair.baseline.peak_bytes for each in pairs.values() for pair in each)
    return Section(
        title=f"Recording {run.tests:,} trivial tests, {how}",
        text=f"Bare pytest: {bare:.2f} s of CPU ({1e6 * bare / run.tests:.0f} us a test), {peak / 2**20:.0f} MiB in "
        f"its largest process; {rounds} rounds. Aims: CPU at most 1.05, memory at most 10 MiB over bare.",
        columns=COLUMNS,
        rows=[(name, *row(each, run.tests)) for name, each in pairs.items()],
    )


def measure_pytest_history(python: Path, run: SuiteRun, *, rounds: int) -> Section:
    """Measure pytest-history in an environment of its own, against the bare pytest 7 that it needs."""
    store = run.suite / "history.db"  # it cannot make one in another folder than the current

    def count(_: Path) -> int:
        connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
        last_run = 'SELECT count(*) FROM "test.results" WHERE test_run = (SELECT max(id) FROM "test.runs")'
        try:
            return int(connection.execute(last_run).fetchone()[0])
        finally:
            connection.close()

    peer = Recorder(
        name="pytest-history", arguments=("-p", "pytest_history", "--history-db", store.name), count=count
    )
    section = measure_recorders(python, run, [BARE, peer], rounds=rounds)
    store.unlink()
    return replace(
        section,
        title=f"{section.title}: pytest-history",
        text="It needs pytest < 8 and so cannot stand in the table above; this is beside bare pytest 7. "
        + section.text.partition(" Aims")[0],
    )


def row(pairs: Sequence[Pair], tests: int) -> tuple[str, ...]:
    extra_us = [1e6 * pair.extra_cpu_seconds / tests for pair in pairs]
    return (
        spread([pair.cpu_ratio for pair in pairs]),
        spread([pair.wall_ratio for pair in pairs], ".2f"),
        spread(extra_us, ".0f"),
        spread([pair.extra_peak_bytes / 2**20 for pair in pairs], ".1f"),
    )
