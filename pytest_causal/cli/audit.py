"""``causal audit``: what was decided and done, and whether the record of it is whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pytest_causal.cli.acting import bare_context, secrets_of
from pytest_causal.cli.output import Screen, note, progress, write, write_json
from pytest_causal.cli.place import find_place, store_option
from pytest_causal.errors import DataError, ExitCode

if TYPE_CHECKING:
    from pytest_causal.actions.context import Context
    from pytest_causal.model.audit import AuditRow
    from pytest_causal.store.interface import HistoryStore

ROWS_FOR_PEOPLE = 50
NOTHING = "nothing was decided or done yet"


@click.command()
@click.option(
    "--verify", is_flag=True, help="Check the chain, make every decision again, compare with the live values."
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Show the newest N rows, 0 for all (default: {ROWS_FOR_PEOPLE}, with --json all).",
)
@store_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="JSON Lines (causal.audit/1); with --verify one causal.verification/1.",
)
def audit(verify: bool, limit: int | None, store: str | None, as_json: bool) -> int:
    """Tell what was decided and done to the policy, oldest first, with who, when and why.

    Rows are never changed or removed: each holds a hash of the one before. A decision is kept with all that it was
    made from, so that it can be made again.

    \b
    Exit codes:
      0   rows were shown; with --verify all is whole
      1   with --verify: problems were found
      3   nothing was decided or done yet
      65  a row cannot be read (--json)
    """
    place = find_place(store)
    if place.has_nothing_recorded():
        note(place.nothing_recorded)
        return ExitCode.INCONCLUSIVE
    with place.reading() as history:
        if verify:
            return _verify(bare_context(place, history), as_json=as_json)
        wanted = limit if limit is not None else (0 if as_json else ROWS_FOR_PEOPLE)
        rows = _newest(history, wanted)
        secrets = secrets_of(bare_context(place, history))
        is_empty = _write_json(rows, secrets) if as_json else _write_table(rows, secrets)
    if is_empty:
        note(NOTHING)
    return ExitCode.INCONCLUSIVE if is_empty else ExitCode.OK


def _verify(context: Context, *, as_json: bool) -> ExitCode:
    from pytest_causal.actions.audit import verify_audit
    from pytest_causal.views.audit_rows import VerificationView, verification_document, verification_lines

    with progress("making every decision again"):
        view = VerificationView(*verify_audit(context.store, context.overrides_path))
    if as_json:
        write_json(verification_document(view))
    else:
        write([Screen().lines(verification_lines(view))])
    return ExitCode.FAIL if view.problems else ExitCode.OK


def _newest(history: HistoryStore, wanted: int) -> Iterator[AuditRow]:
    return history.audit() if wanted == 0 else iter(deque(history.audit(), maxlen=wanted))


def _write_json(rows: Iterator[AuditRow], secrets: frozenset[str]) -> bool:
    """Write rows as they are read; return whether there was none."""
    from pytest_causal.views.audit_rows import audit_line

    written = 0
    for row in rows:
        try:
            line = audit_line(row, secrets)
        except ValueError as error:
            raise DataError(
                f"row {row.number} of the audit cannot be read", "run causal audit --verify"
            ) from error
        write([line, "\n"])
        written += 1
    return written == 0


def _write_table(rows: Iterator[AuditRow], secrets: frozenset[str]) -> bool:
    """Write rows as a table; return whether there was none."""
    from pytest_causal.views.audit_rows import audit_table

    shown = list(rows)
    if shown:
        screen = Screen()
        write([screen.table(audit_table(shown, secrets, screen.width))])
    return not shown
