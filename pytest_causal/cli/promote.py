"""``causal promote``: make a change that has earned it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytest_causal.cli.acting import check_live, context_of, dry_run_option, reason_option, tell_problems
from pytest_causal.cli.decide import rule_code, rule_view
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.cli.place import find_place, store_option
from pytest_causal.errors import ExitCode, UsageError
from pytest_causal.views.escape import without_password

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_causal.actions.context import Context
    from pytest_causal.actions.proposal import Proposal
    from pytest_causal.model.promotion import PromotionRule
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.views.promotion import ActView


@click.command()
@click.argument("name", default="")
@click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="A change without a rule; may be repeated."
)
@click.option(
    "--to", default="", metavar="PROFILE", help="The change to a profile, the next rung of the ladder."
)
@dry_run_option
@reason_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.promotion/1).")
def promote(  # noqa: PLR0913 - a parameter an option
    name: str, sets: tuple[str, ...], to: str, dry_run: bool, reason: str, store: str | None, as_json: bool
) -> int:
    """Make the change of promotion NAME, or of --set or --to, if the evidence has earned it.

    For --set and --to every scenario that was ever seen to read one of the values must vouch for the change. What is
    going to be changed is said before it is done. No option makes a change that is not eligible.

    \b
    Exit codes:
      0   done (with --dry-run: it would be), or its values are in force already
      1   rejected
      3   not yet, inert, inconclusive, or held back for a while; causal decide says what is missing
      4   locked by a lesson, frozen, or the override file is not what was audited
      74  a plugin could not apply the change, and it was taken back
      75  another act came first
    """
    if [bool(name), bool(sets), bool(to)].count(True) != 1:
        raise UsageError(
            "one change is promoted at a time", "give one of NAME, --set PATH=VALUE and --to PROFILE"
        )
    place = find_place(store)
    if place.has_nothing_recorded():
        note(place.nothing_recorded)
        return ExitCode.INCONCLUSIVE
    with place.reading() if dry_run else place.writing() as history:
        context = context_of(place, history)
        check_live(context, is_dry_run=dry_run)
        policy = context.policy()
        proposal = _proposal(context, policy, name, sets, to)
        if proposal.evaluation is None:
            note(f"{proposal.rule.name}: its values are in force")
            return ExitCode.OK
        if not proposal.evaluation.is_eligible:
            return _refuse(context, proposal, policy, as_json=as_json)
        return _act(context, proposal, policy, reason, is_dry_run=dry_run, as_json=as_json)


def _proposal(context: Context, policy: Policy, name: str, sets: Sequence[str], to: str) -> Proposal:
    from pytest_causal.actions.proposal import propose

    return propose(context, _rule(context, policy, name, sets, to), policy)


def _rule(context: Context, policy: Policy, name: str, sets: Sequence[str], to: str) -> PromotionRule:
    from pytest_causal.actions.adhoc import rule_of_profile, rule_of_values
    from pytest_causal.policy.promotion_rules import find_rule

    if name:
        return find_rule(context.settings, name)
    return rule_of_values(context, sets, policy) if sets else rule_of_profile(context, to, policy)


def _refuse(context: Context, proposal: Proposal, policy: Policy, *, as_json: bool) -> ExitCode:
    """Say why the change is not made."""
    from pytest_causal.views.decision import rule_lines
    from pytest_causal.views.promotion import act_document

    view = rule_view(proposal)
    if as_json:
        write_json(act_document(_view(context, proposal, policy), policy.secrets))
    else:
        write([Screen().lines(rule_lines(view, policy.secrets))])
        note(f"{proposal.rule.name} is not promoted; nothing was changed")
    return rule_code(view)


def _act(
    context: Context, proposal: Proposal, policy: Policy, reason: str, *, is_dry_run: bool, as_json: bool
) -> ExitCode:
    from pytest_causal.actions.promote import promote
    from pytest_causal.actions.proposal import supersede_replaced
    from pytest_causal.views.promotion import act_document, done_line, plan_lines

    view = _view(context, proposal, policy)._replace(reason=reason, is_dry_run=is_dry_run)
    if not as_json:
        write([Screen().lines(plan_lines(view, policy.secrets))])
    if not is_dry_run and proposal.evaluation is not None:
        supersede_replaced(context, proposal)
        made = promote(context, proposal.evaluation, policy, reason=reason)
        tell_problems(context)
        view = view._replace(promotion=made, revision=context.store.live().revision)
    if as_json:
        write_json(act_document(view, policy.secrets))
    else:
        write([Screen().lines([done_line(view)])])
    return ExitCode.OK


def _view(context: Context, proposal: Proposal, policy: Policy) -> ActView:
    """Return the act as it would be."""
    from pytest_causal.actions.promote import action_of
    from pytest_causal.views.changes import change_steps
    from pytest_causal.views.decision import guard_document
    from pytest_causal.views.promotion import ActView

    evaluation: Any = proposal.evaluation
    promotion = evaluation.promotion._replace(
        triggers=proposal.rule.triggers, watch_sessions=proposal.rule.watch_sessions
    )
    return ActView(
        location=without_password(context.store.location),
        generated_us=context.now_us,
        action=action_of(promotion.change, policy),
        promotion=promotion,
        steps=change_steps(promotion.change, policy.secrets),
        written_to=str(context.overrides_path),
        decision=evaluation.decision,
        guards=[guard_document(each) for each in evaluation.refusals],
    )
