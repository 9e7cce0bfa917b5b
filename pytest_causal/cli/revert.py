"""``causal revert``: take one change back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_causal.cli.acting import check_live, context_of, dry_run_option, reason_option, tell_problems
from pytest_causal.cli.output import Screen, write, write_json
from pytest_causal.cli.place import find_place, store_option
from pytest_causal.errors import ExitCode, MissingInputError
from pytest_causal.views.escape import without_password

if TYPE_CHECKING:
    from pytest_causal.actions.context import Context
    from pytest_causal.model.promotion import Promotion
    from pytest_causal.views.promotion import ActView


@click.command()
@click.argument("promotion_id", metavar="[ID]", default="")
@dry_run_option
@reason_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.promotion/1).")
def revert(promotion_id: str, dry_run: bool, reason: str, store: str | None, as_json: bool) -> int:
    """Take promotion ID (such as P-7) back, or else the newest change that stands.

    Only the values of that promotion are set, to what they were before it. Its scenarios become lessons: the same
    change, and any that goes further, has to show more than before.

    \b
    Exit codes:
      0   done (with --dry-run: it would be)
      1   refused: it does not stand, or one of its values was changed since
      4   frozen, or the override file is not what was audited
      66  there is no such promotion
      74  a plugin could not take the change back on its side
      75  another act came first
    """
    place = find_place(store)
    if place.has_nothing_recorded():
        raise MissingInputError(place.nothing_recorded)
    with place.reading() if dry_run else place.writing() as history:
        context = context_of(place, history)
        check_live(context, is_dry_run=dry_run)
        return _revert(context, promotion_id, reason, is_dry_run=dry_run, as_json=as_json)


def _revert(context: Context, label: str, reason: str, *, is_dry_run: bool, as_json: bool) -> ExitCode:
    from pytest_causal.actions.revert import check_revert, find_promotion, revert
    from pytest_causal.views.promotion import act_document, done_line, plan_lines

    promotion = find_promotion(context.store, label)
    check_revert(context, promotion)
    secrets = context.policy().secrets
    why = reason or f"{context.actor} took it back"
    view = _view(context, promotion, secrets, why)._replace(is_dry_run=is_dry_run)
    if not as_json:
        write([Screen().lines(plan_lines(view, secrets))])
    if not is_dry_run:
        made = revert(context, promotion, reason=why)
        tell_problems(context)
        view = view._replace(promotion=made, revision=context.store.live().revision)
    if as_json:
        write_json(act_document(view, secrets))
    else:
        write([Screen().lines([done_line(view)])])
    return ExitCode.OK


def _view(context: Context, promotion: Promotion, secrets: frozenset[str], reason: str) -> ActView:
    """Return the act as it would be."""
    from pytest_causal.actions.revert import lessons_of
    from pytest_causal.model.promotion import Action
    from pytest_causal.views.changes import change_steps
    from pytest_causal.views.promotion import ActView

    return ActView(
        location=without_password(context.store.location),
        generated_us=context.now_us,
        action=Action.REVERT,
        promotion=promotion,
        steps=change_steps(promotion.change.inverse(), secrets),
        written_to=str(context.overrides_path),
        reason=reason,
        lessons=lessons_of(context, promotion, reason, ()),
    )
