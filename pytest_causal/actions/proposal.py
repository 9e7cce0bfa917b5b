"""What a rule comes to today: the change it proposes, where that change is on its way, and what speaks for it."""

from __future__ import annotations

from typing import NamedTuple

from pytest_causal.actions.context import Context
from pytest_causal.actions.evaluate import Evaluation, evaluate
from pytest_causal.actions.review import move, stored_for
from pytest_causal.model.change import Change
from pytest_causal.model.promotion import Event, Promotion, PromotionRule
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.promotion_rules import proposed_change


class Proposal(NamedTuple):
    """A rule under the standing policy.

    ``change`` and ``evaluation`` are ``None`` where its values are in force. ``standing`` is the promotion that made
    them so, if one did. ``replaced`` is a promotion of the rule that was on its way with another change.
    """

    rule: PromotionRule
    change: Change | None
    evaluation: Evaluation | None
    standing: Promotion | None
    replaced: Promotion | None


def propose(context: Context, rule: PromotionRule, policy: Policy) -> Proposal:
    """Evaluate a rule as it stands; write nothing. Raises ConfigError and StoreError."""
    change = proposed_change(rule, context.settings, policy)
    stored = stored_for(context, rule)
    if change is None:
        is_made = stored is not None and stored.state.is_live and _is_in_force(stored, policy)
        return Proposal(rule, None, None, stored if is_made else None, None)
    is_on_its_way = stored is not None and not stored.state.is_live
    continued = stored if is_on_its_way and stored is not None and stored.change == change else None
    evaluation = evaluate(context, rule, change, policy, continued)
    return Proposal(rule, change, evaluation, None, stored if is_on_its_way and continued is None else None)


def supersede_replaced(context: Context, proposal: Proposal) -> None:
    """Close the promotion that a proposal replaces, where there is one."""
    if proposal.replaced is not None:
        move(context, proposal.replaced, Event.SUPERSEDE, "the rule proposes another change now")


def _is_in_force(promotion: Promotion, policy: Policy) -> bool:
    flat = policy.flat
    return all(
        step.path in flat and canonical(flat[step.path]) == canonical(step.after)
        for step in promotion.change.steps
    )
