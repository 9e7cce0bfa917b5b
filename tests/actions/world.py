"""A small world to act in: a project with a policy, a store, and a system whose outcomes depend on the policy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_causal.actions.conclude import conclude_session
from pytest_causal.actions.context import Context, Extensions, NoExtensions
from pytest_causal.actions.review import Reviewed, review
from pytest_causal.actions.validity import validity
from pytest_causal.model.change import CONTROL, matches
from pytest_causal.model.promotion import Promotion
from pytest_causal.model.run import Cause, Metric, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.mapping import PolicyMapping
from pytest_causal.policy.promotion_rules import proposed_change, read_rules, usable_rules
from pytest_causal.policy.secrets import read_value
from pytest_causal.policy.standing import standing_policy
from pytest_causal.settings.sources import Settings, resolve_settings
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store

START_US = 1_763_700_000_000_000
DAY_US = 86_400_000_000

System = Callable[[PolicyMapping, Callable[[str, float], None]], None]
"""A test: takes the policy and a function that records a metric; raises to fail."""

OPEN: list[HistoryStore] = []
"""The stores of all worlds of one test, to be closed after it: a test that fails on purpose leaves its own open."""


class World:
    """A project under ``root`` and its history; every session is a day after the one before."""

    def __init__(self, root: Path, config: str, extensions: Extensions | None = None) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        (root / "causal.toml").write_text(config)
        self.store = open_store(str(root / ".causal" / "history.db"))
        OPEN.append(self.store)
        self.extensions = extensions or NoExtensions()
        self.tests: dict[str, System] = {}
        self.days = itertools.count(1)
        self.now_us = START_US

    @property
    def settings(self) -> Settings:
        return resolve_settings(flags={}, env={}, root=self.root)

    @property
    def policy(self) -> Policy:
        return standing_policy(self.settings)

    @property
    def context(self) -> Context:
        return Context(self.store, self.settings, "session 0", self.now_us, self.extensions)

    def value(self, path: str) -> Any:
        return self.policy.flat[path]

    def promotion(self, name: str) -> Promotion:
        return max((each for each in self.store.promotions() if each.name == name), key=lambda each: each.id)

    def session(
        self,
        *,
        shadow: bool = True,
        only: Iterable[str] | None = None,
        reviewed: bool = True,
        repeats: int = 1,
        state: SessionState = SessionState.FINISHED,
        **facts: Any,
    ) -> list[Reviewed]:
        """Run every test under today's policy and, as a shadow, under each candidate; conclude and review."""
        self.now_us = START_US + next(self.days) * DAY_US // 24 * 8
        policy = self.policy
        arms: dict[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {CONTROL: ({}, ("*",))}
        if shadow:
            for rule in read_rules(self.settings):
                change = proposed_change(rule, self.settings, policy)
                if change is not None:
                    arms[rule.candidate(change).arm] = (change.after, rule.scenarios)
        runs = []
        for arm, (after, patterns) in arms.items():
            for name, system in self.tests.items():
                is_gating = any(matches(name, pattern) for pattern in patterns)
                if not is_gating or (only is not None and name not in only):
                    continue
                runs += [
                    self._run(name, system, arm, policy, after)._replace(occurrence=number)
                    for number in range(1, repeats + 1)
                ]
        uid = f"uid-{self.now_us}-{len(self.store.sessions())}"
        number = self.store.begin_session(
            SessionFacts(**{"uid": uid, "key": uid, "started_us": self.now_us, **facts})
        )
        self.store.add_runs(number, runs)
        ending = SessionEnding(state=state, finished_us=self.now_us)
        conclude_session(
            self.store,
            number,
            ending,
            self.settings.criteria,
            is_valid=validity(self.store, lambda: policy.read_values),
            rules=usable_rules(self.settings),
        )
        return review(self.context) if reviewed else []

    def _run(self, name: str, system: System, arm: str, policy: Policy, after: Mapping[str, Any]) -> Run:
        mapping = PolicyMapping.of({**policy.flat, **after}, policy.secrets)
        metrics: list[Metric] = []
        cause = None
        try:
            system(mapping, lambda metric, value: metrics.append(Metric(metric, value)))
        except Exception as error:
            cause = Cause(Phase.CALL, type(error).__name__, str(error))
        reads = mapping.reads()
        if cause is not None and after and not any(read.path in after for read in reads):
            assigned = tuple(
                Read(path, read_value(path, value, policy.secrets), ReadHow.ASSIGNED)
                for path, value in after.items()
            )
            reads = tuple(sorted((*reads, *assigned)))
        return Run(
            scenario=name,
            nodeid=name,
            outcome=Outcome.FAILED if cause else Outcome.PASSED,
            started_us=self.now_us,
            call_seconds=0.01,
            arm=arm,
            cause=cause,
            metrics=tuple(metrics),
            reads=reads,
        )
