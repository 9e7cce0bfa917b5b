"""The record of a trial: the change that was tried comes into the state ``trial``, and the audit says how it went."""

from __future__ import annotations

from pytest_causal.actions.act import Act, perform
from pytest_causal.actions.context import Context
from pytest_causal.actions.evaluate import new_promotion
from pytest_causal.actions.review import move, stored_for
from pytest_causal.model.promotion import Action, Event, Promotion, Tried
from pytest_causal.model.trial import TrialReason, TrialResult
from pytest_causal.policy.promotion_rules import proposed_change
from pytest_causal.rules.lifecycle import next_state
from pytest_causal.store.promotion_rows import trial_document


def record_trial(context: Context, result: TrialResult) -> Promotion | None:
    """Record a trial that ran to its end with the promotion it was of, and return that.

    ``None``, and nothing is written, where it was interrupted, compared nothing, or tried another change than the rule
    proposes now. A change that is rejected or locked stays so. Raises DriftError, ConflictError, ConfigError and
    StoreError.
    """
    plan = result.plan
    if plan.change is None or not result.rounds or TrialReason.INTERRUPTED in result.reasons:
        return None
    if proposed_change(plan.rule, context.settings, context.policy()) != plan.change:
        return None
    stored = stored_for(context, plan.rule)
    if stored is not None and not stored.state.is_live and stored.change != plan.change:
        move(context, stored, Event.SUPERSEDE, "the rule proposes another change now")
        stored = None
    if stored is not None and stored.state.is_live:
        stored = None  # of an older value, which stands until it is overwritten
    tried = Tried(
        result.verdict.value, tuple(each.value for each in result.reasons), result.rounds, context.now_us
    )
    base = stored or new_promotion(context, plan.rule, plan.change)
    reason = f"a trial of {result.rounds} rounds: {result.verdict}"
    act = Act(
        action=Action.OBSERVE,
        promotion=base._replace(
            state=next_state(base.state, Event.TRY) or base.state,
            changed_us=context.now_us,
            note=reason,
            trial=tried,
        ),
        state_before=stored.state if stored else None,
        actor=context.actor,
        at_us=context.now_us,
        reason=reason,
        trial={**trial_document(tried), "seed": plan.seed, "sessions": list(result.sessions)},
    )
    made = perform(context.store, context.overrides_path, act, context.store.live())
    context.extensions.notify(made, base.state, made.state)
    return made
