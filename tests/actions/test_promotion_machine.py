"""Promotions as a state machine, held against a model that knows nothing but dictionaries.

Any order of sessions, promotions, reverts, hand edits, interrupted writes and reconciliations must leave the live
values that the model says, an audit that verifies, and a file that holds what was audited, or a refusal to act.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_causal.actions import act as acts
from pytest_causal.actions.act import DriftError
from pytest_causal.actions.audit import verify_audit
from pytest_causal.actions.evaluate import evaluate
from pytest_causal.actions.promote import NotEligibleError, promote
from pytest_causal.actions.reconcile import Side, examine, reconcile
from pytest_causal.actions.revert import RefusedError, revert
from pytest_causal.actions.review import stored_for
from pytest_causal.model.promotion import State
from pytest_causal.policy.promotion_rules import find_rule, proposed_change
from tests.actions.world import World

CONFIG = """
[policy]
x = 1
y = 1

[guards]
cooldown_hours = 0
max_actions = 1000
"""
RULE = """
[[promotion]]
name = "{name}"
scenarios = ["s"]
changes = {{{change}}}
evidence = "control"
criteria = {{rule = "threshold", min_runs = 1, min_sessions = 1, max_age_days = 36500}}
"""
CHANGES: dict[str, dict[str, int]] = {
    "x2": {"x": 2},
    "x3": {"x": 3},
    "y2": {"y": 2},
    "both": {"x": 4, "y": 3},
}
BASE = {"x": 1, "y": 1}


class Promotions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        rules = "".join(
            RULE.format(name=name, change=", ".join(f"{path} = {value}" for path, value in change.items()))
            for name, change in CHANGES.items()
        )
        self.world = World(self.folder / "project", CONFIG + rules)
        self.world.tests["s"] = _reads_all
        self.values = dict(BASE)
        self.made: list[tuple[int, dict[str, int], dict[str, int]]] = []
        """(promotion, values before, values after) of the changes that stand, oldest first."""
        self.is_drifted = False

    def teardown(self) -> None:
        self.world.store.close()
        shutil.rmtree(self.folder)

    @initialize()
    def first_session(self) -> None:
        self.world.session(reviewed=False)

    @precondition(lambda self: not self.is_drifted)
    @rule(name=st.sampled_from(sorted(CHANGES)))
    def promote_it(self, name: str) -> None:
        self.world.session(reviewed=False, shadow=False)
        context, policy = self.world.context, self.world.policy
        ours = find_rule(context.settings, name)
        change = proposed_change(ours, context.settings, policy)
        wanted = CHANGES[name]
        if change is None:
            assert all(self.values[path] == value for path, value in wanted.items())
            return
        stored = stored_for(context, ours)
        evaluation = evaluate(
            context, ours, change, policy, None if stored and stored.state.is_live else stored
        )
        locked = any(
            lesson.retired_us == 0
            and step.path == lesson.path
            and (step.after >= lesson.after if lesson.after > lesson.before else step.after <= lesson.after)
            for lesson in context.store.lessons()
            for step in change.steps
        )
        if locked:
            with pytest.raises(NotEligibleError):
                promote(context, evaluation, policy)
            return
        made = promote(context, evaluation, policy)
        before = {path: self.values[path] for path in change.paths}
        self.values.update(wanted)
        self.made.append((made.id, before, {path: wanted[path] for path in change.paths}))

    @precondition(lambda self: self.made and not self.is_drifted)
    @rule(data=st.data(), teaches=st.booleans())
    def revert_it(self, data: st.DataObject, teaches: bool) -> None:
        number, before, after = data.draw(st.sampled_from(self.made))
        context = self.world.context
        (mine,) = (each for each in context.store.promotions() if each.id == number)
        if any(self.values[path] != value for path, value in after.items()):
            with pytest.raises(RefusedError, match="no longer what"):
                revert(context, mine, reason="tried", teaches=teaches)
            return
        done = revert(context, mine, reason="tried", teaches=teaches)
        assert done.state is State.REVERTED
        self.values.update(before)
        self.made = [each for each in self.made if each[0] != number]
        with pytest.raises(RefusedError, match="is reverted"):
            revert(context, done, reason="once more")

    @rule()
    def retire_lessons(self) -> None:
        with self.world.store.acting() as ledger:
            for lesson in ledger.lessons():
                ledger.put_lesson(lesson._replace(retired_us=1))

    @precondition(lambda self: self.world.context.overrides_path.exists() and not self.is_drifted)
    @rule(path=st.sampled_from(sorted(BASE)), value=st.integers(5, 9))
    def edit_by_hand(self, path: str, value: int) -> None:
        file = self.world.context.overrides_path
        data: dict[str, Any] = json.loads(file.read_text())
        self.is_drifted = data["values"].get(path) != value  # who writes what stands there changes nothing
        data["values"][path] = value
        file.write_text(json.dumps(data))

    @precondition(lambda self: self.made and self.is_drifted)
    @rule()
    def act_while_drifted(self) -> None:
        number, _, _ = self.made[-1]
        (mine,) = (each for each in self.world.store.promotions() if each.id == number)
        before = self.world.context.overrides_path.read_bytes()
        with pytest.raises(DriftError):
            revert(self.world.context, mine, reason="tried")
        assert self.world.context.overrides_path.read_bytes() == before

    @precondition(lambda self: self.is_drifted)
    @rule(side=st.sampled_from(Side))
    def settle(self, side: Side) -> None:
        in_file = json.loads(self.world.context.overrides_path.read_text())["values"]
        reconcile(self.world.context, side)
        if side is Side.FILE:
            self.values = {**BASE, **in_file}
            self.made = [
                each
                for each in self.made
                if all(in_file.get(path) == value for path, value in each[2].items())
            ]
        self.is_drifted = False

    @precondition(lambda self: self.made and not self.is_drifted)
    @rule()
    def revert_and_be_cut_short(self) -> None:
        number, before, after = self.made[-1]
        (mine,) = (each for each in self.world.store.promotions() if each.id == number)
        if any(self.values[path] != value for path, value in after.items()):
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(acts, "put_overrides", _cut_short)
            with pytest.raises(InterruptedError):
                revert(self.world.context, mine, reason="cut short", teaches=False)
        assert examine(self.world.context).is_unfinished
        reconcile(self.world.context, None)
        self.values.update(before)
        self.made.pop()

    @invariant()
    def values_are_those_of_the_model(self) -> None:
        if not self.is_drifted:
            assert dict(self.world.policy.flat) == self.values
            assert verify_audit(self.world.store, self.world.context.overrides_path).problems == ()
        standing = {each.id for each in self.world.store.promotions() if each.state.is_live}
        assert standing == {number for number, _, _ in self.made}


def _reads_all(policy: Any, metric: Any) -> None:
    policy.to_dict()


def _cut_short(*given: object) -> None:
    raise InterruptedError("killed before the file was written")


TestPromotions = pytest.mark.slow(Promotions.TestCase)
TestPromotions.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
