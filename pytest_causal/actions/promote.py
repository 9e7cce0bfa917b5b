"""Promote: make a change that has earned it."""

from __future__ import annotations

from pytest_causal.actions.act import Act, ConflictError, DriftError, drift_words, is_projected, perform
from pytest_causal.actions.context import Context, TargetError
from pytest_causal.actions.evaluate import Evaluation
from pytest_causal.actions.revert import check_not_frozen, revert
from pytest_causal.actions.watching import baseline
from pytest_causal.errors import CausalError, ExitCode
from pytest_causal.model.audit import Live
from pytest_causal.model.change import Change
from pytest_causal.model.promotion import Action, Promotion, State
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.overrides import read_overrides


class NotEligibleError(CausalError):
    """The change has not earned it, or something stands in its way."""

    exit_code = ExitCode.FAIL


def promote(context: Context, evaluation: Evaluation, policy: Policy, *, reason: str = "") -> Promotion:
    """Make the change of an evaluation, and return the promotion, provisional.

    ``policy`` is the standing policy that it was evaluated under. Raises :class:`NotEligibleError`, FrozenError,
    DriftError, ConflictError, StoreError, and :class:`TargetError` after having taken the change back.
    """
    if not evaluation.is_eligible:
        raise NotEligibleError(
            f"promotion {evaluation.promotion.name!r} is {evaluation.promotion.state}", "see causal decide"
        )
    check_not_frozen(context)  # it was looked at when this was decided, which may be a while ago
    live = checked_live(context)
    decided_at = policy.overrides.revision if policy.overrides else 0
    if live.revision != decided_at:
        raise ConflictError(
            f"the policy is at revision {live.revision}, and this was decided at {decided_at}", "decide anew"
        )
    before = evaluation.promotion
    newest = next(iter(context.store.sessions(limit=1)), None)
    promotion = before._replace(
        state=State.PROVISIONAL,
        changed_us=context.now_us,
        session=newest.number if newest else 0,
        watched=0,
        baseline=baseline(context.store, before, policy),
        triggers=evaluation.rule.triggers,
        watch_sessions=evaluation.rule.watch_sessions,
    )
    act = Act(
        action=action_of(before.change, policy),
        promotion=promotion,
        state_before=evaluation.state_before if before.id else None,
        actor=context.actor,
        at_us=context.now_us,
        reason=reason or "its evidence is eligible and nothing stands in its way",
        leaves={**live.leaves, **before.change.after},
        decision=evaluation.decision,
    )
    made = perform(context.store, context.overrides_path, act, live)
    context.extensions.notify(made, before.state, made.state)
    _tell_targets(context, made)
    return made


def action_of(change: Change, policy: Policy) -> Action:
    """Return ``constrain`` where every step goes toward the end of its bounds that is declared safer."""
    bounds = policy.bounds
    is_safer = all(
        step.is_upward is not None
        and step.path in bounds
        and bounds[step.path].is_safer(step.before, step.after)
        for step in change.steps
    )
    return Action.CONSTRAIN if is_safer else Action.PROMOTE


def checked_live(context: Context) -> Live:
    """Return the values as last audited. Raises DriftError where the override file holds others."""
    live, file = context.store.live(), read_overrides(context.overrides_path)
    if not is_projected(live, file):
        raise DriftError(drift_words(live, file), "see what differs and settle it with causal reconcile")
    return live


def _tell_targets(context: Context, promotion: Promotion) -> None:
    try:
        context.extensions.apply(promotion.change, promotion)
    except TargetError as error:
        what = f"a target refused the change of {promotion.label}: {error.what}"
        try:
            revert(context, promotion, reason=f"a target refused the change: {error.what}", teaches=False)
        except TargetError as failed:  # most likely the same one, which cannot be reached
            raise TargetError(f"{what}; it was taken back, but {failed.what}", failed.remedy) from error
        raise TargetError(what, "it was taken back; mend the target") from error
