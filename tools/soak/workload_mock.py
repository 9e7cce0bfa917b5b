"""The workload ``mock``: the market of :mod:`tools.soak.mock_market`, measured under the policy that it reads."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_causal.policy.mapping import PolicyMapping
from tools.soak.measurement import Measurement, samples_of
from tools.soak.mock_market import MockMarket
from tools.soak.workloads import Task

WINDOW_SECONDS = 300.0
"""How much of the market's time one iteration stands for, however fast it is computed."""


@dataclass(frozen=True, kw_only=True)
class MockWorkload:
    """A market maker that reads its parameters from the policy; what it reads is noted as it is read."""

    market: MockMarket

    def measure(self, task: Task) -> Measurement:
        """Return the KPIs of one window. Raises ConfigError where the policy lacks what the market reads."""
        policy = PolicyMapping.of(task.values, task.secrets)
        kpis = self.market.measure(policy, task.iteration)
        return Measurement(metrics=samples_of(kpis), reads=policy.reads(), covered_seconds=WINDOW_SECONDS)
