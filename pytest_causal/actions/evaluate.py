"""Evaluate a rule: what it would change, what the evidence says of that, and what stands in the way. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_causal.actions.case import gather_case, lessons_reached
from pytest_causal.actions.context import Context
from pytest_causal.actions.decision_record import decision_document
from pytest_causal.model.change import Change, Step
from pytest_causal.model.evidence import Verdict
from pytest_causal.model.promotion import Action, Lesson, Promotion, PromotionRule, State
from pytest_causal.policy.in_force import Policy
from pytest_causal.rules.candidacy import judge_candidate
from pytest_causal.rules.guards import Guard, PastAction, Refusal, Situation, refusals
from pytest_causal.rules.lifecycle import events_to, state_for
from pytest_causal.store.interface import HistoryStore

_CHANGING = frozenset({Action.PROMOTE.value, Action.CONSTRAIN.value, Action.REVERT.value})


class Evaluation(NamedTuple):
    """A rule, evaluated. ``promotion`` is as it should be stored; ``state_before`` is ``None`` for a new one."""

    rule: PromotionRule
    promotion: Promotion
    state_before: State | None
    refusals: tuple[Refusal, ...]
    vetoes: tuple[str, ...]
    decision: dict[str, Any]

    @property
    def is_eligible(self) -> bool:
        """Whether the change may be made now."""
        return self.promotion.state is State.ELIGIBLE

    @property
    def is_news(self) -> bool:
        """Whether the promotion comes into another state."""
        return self.state_before is not self.promotion.state


def evaluate(
    context: Context, rule: PromotionRule, change: Change, policy: Policy, stored: Promotion | None
) -> Evaluation:
    """Evaluate a rule's change of the standing policy.

    ``stored`` is the promotion that the change is on its way as, if there is one. Raises StoreError.
    """
    store = context.store
    case = gather_case(store, rule, change, policy, context.settings.criteria, context.now_us)
    verdict = judge_candidate(case)
    unsatisfied = _unsatisfied(store.lessons(), change, verdict.scenarios)
    blocked = refusals(change, situation(context, policy, unsatisfied))
    base = stored or new_promotion(context, rule, change)
    base = base._replace(mode=rule.mode, basis=rule.basis, scenarios=rule.scenarios, verdict=verdict)
    vetoes = _vetoes(context, base) if verdict.verdict is Verdict.ELIGIBLE else ()
    state = state_for(
        verdict.verdict,
        is_locked=any(each.guard is Guard.LOCKOUT for each in blocked),
        is_held=bool(blocked or vetoes),
        is_tried=base.state is State.TRIAL and base.trial is not None and not base.trial.is_failed,
    )
    before = stored.state if stored else None
    events = events_to(before or State.PROPOSED, state)
    changed_us = stored.changed_us if stored and state is before else context.now_us
    promotion = base._replace(state=state, changed_us=changed_us, note="; ".join(vetoes))
    decision = decision_document(case, verdict, blocked, vetoes)
    decision["events"] = [event.value for event in events]
    return Evaluation(rule, promotion, before, blocked, vetoes, decision)


def situation(context: Context, policy: Policy, unsatisfied: Sequence[Lesson]) -> Situation:
    """Return what the guards look at."""

    def is_within_bounds(step: Step) -> bool:
        bound = policy.bounds.get(step.path)
        return bound is None or bound.holds(step.after)

    settings = context.settings
    return Situation(
        now_us=context.now_us,
        frozen_by=context.frozen_by,
        is_within_bounds=is_within_bounds,
        locked_by=tuple(unsatisfied),
        past=past_actions(context.store),
        cooldown_hours=settings.cooldown_hours,
        max_actions=settings.max_actions,
    )


def past_actions(store: HistoryStore) -> tuple[PastAction, ...]:
    """Return every change that was made or taken back, from the audit, oldest first."""
    found = []
    for row in store.audit():
        data = json.loads(row.document)
        if data["action"] in _CHANGING:
            paths = tuple(step["path"] for step in data["change"])
            found.append(PastAction(data["at_us"], Action(data["action"]), paths))
    return tuple(found)


def _unsatisfied(lessons: Sequence[Lesson], change: Change, judged: Sequence[Any]) -> list[Lesson]:
    """Return the lessons that a change reaches and whose scenarios do not vouch for it."""
    met = {each.lesson for each in judged if each.lesson and each.verdict is Verdict.ELIGIBLE}
    return [lesson for lesson in lessons_reached(lessons, change) if lesson.id not in met]


def _vetoes(context: Context, promotion: Promotion) -> tuple[str, ...]:
    """Return what speaks against a change whose evidence is eligible: its newest trial, and what plugins say."""
    trial = promotion.trial
    failed = (f"its newest trial failed ({', '.join(trial.reasons)})",) if trial and trial.is_failed else ()
    return (*failed, *context.extensions.vetoes(promotion))


def new_promotion(context: Context, rule: PromotionRule, change: Change) -> Promotion:
    """Return a rule's change at the beginning of its way."""
    return Promotion(
        id=0,
        name=rule.name,
        state=State.PROPOSED,
        mode=rule.mode,
        basis=rule.basis,
        scenarios=rule.scenarios,
        change=change,
        created_us=context.now_us,
        changed_us=context.now_us,
    )
