"""The defects of systems that tried this loop before, put into ours one at a time: a test that is there catches each.

A mutant breaks one function in the way in which an earlier system was broken. The checks are tests of the suite,
called as they stand. ``docs/faults.md`` lists the defects, and those that cannot exist here.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from pytest_causal.actions import act, case, evaluate, revert
from pytest_causal.actions.evaluate import Evaluation
from pytest_causal.hooks import extensions
from pytest_causal.model.audit import Live
from pytest_causal.model.change import Change
from pytest_causal.model.evidence import Decision, Verdict
from pytest_causal.model.promotion import State, Trigger
from pytest_causal.model.run import Read, ReadHow
from pytest_causal.model.trial import Better, Finding
from pytest_causal.policy import promotion_rules
from pytest_causal.rules import candidacy, comparison, eligibility
from pytest_causal.rules import watch as watching
from pytest_causal.store import promotions
from pytest_causal.store.sqlite import SqliteStore
from tests.actions import (
    test_act,
    test_actions_audit,
    test_promotion_evidence,
    test_promotion_faults,
    test_review,
)
from tests.actions.loaded import Loaded
from tests.actions.world import World
from tests.hooks import test_extensions
from tests.rules import test_candidacy, test_comparison, test_watch

Patch = pytest.MonkeyPatch
CAUGHT = (AssertionError, pytest.fail.Exception)
"""What a test that fails raises. Anything else would say that a mutant crashes, not that it is caught."""


def replace(patch: Patch, module: ModuleType, name: str, made: Any) -> None:
    """Put a function in the place of one of ours, wherever it was imported."""
    ours = getattr(module, name)
    for each in list(sys.modules.values()):
        is_near = getattr(each, "__name__", "").startswith(("pytest_causal.", "tests."))
        if is_near and getattr(each, name, None) is ours:
            patch.setattr(each, name, made)


def eligibility_ignored(patch: Patch) -> None:
    """Promote whatever the decision says."""
    patch.setattr(Evaluation, "is_eligible", property(lambda self: True))


def zero_is_the_default(patch: Patch) -> None:
    """Read a limit of 0 as none (``limit or default``)."""
    absolute = watching._absolute

    def lenient(trigger: Trigger, value: float) -> list[watching.Fired]:
        return absolute(trigger._replace(max=trigger.max or None, min=trigger.min or None), value)

    patch.setattr(watching, "_absolute", lenient)


def revert_restores_all(patch: Patch) -> None:
    """Restore the whole policy as it was, and with it undo every other promotion."""
    patch.setattr(revert, "leaves_without", lambda context, promotion, live: {})


def revert_restores_nothing(patch: Patch) -> None:
    """Say that it was taken back, and leave the values."""
    patch.setattr(revert, "leaves_without", lambda context, promotion, live: dict(live.leaves))


def reverted_again(patch: Patch) -> None:
    """Take a change back as often as somebody asks."""
    patch.setattr(revert, "next_state", lambda state, event: State.REVERTED)


def lesson_not_stored(patch: Patch) -> None:
    """Store nothing of what was learned, and say so to nobody."""
    patch.setattr(promotions.SqlitePromotionLedger, "put_lesson", lambda self, lesson: lesson._replace(id=1))


def lesson_by_usual_criteria(patch: Patch) -> None:
    """Hold a learned scenario to the usual criteria, because its own stand where nobody reads them."""
    made = revert._lesson
    patch.setattr(revert, "_lesson", lambda *given: made(*given)._replace(criteria=()))


def lessons_confused(patch: Patch) -> None:
    """Recognise a failure by what unrelated failures have in common."""
    made = revert._lesson
    patch.setattr(revert, "_lesson", lambda *given: made(*given)._replace(signature="alike"))


def empty_is_a_pass(patch: Patch) -> None:
    """Judge no data as no failure."""
    judge = eligibility.decide_eligibility

    def lenient(evidence: Any, *others: Any) -> Decision:
        return judge(evidence, *others) if evidence.units else Decision(Verdict.ELIGIBLE, (), 1.0)

    replace(patch, eligibility, "decide_eligibility", lenient)


def unreported_metric_has_a_default(patch: Patch) -> None:
    """Give a metric that nobody reported a value that is good enough."""
    patch.setattr(candidacy, "_unreported", lambda case: False)


def effect_need_not_be_reached(patch: Patch) -> None:
    """Call a mean beyond its limit close enough."""
    patch.setattr(candidacy, "_is_within", lambda mean, limit: True)


def no_control_arm(patch: Patch) -> None:
    """Judge the candidate alone, whatever today's policy does on the same work."""
    patch.setattr(candidacy, "is_worse", lambda mine, control: False)


def baseline_of_zero(patch: Patch) -> None:
    """Take a mean before the change that nobody measured for one of nothing."""
    patch.setattr(watching, "_finite", lambda value: value if value is not None else 0.0)


def broken_check_is_a_pass(patch: Patch) -> None:
    """Take a check that raised for one that had nothing to say."""
    asked = extensions._asked

    def deaf(*given: Any, **arguments: Any) -> tuple[Any, str]:
        return asked(*given, **arguments)[0], ""

    patch.setattr(extensions, "_asked", deaf)


def state_not_compared(patch: Patch) -> None:
    """Act on a promotion that somebody else has moved on."""
    patch.setattr(act, "_check_state", lambda ledger, done: None)


def passes_without_a_read(patch: Patch) -> None:
    """Count every pass for every change, whether the run read a changed value or not."""

    def touches(self: Any, reads_id: int) -> tuple[Read, ...]:
        return tuple(Read(path, "", ReadHow.TRACKED) for path in self._change.paths)

    patch.setattr(case._Gathering, "_touches", touches)


def shadow_is_a_copy(patch: Patch) -> None:
    """Take runs under today's policy for runs under the candidate's: the two arms never differ."""
    replace(patch, case, "values_after", lambda change, policy: policy.read_values)


def unknown_value_skipped(patch: Patch) -> None:
    """Leave out a value that the policy does not know, and promote the rest."""
    made = promotion_rules.change_of

    def lenient(wanted: Mapping[str, Any], policy: Any, *others: Any) -> Change | None:
        known = {path: value for path, value in wanted.items() if path in policy.leaves}
        return made(known, policy, *others)

    replace(patch, promotion_rules, "change_of", lenient)


def skipped_check_is_a_pass(patch: Patch) -> None:
    """Leave out what could not be checked, and pass by the rest."""
    judge = candidacy.judge_candidate
    replace(patch, candidacy, "judge_candidate", lambda whole: judge(whole._replace(unmatched=())))


def lesson_not_enforced(patch: Patch) -> None:
    """Keep lessons, and look them up nowhere."""
    replace(patch, case, "lessons_reached", lambda lessons, change: [])


def one_round_is_enough(patch: Patch) -> None:
    """Compare one sample an arm."""
    patch.setattr(comparison, "fewest_pairs", lambda alpha: 1)
    patch.setattr(comparison, "_FEWEST_FOR_HALVES", 1)


def direction_ignored(patch: Patch) -> None:
    """Judge a metric without asking which way is better."""
    compare = comparison.compare_metric
    replace(
        patch,
        comparison,
        "compare_metric",
        lambda pairs, better, *others: compare(pairs, Better.LOWER, *others),
    )


def chain_without_the_row_before(patch: Patch) -> None:
    """Hash each row of the audit for itself, so that one that is forged fits among the others."""
    chained = promotions.chained
    replace(patch, promotions, "chained", lambda before, document: chained("", document))


def end_not_kept(patch: Patch) -> None:
    """Take the last row that is there for the last that was written."""
    live = SqliteStore.live

    def as_there(self: SqliteStore) -> Live:
        rows = list(self.audit())
        return live(self)._replace(audited=rows[-1].number, audit_hash=rows[-1].hash) if rows else live(self)

    patch.setattr(SqliteStore, "live", as_there)


def last_writer_wins(patch: Patch) -> None:
    """Act upon what was decided when other values were in force."""
    perform = act.perform
    replace(
        patch,
        act,
        "perform",
        lambda store, path, done, decided_on: perform(store, path, done, store.live()),
    )


def every_rival_begins(patch: Patch) -> None:
    """Let each process that sees an incident begin an answer of its own."""
    patch.setattr(act, "_check_alone", lambda ledger, new: None)


def live_before_tried(patch: Patch) -> None:
    """Put a change in force for everybody, and see then whether it holds."""
    replace(patch, evaluate, "state_for", lambda verdict, **flags: State.ELIGIBLE)


def fork_trusted(patch: Patch) -> None:
    """Count the runs of anybody."""
    begin = SqliteStore.begin_session
    patch.setattr(
        SqliteStore, "begin_session", lambda self, facts: begin(self, facts._replace(is_trusted=True))
    )


class Mutant(NamedTuple):
    """A defect, the test that catches it, and what that is given beside a world of its own."""

    breaks: Callable[[Patch], None]
    check: Callable[..., None]
    given: Mapping[str, Any] = {}


NO_EVIDENCE = test_promotion_evidence.test_m7_what_is_no_evidence_promotes_nothing_and_says_why
EVIDENCE, FAULTS, AUDIT, ACTS = test_promotion_evidence, test_promotion_faults, test_actions_audit, test_act
MUTANTS = (
    Mutant(passes_without_a_read, NO_EVIDENCE, {"history": EVIDENCE.nothing_read}),
    Mutant(shadow_is_a_copy, test_review.test_with_the_defaults_the_demonstration_says_what_is_still_missing),
    Mutant(eligibility_ignored, NO_EVIDENCE, {"history": EVIDENCE.too_few}),
    Mutant(unknown_value_skipped, FAULTS.test_a_value_that_the_policy_does_not_know_is_not_left_out),
    Mutant(zero_is_the_default, test_watch.test_a_limit_of_zero_is_a_limit),
    Mutant(
        revert_restores_all,
        FAULTS.test_m4_of_two_changes_the_older_one_is_taken_back_alone.hypothesis.inner_test,  # type: ignore[attr-defined]
        {"first": {"a": 2}, "second": {"d": 10}},
    ),
    Mutant(
        revert_restores_nothing,
        FAULTS.test_m11_a_change_that_failed_is_not_tried_again_on_the_evidence_it_had,
    ),
    Mutant(reverted_again, FAULTS.test_m5_what_was_taken_back_is_not_taken_back_from_its_successor),
    Mutant(lesson_not_stored, FAULTS.test_m11_a_change_that_failed_is_not_tried_again_on_the_evidence_it_had),
    Mutant(
        lesson_not_enforced, FAULTS.test_m11_a_change_that_failed_is_not_tried_again_on_the_evidence_it_had
    ),
    Mutant(
        lesson_by_usual_criteria,
        test_review.test_a_learned_scenario_gates_the_same_change_until_it_has_shown_more_than_the_rule_asks,
    ),
    Mutant(
        lessons_confused,
        FAULTS.test_m11_failures_that_are_alike_are_not_taken_for_one_another.hypothesis.inner_test,  # type: ignore[attr-defined]
        {"one": ("a", "x", 1, 2), "other": ("b", "x", 1, 2)},
    ),
    Mutant(empty_is_a_pass, NO_EVIDENCE, {"history": EVIDENCE.all_skipped}),
    Mutant(skipped_check_is_a_pass, test_candidacy.test_a_pattern_that_no_scenario_has_is_no_pass),
    Mutant(unreported_metric_has_a_default, test_candidacy.TestMetrics().test_nobody_reported_it),
    Mutant(effect_need_not_be_reached, test_candidacy.TestMetrics().test_beyond_it_is_not_yet),
    Mutant(no_control_arm, test_candidacy.TestWorseThanControl().test_it_is_not_yet),
    Mutant(
        baseline_of_zero,
        test_watch.test_m8_without_a_baseline_to_compare_with_no_relative_limit_fires,
        {"before": None},
    ),
    Mutant(broken_check_is_a_pass, test_extensions.test_every_objection_is_told_with_its_plugin),
    Mutant(one_round_is_enough, test_comparison.test_m10_too_few_rounds_are_inconclusive_however_bad),
    Mutant(
        direction_ignored,
        test_comparison.test_the_direction_decides_what_a_difference_is,
        {"factor": 1.5, "better": Better.HIGHER, "finding": Finding.BETTER},
    ),
    Mutant(chain_without_the_row_before, AUDIT.test_t4_one_row_that_is_forged_with_its_own_hash_is_noticed),
    Mutant(end_not_kept, AUDIT.test_t4_a_last_row_that_changed_no_value_is_missed),
    Mutant(last_writer_wins, ACTS.test_t4_what_was_decided_on_another_revision_is_not_done),
    Mutant(state_not_compared, ACTS.test_t4_what_was_decided_in_another_state_is_not_done),
    Mutant(every_rival_begins, ACTS.test_m13_a_second_promotion_of_one_rule_is_not_begun),
    Mutant(live_before_tried, NO_EVIDENCE, {"history": EVIDENCE.nothing_ran}),
    Mutant(fork_trusted, test_review.test_t5_runs_of_a_fork_never_count),
)


@contextmanager
def given_to(mutant: Mutant, root: Path) -> Iterator[dict[str, Any]]:
    """Give what a check asks for by the names of its fixtures, made in a directory of its own."""
    asked = inspect.signature(mutant.check).parameters
    given: dict[str, Any] = {"tmp_path": root, "stress": test_review.Stress()} | dict(mutant.given)
    made: list[Any] = []
    if "world" in asked or "taught_in" in asked:
        is_first = mutant.check.__module__ == test_review.__name__
        world = (
            World(root / "world", test_review.QUINTET % "")
            if is_first
            else Loaded(root / "world", {"more": {"a": 2}})
        )
        made.append(world)
        given |= {"world": world, "taught_in": world.context}
    if "desk" in asked:
        given["desk"] = ACTS.Desk(root)
        made.append(given["desk"])
    if "snapshots" in asked:
        given["snapshots"] = AUDIT.history(root)
    try:
        yield {name: given[name] for name in asked}
    finally:
        for each in made:
            each.store.close()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks.__name__)
def test_the_check_passes_as_we_are_and_fails_with_the_defect(
    mutant: Mutant, tmp_path: Path, monkeypatch: Patch
) -> None:
    with given_to(mutant, tmp_path / "sound") as given:
        mutant.check(**given)
    with monkeypatch.context() as patch:
        mutant.breaks(patch)
        with given_to(mutant, tmp_path / "broken") as given, pytest.raises(CAUGHT):
            mutant.check(**given)


@pytest.mark.needs_checkout
def test_the_document_names_each_mutant_with_the_test_that_catches_it() -> None:
    text = (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8")
    said = dict(re.findall(r"^\| `(\w+)` \|.*`(\w+)` \|$", text, flags=re.MULTILINE))
    assert said == {each.breaks.__name__: inspect.unwrap(each.check).__name__ for each in MUTANTS}
