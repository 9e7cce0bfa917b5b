"""``causal reconcile``: settle a difference between the override file and what was audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_causal.cli.acting import (
    bare_context,
    context_of,
    dry_run_option,
    reason_option,
    secrets_of,
    tell_problems,
)
from pytest_causal.cli.output import Screen, write, write_json
from pytest_causal.cli.place import find_place, store_option
from pytest_causal.errors import ExitCode, MissingInputError, UsageError
from pytest_causal.views.escape import without_password

if TYPE_CHECKING:
    from pytest_causal.actions.context import Context
    from pytest_causal.actions.reconcile import Drift, Side
    from pytest_causal.views.drift import DriftView


@click.command()
@click.option(
    "--file",
    "is_file",
    is_flag=True,
    help="The values in the file are to be true; they are audited as yours.",
)
@click.option(
    "--audit", "is_audit", is_flag=True, help="What was audited is to be true; the file is written anew."
)
@dry_run_option
@reason_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.reconcile/1).")
def reconcile(
    is_file: bool, is_audit: bool, dry_run: bool, reason: str, store: str | None, as_json: bool
) -> int:
    """Say how the override file and the audit differ, and settle it.

    Where a hand has edited the file nothing acts any more until it is said which of the two is true. An act that was
    cut short between the two is finished without being asked.

    \b
    Exit codes:
      0   they agree, or do now
      4   a difference is left
      66  nothing is recorded
      78  --file: the values in the file cannot be in force
    """
    if is_file and is_audit:
        raise UsageError("--file and --audit cannot both be true", "give one of them")
    place = find_place(store)
    if place.has_nothing_recorded():
        raise MissingInputError(place.nothing_recorded)
    with place.reading() if dry_run else place.writing() as history:
        # Plugins are told where promotions may be superseded; elsewhere a broken one is in nobody's way.
        context = context_of(place, history) if is_file and not dry_run else bare_context(place, history)
        view = _reconciled(context, _side(is_file, is_audit), reason, is_dry_run=dry_run)
        tell_problems(context)
        secrets = secrets_of(context)
    if as_json:
        from pytest_causal.views.drift import drift_document

        write_json(drift_document(view, secrets))
    else:
        from pytest_causal.views.drift import drift_lines

        write([Screen().lines(drift_lines(view, secrets))])
    return ExitCode.LOCKED if view.is_left else ExitCode.OK


def _side(is_file: bool, is_audit: bool) -> Side | None:
    from pytest_causal.actions.reconcile import Side

    return Side.FILE if is_file else Side.AUDIT if is_audit else None


def _reconciled(context: Context, side: Side | None, reason: str, *, is_dry_run: bool) -> DriftView:
    from pytest_causal.actions.reconcile import Side, examine, reconcile, superseded_by

    before = examine(context)
    superseded = [each.label for each in superseded_by(context, before.file.leaves)] if before.words else []
    if is_dry_run:
        if side is Side.FILE and before.words:
            context.policy()  # what the act would refuse
        drift = before
    else:
        drift = reconcile(context, side, reason)
    return _view(context, drift, superseded, str(side or ""))._replace(is_dry_run=is_dry_run)


def _view(context: Context, drift: Drift, superseded: list[str], side: str) -> DriftView:
    from pytest_causal.views.drift import Differing, DriftView

    return DriftView(
        location=without_password(context.store.location),
        generated_us=context.now_us,
        written_to=str(context.overrides_path),
        words=drift.words,
        is_unfinished=drift.is_unfinished,
        differences=[Differing(*each) for each in drift.differences],
        superseded=superseded,
        revision=context.store.live().revision,
        is_damaged=drift.is_damaged,
        side=side,
    )
