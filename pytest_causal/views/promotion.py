"""Promotions for people and for programs: in the status, at the end of a session, and when one is made or undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pytest_causal.model.promotion import Action, Lesson, Promotion, State
from pytest_causal.rules.guards import Refusal
from pytest_causal.store.promotion_rows import verdict_document
from pytest_causal.views.changes import change_steps, change_words, step_words
from pytest_causal.views.escape import terminal
from pytest_causal.views.lesson_list import gate_words
from pytest_causal.views.promotion_words import (
    STATE_MARKS,
    STATE_WORDS,
    missing_words,
    promotion_words,
    refusal_words,
    trial_words,
    tried_document,
    watch_words,
)
from pytest_causal.views.summary import Line
from pytest_causal.views.times import utc_stamp
from pytest_causal.views.words import plural

SCHEMA = "causal.promotion/1"
_NEWS = (
    State.REVERTED,
    State.PROVISIONAL,
    State.VALIDATED,
    State.HELD,
    State.LOCKED,
    State.ELIGIBLE,
    State.REJECTED,
)
"""States that a session's end tells of when a promotion came into them, the most urgent first."""


class Evaluated(Protocol):
    """What stood in the way when a rule was evaluated; ``Evaluation`` of ``actions/evaluate.py``."""

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What the guards refuse."""

    @property
    def vetoes(self) -> tuple[str, ...]:
        """What plugins object to."""


class Reviewed(Protocol):
    """What a review did with one promotion; ``Reviewed`` of ``actions/review.py``."""

    @property
    def promotion(self) -> Promotion:
        """The promotion as it is now."""

    @property
    def state_before(self) -> State | None:
        """Where it was; ``None`` for a new one."""

    @property
    def evaluation(self) -> Evaluated | None:
        """How its rule was evaluated, if it was."""

    @property
    def problem(self) -> str:
        """Why the review was stopped, if it was."""


class StandingView(NamedTuple):
    """The standing policy and its promotions. ``frozen_words`` is what the kill switch says of itself.

    ``drift`` says how the override file and the audit disagree, if they do.
    """

    profile: str
    fingerprint: str
    revision: int
    promotions: Sequence[Promotion]
    secrets: frozenset[str]
    frozen_by: str = ""
    frozen_words: str = ""
    drift: str = ""


class ActView(NamedTuple):
    """A change that is made or taken back, or would be. ``promotion`` is as it is then, ``change`` what is set.

    ``decision`` is everything that it was decided from, as the audit keeps it. ``revision`` is that of the override
    file ``written_to``, 0 where nothing was done.
    """

    location: str
    generated_us: int
    action: Action
    promotion: Promotion
    steps: Sequence[Mapping[str, Any]]
    written_to: str
    reason: str = ""
    is_dry_run: bool = False
    revision: int = 0
    decision: Mapping[str, Any] | None = None
    guards: Sequence[Mapping[str, Any]] = ()
    lessons: tuple[Lesson, ...] = ()


def promotion_lines(
    reviewed: Sequence[Reviewed], limit: int | None, width: int, secrets: frozenset[str] = frozenset()
) -> list[Line]:
    """Return what the end of a session tells of promotions: news first, a line each and one more for a long why.

    With ``limit`` ``None`` what open ones still lack is told as well; else the news of at most ``limit`` promotions.
    """
    news = sorted((each for each in reviewed if _is_news(each)), key=_urgency)
    shown = news if limit is None else news[:limit]
    lines = [line for each in shown for line in _news_lines(each, width, secrets)]
    if hidden := len(news) - len(shown):
        lines.append(Line(text=f"... and {plural(hidden, 'more promotion')} (causal status shows all)"))
    if limit is None:
        lines += [
            Line(text=_open_words(each.promotion, width), marks=("dim",))
            for each in reviewed
            if each not in news and each.promotion.state.is_open
        ]
    return lines


def standing_lines(view: StandingView) -> list[Line]:
    """Return what stops everything, the changes that stand, and those on their way with what they lack."""
    lines = []
    if view.frozen_by:
        words = f" ({terminal(view.frozen_words)})" if view.frozen_words else ""
        lines.append(Line(text=f"frozen by {terminal(view.frozen_by)}{words}", marks=("yellow", "bold")))
    if view.drift:
        words = f"{terminal(view.drift)}: nothing acts until causal reconcile has settled it"
        lines.append(Line(text=words, marks=("red", "bold")))
    unended = [each for each in view.promotions if not each.state.is_final]
    for each in sorted(unended, key=lambda each: (not each.state.is_live, each.id)):
        lines.append(Line(text=promotion_words(each, view.secrets), marks=STATE_MARKS.get(each.state, ())))
        if lacking := _lacking(each):
            lines.append(Line(text=f"     {lacking}", marks=("dim",)))
        if each.trial is not None and not each.state.is_live:
            lines.append(Line(text=f"     {trial_words(each.trial)}", marks=("dim",)))
    return lines


def policy_document(view: StandingView) -> dict[str, Any]:
    """Return the standing policy for JSON: which it is, and what keeps it from being changed."""
    return {
        "profile": view.profile or None,
        "fingerprint": view.fingerprint,
        "revision": view.revision,
        "frozen_by": view.frozen_by or None,
        "drift": view.drift or None,
    }


def promotion_row(promotion: Promotion, secrets: frozenset[str]) -> dict[str, Any]:
    """Return a promotion for JSON: what it changes, where it stands, and what the evidence said when last judged."""
    verdict = promotion.verdict
    document = verdict_document(verdict) if verdict else None
    return {
        "id": promotion.label if promotion.id else None,
        "name": promotion.name,
        "state": promotion.state.value,
        "mode": promotion.mode.value,
        "change": change_steps(promotion.change, secrets),
        "evidence": {
            "basis": promotion.basis.value,
            "is_assumed": verdict.is_assumed if verdict else False,
            "scenarios": document["scenarios"] if document else [],
        },
        "verdict": document["verdict"] if document else None,
        "reasons": document["reasons"] if document else [],
        "created_at": utc_stamp(promotion.created_us),
        "changed_at": utc_stamp(promotion.changed_us),
        "watched": promotion.watched,
        "watch_sessions": promotion.watch_sessions,
        "triggers": [trigger._asdict() for trigger in promotion.triggers],
        "note": promotion.note or None,
        "trial": tried_document(promotion.trial),
    }


def plan_lines(view: ActView, secrets: frozenset[str]) -> list[Line]:
    """Return what is going to be done: each value, where it is written, and what happens afterwards."""
    promotion = view.promotion
    change = promotion.change.inverse() if view.action is Action.REVERT else promotion.change
    label = promotion.label if promotion.id else ""
    named = " ".join(word for word in (view.action.value, label, terminal(promotion.name)) if word)
    lines = [Line(text=named, marks=("bold",))]
    lines += [Line(text=f"  {step_words(step, secrets)}") for step in change.steps]
    lines.append(Line(text=f"  written to {terminal(view.written_to)}"))
    if view.action is not Action.REVERT:
        lines.append(Line(text=f"  {watch_words(promotion)}"))
    lines += [Line(text=f"  teaches: {gate_words(lesson)}") for lesson in view.lessons]
    return lines


def done_line(view: ActView) -> Line:
    """Return what was done."""
    if view.is_dry_run:
        return Line(text="nothing was changed (--dry-run)")
    words = STATE_WORDS[view.promotion.state]
    return Line(text=f"{view.promotion.label} is {words}: revision {view.revision}", marks=("green",))


def act_document(view: ActView, secrets: frozenset[str]) -> dict[str, Any]:
    """Return an act, or what it would be, as one JSON object: ``causal.promotion/1``."""
    return {
        "schema": SCHEMA,
        "store": view.location,
        "generated_at": utc_stamp(view.generated_us),
        "action": view.action.value,
        "is_done": view.revision > 0,
        "is_dry_run": view.is_dry_run,
        "promotion": promotion_row(view.promotion, secrets),
        "change": list(view.steps),
        "written_to": view.written_to,
        "revision": view.revision or None,
        "reason": view.reason or None,
        "guards": list(view.guards),
        "decision": dict(view.decision) if view.decision is not None else None,
        "lessons": [lesson.regression for lesson in view.lessons],
    }


def _is_news(each: Reviewed) -> bool:
    return bool(each.problem) or (
        each.state_before is not each.promotion.state and each.promotion.state in _NEWS
    )


def _urgency(each: Reviewed) -> tuple[bool, int]:
    state = each.promotion.state
    return not each.problem, _NEWS.index(state) if state in _NEWS else len(_NEWS)


def _news_lines(each: Reviewed, width: int, secrets: frozenset[str]) -> list[Line]:
    promotion = each.promotion
    if each.problem:
        text = f"{_named(promotion)} stopped: {terminal(each.problem)}"
        return [Line(text=_cut(text, width), marks=("yellow",))]
    change, *why = _why(each, secrets)
    head = f"{_named(promotion)} {STATE_WORDS[promotion.state]}: {change}"
    texts = ["; ".join([head, *why])]
    if why and len(texts[0]) > width:
        texts = [head, "     " + "; ".join(why)]
    return [Line(text=_cut(text, width), marks=STATE_MARKS.get(promotion.state, ())) for text in texts]


def _why(each: Reviewed, secrets: frozenset[str]) -> Iterator[str]:
    """Yield what a person wants to know of a promotion that has moved."""
    promotion = each.promotion
    change = promotion.change
    yield change_words(change.inverse() if promotion.state is State.REVERTED else change, secrets)
    if promotion.state is State.REVERTED and promotion.note:
        yield terminal(promotion.note)
    if each.evaluation is not None and promotion.state.is_open:
        yield from (refusal_words(refusal) for refusal in each.evaluation.refusals)
        yield from (terminal(veto) for veto in each.evaluation.vetoes)


def _open_words(promotion: Promotion, width: int) -> str:
    lacking = _lacking(promotion)
    return _cut(
        f"{_named(promotion)} {STATE_WORDS[promotion.state]}" + (f": {lacking}" if lacking else ""), width
    )


def _lacking(promotion: Promotion) -> str:
    """Return what a promotion on its way still lacks."""
    if not promotion.state.is_live and promotion.verdict is not None:
        return missing_words(promotion.verdict) or terminal(promotion.note)
    return ""


def _named(promotion: Promotion) -> str:
    return f"{promotion.label} {terminal(promotion.name)}"


def _cut(text: str, width: int) -> str:
    return terminal(text, max(40, width))
