"""The review after a session: changes that were made are watched, rules are evaluated, and what is due is done.

In this order: what was cut short is finished; changes that stand are watched, the oldest first; then each rule is
evaluated in the order of the configuration file, and one that is eligible and in mode ``auto`` is promoted. Every
step looks at the policy as the step before has left it, and is one act of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pytest_causal.actions.act import Act, DriftError, holding_live, perform
from pytest_causal.actions.context import Context, TargetError
from pytest_causal.actions.evaluate import Evaluation, evaluate
from pytest_causal.actions.promote import promote
from pytest_causal.actions.revert import FrozenError, RefusedError, find_promotion, revert
from pytest_causal.actions.watching import Watch, watch_promotion
from pytest_causal.errors import CausalError
from pytest_causal.model.promotion import Action, Event, Mode, Promotion, PromotionRule, State
from pytest_causal.policy.promotion_rules import proposed_change, read_rules
from pytest_causal.rules.lifecycle import next_state
from pytest_causal.rules.watch import Health


class Reviewed(NamedTuple):
    """What the review did with one promotion. ``problem`` says in words why it was stopped, if it was."""

    promotion: Promotion
    state_before: State | None
    action: Action | None = None
    evaluation: Evaluation | None = None
    watch: Watch | None = None
    problem: str = ""


def has_work(context: Context) -> bool:
    """Whether there is anything to review."""
    return bool(context.settings.promotion_tables) or bool(context.store.promotions())


def review(context: Context) -> list[Reviewed]:
    """Review every promotion and every rule; return what was found, in order.

    Raises DriftError where the override file is not what was audited (nothing is done then), ConfigError for rules
    that cannot be, and StoreError.
    """
    with holding_live(context.store, context.overrides_path, context.now_us):
        pass  # what was cut short is finished, and drift is noticed
    done = list(_watch_all(context))
    rules = read_rules(context.settings)
    done += _close_orphans(context, rules)
    for rule in rules:
        done += _review_rule(context, rule)
    return done


def stored_for(context: Context, rule: PromotionRule) -> Promotion | None:
    """Return the promotion that a rule's change is on its way as, else the newest that still stands."""
    mine = [each for each in context.store.promotions() if each.name == rule.name and not each.state.is_final]
    return max(mine, key=lambda each: (not each.state.is_live, each.id), default=None)


def _watch_all(context: Context) -> Iterator[Reviewed]:
    for promotion in context.store.promotions():
        if promotion.state is State.PROVISIONAL:
            yield _watch_one(context, promotion)


def _watch_one(context: Context, promotion: Promotion) -> Reviewed:
    seen = watch_promotion(context.store, promotion, context.policy())
    if seen.watched.health is Health.CRITICAL:
        fired = seen.watched.fired[0]
        reason = f"{fired.signal} {fired.value:.6g} is beyond {fired.side} {fired.limit:.6g}"
        decision = {"kind": "watch", **watch_document(promotion, seen)}
        try:
            made = revert(context, promotion, reason=reason, decision=decision, failing=seen.failing)
        except (RefusedError, FrozenError) as error:
            return Reviewed(promotion, promotion.state, watch=seen, problem=str(error))
        except TargetError as error:
            made = find_promotion(context.store, promotion.label)
            problem = f"{reason}, and its values are taken back, but {error}"
            return Reviewed(made, promotion.state, Action.REVERT, watch=seen, problem=problem)
        return Reviewed(made, promotion.state, Action.REVERT, watch=seen)
    if len(seen.sessions) < promotion.watch_sessions or seen.watched.health is not Health.OK:
        seen_so_far = promotion._replace(watched=len(seen.sessions))
        _keep(context, seen_so_far)
        return Reviewed(seen_so_far, promotion.state, watch=seen)
    made = move(
        context,
        promotion._replace(watched=len(seen.sessions)),
        Event.VALIDATE,
        f"{len(seen.sessions)} sessions without a trigger",
        {"kind": "watch", **watch_document(promotion, seen)},
    )
    return Reviewed(made, promotion.state, Action.OBSERVE, watch=seen)


def watch_document(promotion: Promotion, seen: Watch) -> dict[str, object]:
    """Return the inputs of a watch, and what it found, for the audit."""
    return {
        "triggers": [trigger._asdict() for trigger in promotion.triggers],
        "baseline": dict(promotion.baseline),
        "sessions": list(seen.sessions),
        "signals": [dict(signals) for signals in seen.signals],
        "health": seen.watched.health.value,
        "fired": [fired._asdict() for fired in seen.watched.fired],
        "failing": list(seen.failing),
    }


def _close_orphans(context: Context, rules: tuple[PromotionRule, ...]) -> list[Reviewed]:
    """Let promotions expire that no rule proposes any more."""
    names = {rule.name for rule in rules}
    return [
        Reviewed(
            move(context, each, Event.EXPIRE, "no rule proposes it any more"), each.state, Action.OBSERVE
        )
        for each in context.store.promotions()
        if each.name not in names and next_state(each.state, Event.EXPIRE) is not None
    ]


def _review_rule(context: Context, rule: PromotionRule) -> list[Reviewed]:
    policy = context.policy()
    change = proposed_change(rule, context.settings, policy)
    stored = stored_for(context, rule)
    done = []
    if stored is not None and not stored.state.is_live and (change is None or stored.change != change):
        why = "the rule proposes another change now" if change else "its values are in force"
        done.append(Reviewed(move(context, stored, Event.SUPERSEDE, why), stored.state, Action.OBSERVE))
        stored = None
    if change is None:
        return done
    if stored is not None and stored.state.is_live:
        stored = None  # of an older value, which stands until it is overwritten
    evaluation = evaluate(context, rule, change, policy, stored)
    evaluation = _store(context, evaluation)
    if not evaluation.is_eligible or rule.mode is not Mode.AUTO:
        return [
            *done,
            Reviewed(evaluation.promotion, evaluation.state_before, _observed(evaluation), evaluation),
        ]
    settled = evaluation._replace(state_before=evaluation.promotion.state)
    try:
        made = promote(context, settled, policy)
    except DriftError:
        raise
    except CausalError as error:
        return [
            *done,
            Reviewed(evaluation.promotion, evaluation.state_before, None, evaluation, problem=str(error)),
        ]
    return [*done, Reviewed(made, evaluation.state_before, Action.PROMOTE, evaluation)]


def _observed(evaluation: Evaluation) -> Action | None:
    return Action.OBSERVE if evaluation.is_news else None


def _store(context: Context, evaluation: Evaluation) -> Evaluation:
    """Store what was found. A new state is an act, with an audit row; the verdict alone is only kept."""
    promotion = evaluation.promotion
    if not evaluation.is_news:
        _keep(context, promotion)
        return evaluation
    act = Act(
        action=Action.OBSERVE,
        promotion=promotion,
        state_before=evaluation.state_before,
        actor=context.actor,
        at_us=context.now_us,
        reason=f"the evidence is {promotion.verdict.verdict if promotion.verdict else 'unknown'}",
        decision=evaluation.decision,
    )
    made = perform(context.store, context.overrides_path, act, context.store.live())
    context.extensions.notify(made, evaluation.state_before or made.state, made.state)
    return evaluation._replace(promotion=made)


def _keep(context: Context, promotion: Promotion) -> None:
    """Keep what was found of a promotion, unless another act has moved it on meanwhile."""
    with context.store.acting() as ledger:
        stored = next((each for each in ledger.promotions() if each.id == promotion.id), None)
        if stored is not None and stored.state is promotion.state:
            ledger.put(promotion)


def move(
    context: Context,
    promotion: Promotion,
    event: Event,
    reason: str,
    decision: dict[str, object] | None = None,
) -> Promotion:
    """Take one step of the lifecycle that changes no value."""
    state = next_state(promotion.state, event)
    if state is None:
        raise ValueError(f"{promotion.label} is {promotion.state}: {event} is no step from there")
    act = Act(
        action=Action.OBSERVE,
        promotion=promotion._replace(state=state, changed_us=context.now_us, note=reason),
        state_before=promotion.state,
        actor=context.actor,
        at_us=context.now_us,
        reason=reason,
        decision=decision,
    )
    made = perform(context.store, context.overrides_path, act, context.store.live())
    context.extensions.notify(made, promotion.state, made.state)
    return made
