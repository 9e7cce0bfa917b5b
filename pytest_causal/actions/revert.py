"""Revert: take one change back, that one alone, and learn from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pytest_causal.actions.act import Act, holding_live, perform
from pytest_causal.actions.context import Context
from pytest_causal.actions.gating import gating_scenarios
from pytest_causal.errors import CausalError, ExitCode, MissingInputError
from pytest_causal.model.audit import Live
from pytest_causal.model.change import Step
from pytest_causal.model.promotion import Action, Event, Lesson, Promotion, State
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.standing import standing_policy
from pytest_causal.rules.guards import Guard
from pytest_causal.rules.lifecycle import next_state
from pytest_causal.store.interface import HistoryStore

TAG = "learned_constraint"
"""The tag of scenarios that were learned."""


class RefusedError(CausalError):
    """It is not done, and nothing was changed."""

    exit_code = ExitCode.FAIL


class FrozenError(CausalError):
    """The kill switch is on."""

    exit_code = ExitCode.LOCKED


def find_promotion(store: HistoryStore, label: str) -> Promotion:
    """Return a promotion by its number (``P-7`` or ``7``); an empty label is the newest change that stands.

    Raises MissingInputError.
    """
    promotions = store.promotions()
    if not label:
        standing = [each for each in promotions if each.state.is_live]
        if not standing:
            raise MissingInputError("no change of the policy stands", "see causal audit")
        return max(standing, key=lambda each: (each.changed_us, each.id))
    number = label.upper().removeprefix("P-")
    for each in promotions:
        if number == str(each.id):
            return each
    raise MissingInputError(f"there is no promotion {label!r}", "list them with causal status")


def revert(
    context: Context,
    promotion: Promotion,
    *,
    reason: str,
    decision: dict[str, Any] | None = None,
    failing: Sequence[str] = (),
    teaches: bool = True,
) -> Promotion:
    """Take a change back, and return the promotion, reverted.

    Only its own paths are set, to the values that stood there before. ``failing`` are the scenarios that a lesson is
    to be learned from; without any, all that vouched for it. Raises :class:`RefusedError` where it does not stand, or
    another has changed one of its values since, :class:`FrozenError`, DriftError, ConflictError and StoreError; and
    TargetError where it was done, and a custom target could not be told.
    """
    _check_state(context, promotion)
    with holding_live(context.store, context.overrides_path, context.now_us) as live:
        leaves = leaves_without(context, promotion, live)
    after = promotion._replace(state=State.REVERTED, changed_us=context.now_us, note=reason)
    act = Act(
        action=Action.REVERT,
        promotion=after,
        state_before=promotion.state,
        actor=context.actor,
        at_us=context.now_us,
        reason=reason,
        leaves=leaves,
        decision=decision,
        lessons=lessons_of(context, promotion, reason, failing) if teaches else (),
    )
    made = perform(context.store, context.overrides_path, act, live)
    context.extensions.notify(made, promotion.state, made.state)
    context.extensions.revert(promotion.change.inverse(), made)
    return made


def check_revert(context: Context, promotion: Promotion) -> None:
    """Raise what :func:`revert` would raise of a promotion, and change nothing."""
    _check_state(context, promotion)
    leaves_without(context, promotion, context.store.live())


def _check_state(context: Context, promotion: Promotion) -> None:
    if next_state(promotion.state, Event.REVERT) is None:
        state = "on trial" if promotion.state is State.TRIAL else promotion.state
        raise RefusedError(f"{promotion.label} is {state}", "only a change that stands can be taken back")
    check_not_frozen(context)


def check_not_frozen(context: Context) -> None:
    """Raise :class:`FrozenError` where the kill switch is on."""
    if context.frozen_by:
        raise FrozenError(
            f"frozen by {context.frozen_by} ({Guard.KILL_SWITCH})", "lift it with causal freeze --lift"
        )


def leaves_without(context: Context, promotion: Promotion, live: Live) -> dict[str, Any]:
    """Return the override layer without a change. Raises :class:`RefusedError` where one of its values is another's."""
    owners = {
        each.label for each in context.store.promotions() if each.state.is_live and each.id != promotion.id
    }
    for step in promotion.change.steps:
        if step.path not in live.leaves or canonical(live.leaves[step.path]) != canonical(step.after):
            by = live.entries[step.path][0] if step.path in live.entries else "nobody"
            named = by.removeprefix("promotion ")
            remedy = f"revert {named} first" if named in owners else "see causal audit"
            raise RefusedError(
                f"{step.path} is no longer what {promotion.label} set (now set by {by})", remedy
            )
    policy = standing_policy(context.settings, with_overrides=False)
    below = policy.flat
    leaves = dict(live.leaves)
    for step in promotion.change.steps:
        bound = policy.bounds.get(step.path)
        if bound is not None and not bound.holds(step.before):
            raise RefusedError(
                f"{step.path} would go back to {step.before}, which is out of bounds now ({bound})",
                f"see {bound.place}",
            )
        if step.path in below and canonical(below[step.path]) == canonical(step.before):
            del leaves[step.path]
        else:
            leaves[step.path] = step.before
    return leaves


def lessons_of(
    context: Context, promotion: Promotion, reason: str, failing: Sequence[str]
) -> tuple[Lesson, ...]:
    """Return what is to be learned, a lesson for each scenario and step; known ones are brought up to date."""
    names = list(failing) or [each.name for each in gating_scenarios(context.store, promotion.scenarios)]
    known = {lesson.signature: lesson for lesson in context.store.lessons()}
    order = max((each.order or 0 for each in context.store.sessions(limit=50)), default=0)
    lessons = []
    for name in dict.fromkeys(names):
        for step in promotion.change.steps:
            made = _lesson(name, step, promotion, reason, context.now_us)._replace(after_order=order)
            lessons.append(_again(known[made.signature], made) if made.signature in known else made)
    return tuple(lessons)


def _lesson(scenario: str, step: Step, promotion: Promotion, reason: str, now_us: int) -> Lesson:
    direction = {True: "up", False: "down", None: canonical(step.after)}[step.is_upward]
    signature = hashlib.sha256("\n".join((scenario, step.path, direction)).encode()).hexdigest()
    return Lesson(
        id=0,
        scenario=scenario,
        path=step.path,
        before=step.before,
        after=step.after,
        reason=reason,
        promotion=promotion.id,
        signature=signature,
        created_us=now_us,
    )


def _again(known: Lesson, made: Lesson) -> Lesson:
    """Return a lesson that was taught once more: the value that fails first is the one to remember."""
    nearest = known
    if Step(known.path, known.before, known.after).is_upward is not None and not known.retired_us:
        is_nearer = made.after < known.after if made.after > made.before else made.after > known.after
        nearest = made if is_nearer else known
    return made._replace(
        id=known.id,
        before=nearest.before,
        after=nearest.after,
        created_us=known.created_us,
        times=known.times + 1,
        criteria=known.criteria,
        retired_us=0,
    )
