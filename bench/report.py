"""What was measured, as Markdown: a section for each case, under the machine and the versions."""

from __future__ import annotations

import datetime
import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN = (
    "pytest", "pytest-causal", "pytest-xdist", "pytest-reportlog", "pytest-json-report", "allure-pytest",
    "zstandard", "locust", "pytest-benchmark",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table, with a paragraph that says how its figures came about and what they should be."""

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [" | ".join(row) for row in (self.columns, ["---"] * len(self.columns), *self.rows)]
        return f"## {self.title}\n\n{self.text}\n\n" + "\n".join(f"| {line} |" for line in lines)


def updated(page: str, parts: Mapping[str, str], order: Sequence[str], versions: Mapping[str, str]) -> str:
    """Return the page with the parts of some cases, by name, made new; the other cases keep what it says of them."""
    known = dict(re.findall(r"<!-- case: (\S+) -->\n(.*?)\n*(?=<!-- case: |\Z)", page, flags=re.DOTALL))
    known |= parts
    packages = ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions)
    head = f"""# Measurements

Written by `make bench`, or `make bench B="startup soak"` for some cases; do not edit. Compare ratios, not times: each
is of whole processes that ran in turn in one run, a contender always between two runs of its baseline. Figures are
medians, with their quartiles.

- Machine: {machine()}
- Versions: Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}"""
    cases = [f"<!-- case: {name} -->\n{known[name]}" for name in order if name in known]
    return "\n\n".join([head, *cases]) + "\n"


def part(section: Section, seconds: float) -> str:
    """Return what the page says of one case: its table, and when and of which commit it was measured."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    return (
        f"{section.markdown()}\n\nMeasured {today} at {commit or 'no commit'}, in {seconds / 60:.1f} minutes."
    )


def machine() -> str:
    """Return processor, cores, memory and system, as far as the system tells."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [
            line.partition(":")[2].strip()
            for line in information.read_text().splitlines()
            if "model name" in line
        ]
        processor = names[0] if names else processor
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{processor}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}"
    )
