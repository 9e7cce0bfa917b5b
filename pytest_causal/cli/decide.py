"""``causal decide``: what the evidence says of each rule of promotion, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from pytest_causal import clock
from pytest_causal.cli.acting import context_of, drift_of
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.cli.place import Place, find_place, store_option
from pytest_causal.errors import ExitCode
from pytest_causal.model.evidence import Verdict
from pytest_causal.views.escape import without_password

if TYPE_CHECKING:
    from pytest_causal.actions.context import Context
    from pytest_causal.actions.proposal import Proposal
    from pytest_causal.model.promotion import PromotionRule
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.views.decision import DecisionView, RuleView

NO_RULES = "no promotion is configured; add a [[promotion]] to causal.toml"
_WORST_FIRST = (ExitCode.LOCKED, ExitCode.FAIL, ExitCode.INCONCLUSIVE, ExitCode.OK)


@click.command()
@click.argument("name", default="")
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.decision/1).")
def decide(name: str, store: str | None, as_json: bool) -> int:
    """Evaluate every rule of promotion, or NAME, and change nothing.

    Each line says what a scenario has shown of the change, which of the changed values it read and how that is known,
    what is still missing, and what stands in the way.

    \b
    Exit codes, of several rules the first that applies:
      4   locked by a lesson, frozen, or the override file is not what was audited
      1   rejected
      3   not yet, inert, inconclusive, or held back for a while; or there is nothing to decide
      0   eligible, or in force
    """
    from pytest_causal.policy.promotion_rules import find_rule, read_rules

    place = find_place(store)
    rules = (find_rule(place.settings, name),) if name else read_rules(place.settings)
    view = _view(place, rules)
    if as_json:
        from pytest_causal.views.decision import decision_document

        write_json(decision_document(view))
    elif view.rules:
        from pytest_causal.views.decision import decision_lines

        write([Screen().lines(decision_lines(view))])
    if not view.rules:
        note(place.nothing_recorded if rules else NO_RULES)
    return exit_code(view)


def rule_view(proposal: Proposal) -> RuleView:
    """Return a proposal as it is shown."""
    from pytest_causal.actions.decision_record import case_from
    from pytest_causal.views.decision import Judged, RuleView

    evaluation = proposal.evaluation
    if evaluation is None:
        return RuleView(proposal.rule, None, proposal.standing)
    judged = Judged(
        change=evaluation.promotion.change,
        promotion=evaluation.promotion,
        case=case_from(evaluation.decision["case"]),
        record=evaluation.decision,
        refusals=evaluation.refusals,
        vetoes=evaluation.vetoes,
    )
    return RuleView(proposal.rule, judged)


def exit_code(view: DecisionView) -> ExitCode:
    """Return the code that says the worst of all that was decided."""
    codes = {rule_code(each) for each in view.rules} or {ExitCode.INCONCLUSIVE}
    if view.drift:
        codes.add(ExitCode.LOCKED)
    return next(code for code in _WORST_FIRST if code in codes)


def rule_code(view: RuleView) -> ExitCode:
    """Return the code that says how a rule stands."""
    if view.judged is None:
        return ExitCode.OK
    if view.judged.is_stopped:
        return ExitCode.LOCKED
    verdict = view.judged.verdict.verdict
    if verdict is Verdict.REJECTED:
        return ExitCode.FAIL
    is_free = verdict is Verdict.ELIGIBLE and not view.judged.refusals and not view.judged.vetoes
    return ExitCode.OK if is_free else ExitCode.INCONCLUSIVE


def _view(place: Place, rules: Iterable[PromotionRule]) -> DecisionView:
    from pytest_causal.views.decision import DecisionView

    rules = tuple(rules)
    if not rules or place.has_nothing_recorded():
        return DecisionView(without_password(place.settings.store), clock.now_us(), (), frozenset())
    with place.reading() as store:
        context = context_of(place, store)
        policy = context.policy()
        return DecisionView(
            location=without_password(store.location),
            generated_us=context.now_us,
            rules=[rule_view(each) for each in _proposals(context, rules, policy)],
            secrets=policy.secrets,
            frozen_by=context.frozen_by,
            drift=drift_of(context),
        )


def _proposals(context: Context, rules: Iterable[PromotionRule], policy: Policy) -> list[Proposal]:
    from pytest_causal.actions.proposal import propose

    return [propose(context, rule, policy) for rule in rules]
