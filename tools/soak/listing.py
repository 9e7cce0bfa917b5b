"""The runs in a folder: how far each has come."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pytest_causal.errors import CausalError
from pytest_causal.views.tables import Column, Table, cell
from pytest_causal.views.times import utc_stamp
from tools.soak.journal import NAME as JOURNAL
from tools.soak.journal import read_journal
from tools.soak.lease import is_held
from tools.soak.plan import is_run_name
from tools.soak.progress import replay
from tools.soak.run import LEASE


class Listed(NamedTuple):
    """A run: ``state`` is ``running``, ``resumable``, ``reverted``, ``damaged``, or how it ended."""

    run: str
    scenario: str
    state: str
    iterations: int
    verdict: str
    began_at: str


def listed(out: Path) -> list[Listed]:
    """Return the runs in a folder, by name; one that is damaged is listed as that."""
    if not out.is_dir():
        return []
    return [
        _listed(folder)
        for folder in sorted(out.iterdir())
        if is_run_name(folder.name) and (folder / JOURNAL).is_file()
    ]


def listing_table(rows: list[Listed]) -> Table:
    """Return the runs as a table."""
    columns = (
        Column(header="run"),
        Column(header="scenario"),
        Column(header="state"),
        Column(header="iterations", is_number=True),
        Column(header="verdict"),
        Column(header="began (UTC)"),
    )
    return Table(
        columns=columns,
        rows=tuple(
            tuple(cell(str(each)) for each in (*row[:5], row.began_at[:16].replace("T", " "))) for row in rows
        ),
    )


def _listed(folder: Path) -> Listed:
    try:
        progress = replay(read_journal(folder / JOURNAL))
    except CausalError:
        return Listed(folder.name, "", "damaged", 0, "", "")
    plan, finished = progress.plan, progress.finished or {}
    if is_held(folder / LEASE):
        state = "running"
    elif progress.reverted is not None:
        state = "reverted"
    else:
        state = finished.get("ended", "resumable")
    done = progress.iteration if progress.is_between_iterations else progress.iteration - 1
    return Listed(
        folder.name,
        plan.scenario if plan else "",
        state,
        done,
        finished.get("verdict", ""),
        utc_stamp(progress.began_us) if progress.began_us else "",
    )
