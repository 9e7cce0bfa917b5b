"""Runs a project's own test suite bare and recorded, and holds the store against what pytest says of the same run.

    python tests/projects/compare.py more-itertools attrs click pluggy

takes the released source distributions, installs each into an environment of its own, and compares, plain and with
``-n 2``: exit code, counts, and every test's outcome by the store, by ``--junitxml`` and by ``-rA``. Exit status 1
where anything differs. ``test_compare.py`` runs the same comparison on a small suite.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pytest_causal.model.run import Outcome, Run
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = {
    "attrs": ["hypothesis", "cloudpickle", "pympler"],
    "more-itertools": [],
    "click": [],
    "pluggy": [],
    "iniconfig": [],
    "packaging": ["pretend"],
    "toolz": [],
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One suite, one way of running it. ``differences`` is empty when the store is right."""

    name: str
    tests: int
    exit_code: int
    counts: str
    differences: tuple[str, ...]


def compare(
    python: str, folder: Path, *, name: str, args: tuple[str, ...] = (), workers: int = 0
) -> Comparison:
    """Run the suite in ``folder`` bare, then recorded, and compare."""
    with tempfile.TemporaryDirectory() as scratch:
        store, junit = Path(scratch, "history.db"), Path(scratch, "junit.xml")
        spread = ("-p", "xdist", f"-n{workers}") if workers else ()
        common = (python, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *spread, *args)
        bare = _run(common, folder)
        recorded = _run(
            (*common, "-p", "causal", f"--causal-store={store}", "-rA", f"--junitxml={junit}"), folder
        )
        differences = []
        if bare.returncode != recorded.returncode:
            differences.append(f"exit code {bare.returncode} bare, {recorded.returncode} recorded")
        if _counts(bare.stdout) != _counts(recorded.stdout):
            differences.append(f"counts {_counts(bare.stdout)!r} bare, {_counts(recorded.stdout)!r} recorded")
        runs = _stored(store)
        differences += _against_terminal(runs, recorded.stdout)
        differences += _against_junit(runs, junit)
        return Comparison(
            name=name + (f" -n {workers}" if workers else ""),
            tests=len(runs),
            exit_code=recorded.returncode,
            counts=_counts(recorded.stdout),
            differences=tuple(differences),
        )


def _run(command: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CAUSAL_", "PYTEST_")) and name not in {"NO_COLOR", "FORCE_COLOR"}
    }
    return subprocess.run(
        command,
        cwd=folder,
        env=env | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=1200,
        check=False,
    )


def _counts(output: str) -> str:
    lines = [line for line in output.splitlines() if re.search(r"=+ .* in [\d.:]+", line) or " in " in line]
    for line in reversed(lines):
        found = re.findall(r"\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected)", line)
        if found:
            return ", ".join(sorted(found))
    return ""


def _stored(store: Path) -> list[Run]:
    opened = open_store(str(store), readonly=True)
    try:
        return [
            record.run
            for record in opened.history(HistoryQuery())
            if record.run.outcome is not Outcome.MISSING
        ]
    finally:
        opened.close()


def _against_terminal(runs: list[Run], output: str) -> list[str]:
    """Hold the outcomes against the short summary that ``-rA`` prints, where each test stands by its id."""
    words = {"PASSED": "passed", "FAILED": "failed", "ERROR": "error", "XFAIL": "xfailed", "XPASS": "xpassed"}
    told: Counter[tuple[str, str]] = Counter()
    section = output.rpartition("short test summary info")[2]
    ids = {run.nodeid for run in runs}
    for line in section.splitlines():
        word, _, rest = line.partition(" ")
        if word in words:
            nodeid = rest if rest in ids else _longest_id(rest, ids)
            told[nodeid, words[word]] += 1
    stored: Counter[tuple[str, str]] = Counter()
    for run in runs:
        if run.outcome is Outcome.SKIPPED:
            continue  # the terminal folds skips into lines by place
        outcome = "failed" if run.outcome is Outcome.XPASSED and run.is_failure else str(run.outcome)
        stored[run.nodeid, outcome] += 1
    missing = [
        f"-rA has {key}, the store has not"
        for key in told
        if key not in stored and not _is_second(key, stored)
    ]
    extra = [f"the store has {key}, -rA has not" for key in stored if key not in told]
    return [*missing, *extra]


def _is_second(key: tuple[str, str], stored: Counter[tuple[str, str]]) -> bool:
    """An error in teardown stands beside the outcome of the call, which the store folds into one run."""
    nodeid, word = key
    return (nodeid, "error") in stored or (word == "error" and (nodeid, "failed") in stored)


def _longest_id(rest: str, ids: set[str]) -> str:
    head = rest
    while head and head not in ids:
        head = head.rpartition(" - ")[0] if " - " in head else head.rpartition(" ")[0]
    return head or rest


def _against_junit(runs: list[Run], junit: Path) -> list[str]:
    tags = {
        "failed": "failure",
        "error": "error",
        "crashed": "failure",
        "skipped": "skipped",
        "xfailed": "skipped",
        "passed": "passed",
        "xpassed": "passed",
    }
    stored = Counter(
        "failure" if run.outcome is Outcome.XPASSED and run.is_failure else tags[run.outcome] for run in runs
    )
    told: Counter[str] = Counter()
    for case in ET.parse(junit).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        told[kinds[0] if kinds else "passed"] += 1
    return [] if stored == told else [f"junitxml says {dict(told)}, the store says {dict(stored)}"]


def _unpack(project: str, folder: Path) -> Path:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            folder,
            project,
        ],
        check=True,
    )
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    return source


def _environment(source: Path, folder: Path, project: str) -> str:
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = str(folder / "venv" / "bin" / "python")
    wanted = [f"{ROOT}[xdist]", *EXTRAS.get(project, []), str(source)]
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def main() -> int:
    """Compare the projects named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="+")
    failed = 0
    for project in parser.parse_args().projects:
        with tempfile.TemporaryDirectory() as scratch:
            source = _unpack(project, Path(scratch, "sdist"))
            python = _environment(source, Path(scratch), project)
            for workers in (0, 2):
                result = compare(python, source, name=source.name, workers=workers)
                failed += bool(result.differences)
                verdict = "DIFFERS" if result.differences else "same"
                print(
                    f"{result.name}: {result.tests} runs, exit {result.exit_code}, {result.counts}: {verdict}"
                )
                for difference in result.differences[:20]:
                    print("   ", difference)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
