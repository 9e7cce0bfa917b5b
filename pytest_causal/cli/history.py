"""``causal history``: runs, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import click

from pytest_causal.cli.output import Screen, note, write
from pytest_causal.cli.place import find_place, store_option
from pytest_causal.cli.scenario_names import check_known
from pytest_causal.cli.since import to_microseconds
from pytest_causal.errors import ExitCode
from pytest_causal.model.run import Outcome

if TYPE_CHECKING:
    from pytest_causal.model.session import SessionFacts
    from pytest_causal.store.interface import HistoryQuery, HistoryStore
    from pytest_causal.views.history import HistoryRow

ROWS_FOR_PEOPLE = 50
_ROWS_AT_A_TIME = 200
_SESSIONS_REMEMBERED = 1000


@click.command()
@click.argument("scenario", default="")
@store_option
@click.option(
    "--since",
    "since_us",
    metavar="TIME",
    default="",
    callback=to_microseconds,
    help="Not older than a date, a time or an age such as 3d.",
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice([each.value for each in Outcome]),
    help="Only these; may be repeated.",
)
@click.option("--branch", default="", help="Only sessions on this branch.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Show at most so many runs, 0 for all (default: {ROWS_FOR_PEOPLE}, with --json all).",
)
@click.option(
    "--json", "as_json", is_flag=True, help="JSON Lines, one object a run (schema causal.history/1)."
)
def history(  # noqa: PLR0913 - a parameter an option
    scenario: str,
    store: str | None,
    since_us: int,
    outcomes: tuple[str, ...],
    branch: str,
    limit: int | None,
    as_json: bool,
) -> int:
    """Show runs, newest first: of one SCENARIO, or of all.

    Times are UTC. Each attempt of a rerun is a run of its own.

    \b
    Exit codes:
      0   also where no run matches
      3   nothing was recorded yet
      66  the store named by --store, or the scenario, is not there
    """
    from pytest_causal.store.interface import HistoryQuery

    place = find_place(store)
    default_limit = 0 if as_json else ROWS_FOR_PEOPLE
    query = HistoryQuery(
        scenario=scenario,
        outcomes=tuple(map(Outcome, outcomes)),
        branch=branch,
        since_us=since_us,
        limit=(default_limit if limit is None else limit) or None,
    )
    if not place.has_nothing_recorded():
        with place.reading() as opened:
            if opened.sessions(limit=1):
                if scenario:
                    check_known(opened, scenario)
                rows = _rows(opened, query)
                write(_json_lines(rows) if as_json else _screenfuls(rows, query))
                return ExitCode.OK
    note(place.nothing_recorded)
    return ExitCode.INCONCLUSIVE


def _rows(store: HistoryStore, query: HistoryQuery) -> Iterator[HistoryRow]:
    """Yield runs with the facts of their sessions, as they are read."""
    from pytest_causal.views.history import HistoryRow

    @lru_cache(maxsize=_SESSIONS_REMEMBERED)
    def facts(session: int) -> SessionFacts:
        return store.session(session).facts

    for record in store.history(query):
        yield HistoryRow(record=record, facts=facts(record.session))


def _json_lines(rows: Iterable[HistoryRow]) -> Iterator[str]:
    from pytest_causal.views.history import history_line

    for row in rows:
        yield history_line(row) + "\n"


def _screenfuls(rows: Iterator[HistoryRow], query: HistoryQuery) -> Iterator[str]:
    """Yield the table in parts, so that a long one is not held in memory."""
    from pytest_causal.views.history import history_table

    screen, count = Screen(), 0
    while some := list(islice(rows, _ROWS_AT_A_TIME)):
        table = history_table(some, screen.width, of_one_scenario=bool(query.scenario), has_header=not count)
        yield screen.table(table)
        count += len(some)
    if not count:
        note("no run matches")
    elif count == query.limit:
        note(f"the newest {count} are shown; --limit 0 shows all")
