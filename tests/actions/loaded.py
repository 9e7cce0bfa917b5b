"""A world under load: a scenario for each value of its policy, which fails where that is more than it bears."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_causal.actions.audit import verify_audit
from pytest_causal.actions.context import Extensions
from pytest_causal.actions.evaluate import evaluate
from pytest_causal.actions.promote import promote
from pytest_causal.model.promotion import Promotion
from pytest_causal.policy.promotion_rules import find_rule, proposed_change
from tests.actions.world import System, World

CONFIG = """
[policy]
a = 1
b = 1
c = 1
d = 1

[guards]
cooldown_hours = 0
max_actions = {most}
"""
RULE = """
[[promotion]]
name = "{name}"
scenarios = {scenarios}
changes = {{{change}}}
mode = "auto"
revert_when = {{failure_rate = {{max = 0.2}}}}
{criteria}
"""
CRITERIA = 'criteria = {unit = "run", min_runs = 25}'
ASSUMED = 'evidence = "control"\ncriteria = {rule = "threshold", min_runs = 1, min_sessions = 1}'
PATHS = ("a", "b", "c", "d")


class Load:
    """A system with a scenario for each value, named as the value, which fails where that is more than it bears."""

    def __init__(self) -> None:
        self.bears = 10**9
        self.score = 1.0

    def scenario(self, path: str) -> System:
        def run(policy: Any, metric: Any) -> None:
            metric("score", self.score)
            if policy[path] > self.bears:
                raise ValueError("too much")

        return run


class Loaded(World):
    """A world with this system, and rules given as name -> path -> value."""

    def __init__(
        self,
        root: Path,
        rules: Mapping[str, Mapping[str, int]],
        extensions: Extensions | None = None,
        most: int = 1000,
        criteria: str = CRITERIA,
    ) -> None:
        texts = [CONFIG.format(most=most)]
        for name, change in rules.items():
            setting = ", ".join(f"{path} = {value}" for path, value in change.items())
            texts.append(
                RULE.format(name=name, scenarios=json.dumps([*change]), change=setting, criteria=criteria)
            )
        super().__init__(root, "".join(texts), extensions)
        self.load = Load()
        self.tests |= {path: self.load.scenario(path) for path in PATHS}

    def make(self, name: str) -> Promotion:
        """Promote a rule that has earned it."""
        context, policy = self.context, self.policy
        rule = find_rule(context.settings, name)
        change = proposed_change(rule, context.settings, policy)
        assert change is not None
        return promote(context, evaluate(context, rule, change, policy, None), policy)

    def acted(self) -> list[str]:
        """The acts that changed the policy, in order."""
        actions = [json.loads(row.document)["action"] for row in self.store.audit()]
        return [action for action in actions if action in ("promote", "constrain", "revert")]

    def check_whole(self) -> None:
        assert verify_audit(self.store, self.context.overrides_path).problems == ()
