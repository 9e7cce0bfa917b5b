"""What ``causal decide`` shows: each rule, what speaks for its change, what is missing, and what stands in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_causal.model.change import Change
from pytest_causal.model.evidence import Verdict
from pytest_causal.model.promotion import CandidateVerdict, Mode, Promotion, PromotionRule, State
from pytest_causal.rules.candidacy import CandidateCase
from pytest_causal.rules.guards import Guard, Refusal
from pytest_causal.views.changes import change_steps, step_words
from pytest_causal.views.escape import terminal
from pytest_causal.views.promotion_words import (
    STATE_WORDS,
    promotion_words,
    reads_words,
    refusal_words,
    scenario_words,
    trial_words,
    tried_document,
    unmatched_words,
)
from pytest_causal.views.summary import VERDICT_MARKS, Line
from pytest_causal.views.times import stamp_or_none, utc_stamp
from pytest_causal.views.words import VERDICT_WORDS

SCHEMA = "causal.decision/1"
IN_FORCE = "in_force"
"""What stands in place of a state where a rule's values are in force."""


class Judged(NamedTuple):
    """A rule's change, judged.

    ``promotion`` is as it would be stored; ``case`` and ``record`` are what it was decided from, the latter as the
    audit keeps it.
    """

    change: Change
    promotion: Promotion
    case: CandidateCase
    record: Mapping[str, Any]
    refusals: tuple[Refusal, ...]
    vetoes: tuple[str, ...]

    @property
    def verdict(self) -> CandidateVerdict:
        """What the evidence says."""
        if self.promotion.verdict is None:
            raise ValueError(f"{self.promotion.name} was not judged")
        return self.promotion.verdict

    @property
    def is_stopped(self) -> bool:
        """Whether a safety stop that a person must lift is in the way: the kill switch, or a lesson."""
        return any(each.guard in (Guard.KILL_SWITCH, Guard.LOCKOUT) for each in self.refusals)


class RuleView(NamedTuple):
    """A rule today. ``judged`` is ``None`` where its values are in force; ``standing`` is what made them so."""

    rule: PromotionRule
    judged: Judged | None
    standing: Promotion | None = None


class DecisionView(NamedTuple):
    """All that ``causal decide`` shows. ``drift`` says what the override file and the audit disagree about."""

    location: str
    generated_us: int
    rules: Sequence[RuleView]
    secrets: frozenset[str]
    frozen_by: str = ""
    drift: str = ""


def decision_lines(view: DecisionView) -> list[Line]:
    """Return the rules with what is known of each."""
    lines = [Line(text=text, marks=("red", "bold")) for text in _stops(view)]
    for place, each in enumerate(view.rules):
        lines += [Line(text="")] if place or lines else []
        lines += rule_lines(each, view.secrets)
    return lines


def rule_lines(view: RuleView, secrets: frozenset[str]) -> list[Line]:
    """Return one rule: its verdict and its change, then what each scenario says, then what stands in the way."""
    rule = view.rule
    if view.judged is None:
        words = promotion_words(view.standing, secrets) if view.standing else "its values are in force"
        return [Line(text=f"{terminal(rule.name)}: in force", marks=("green",)), Line(text=f"  {words}")]
    judged = view.judged
    verdict = judged.verdict
    head = f"{terminal(rule.name)}: {VERDICT_WORDS[verdict.verdict]}"
    if judged.promotion.state in (State.HELD, State.LOCKED):
        head += f", {STATE_WORDS[judged.promotion.state]}"
    lines = [Line(text=head, marks=VERDICT_MARKS[verdict.verdict])]
    lines += [Line(text=f"  {step_words(step, secrets)}") for step in judged.change.steps]
    if verdict.is_assumed:
        words = 'assumed (evidence = "control"): runs under today\'s values stand for runs under the new ones'
        lines.append(Line(text=f"  {words}", marks=("yellow",)))
    if judged.promotion.trial is not None:
        marks = ("yellow",) if judged.promotion.trial.is_failed else ()
        lines.append(Line(text=f"  {trial_words(judged.promotion.trial)}", marks=marks))
    lines += _scenario_lines(judged)
    lines += [Line(text=f"  {words}", marks=("yellow",)) for words in unmatched_words(judged.case)]
    lines += [
        Line(text=f"  in the way: {refusal_words(refusal)}", marks=("yellow",)) for refusal in judged.refusals
    ]
    lines += [Line(text=f"  vetoed: {terminal(veto)}", marks=("yellow",)) for veto in judged.vetoes]
    return [*lines, *(Line(text=f"  {words}", marks=("dim",)) for words in _next(rule, judged))]


def decision_document(view: DecisionView) -> dict[str, Any]:
    """Return the decisions as one JSON object, ``causal.decision/1``."""
    return {
        "schema": SCHEMA,
        "store": view.location,
        "generated_at": utc_stamp(view.generated_us),
        "frozen_by": view.frozen_by or None,
        "drift": view.drift or None,
        "rules": [rule_document(each, view.secrets) for each in view.rules],
    }


def rule_document(view: RuleView, secrets: frozenset[str]) -> dict[str, Any]:
    """Return one rule, with everything that its verdict was made from."""
    rule, judged = view.rule, view.judged
    promotion = judged.promotion if judged else view.standing
    return {
        "name": rule.name,
        "place": rule.place or None,
        "mode": rule.mode.value,
        "evidence": rule.basis.value,
        "state": judged.promotion.state.value if judged else IN_FORCE,
        "promotion": promotion.label if promotion and promotion.id else None,
        "change": change_steps(judged.change if judged else None, secrets),
        "trial": tried_document(promotion.trial if promotion else None),
        "guards": [guard_document(each) for each in judged.refusals] if judged else [],
        "decision": dict(judged.record) if judged else None,
    }


def guard_document(refusal: Refusal) -> dict[str, Any]:
    """Return one thing that stands in the way."""
    return {
        "guard": refusal.guard.value,
        "subject": refusal.subject,
        "could_pass_at": stamp_or_none(refusal.could_pass_us or 0),
        "explanation": refusal_words(refusal),
    }


def _stops(view: DecisionView) -> list[str]:
    stops = [f"frozen by {terminal(view.frozen_by)}: nothing is changed"] if view.frozen_by else []
    if view.drift:
        stops.append(f"{terminal(view.drift)}: nothing acts until causal reconcile has settled it")
    return stops


def _scenario_lines(judged: Judged) -> list[Line]:
    lines = []
    for said, case in zip(judged.verdict.scenarios, judged.case.scenarios, strict=True):
        of_lesson = f" (lesson L-{said.lesson})" if said.lesson else ""
        lines.append(
            Line(
                text=f"  {terminal(said.scenario)}{of_lesson}: {VERDICT_WORDS[said.verdict]}",
                marks=VERDICT_MARKS[said.verdict],
            )
        )
        lines.append(Line(text=f"    {scenario_words(said, case, judged.case.limits)}"))
        lines.append(Line(text=f"    {reads_words(said.reads)}"))
    return lines


def _next(rule: PromotionRule, judged: Judged) -> list[str]:
    """Return what a person may want to do."""
    if any(each.lesson and not each.runs for each in judged.verdict.scenarios):
        return ["what was learned runs from a file beside the tests: causal lessons --write FILE"]
    if judged.verdict.verdict is Verdict.INERT and not judged.verdict.is_assumed:
        return [f"runs that read the new values count: pytest -p causal {_how_to_run(rule, judged.change)}"]
    if judged.promotion.state is not State.ELIGIBLE or _is_by_hand(rule):
        return []
    first = "the next session makes the change; now: " if rule.mode is Mode.AUTO else "to make the change: "
    return [f"{first}causal promote {terminal(rule.name)}"]


def _how_to_run(rule: PromotionRule, change: Change) -> str:
    if not _is_by_hand(rule):
        return "--causal-shadow"
    return " ".join(f"--causal-set {terminal(path)}=..." for path in change.paths)


def _is_by_hand(rule: PromotionRule) -> bool:
    """Whether a person named the change on the command line; its place is then the option."""
    return rule.place.startswith("--")
