"""The status of a scenario: what its evidence comes to, under the policy and the criteria in force."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Decision, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStatus:
    """One scenario, judged.

    ``evidence`` is the union of its running states that are valid under the policy in force. States that are not
    hold ``runs_under_other_policies`` runs. ``flaky_since_commit`` is the commit of session ``evidence.flaky_since``,
    empty where there is none. ``is_recomputed`` says that no running state was kept under the criteria in force, and
    that it was computed from the runs.
    """

    name: str
    tags: tuple[str, ...]
    evidence: Evidence
    criteria: Criteria
    decision: Decision
    runs_under_other_policies: int = 0
    flaky_since_commit: str = ""
    is_recomputed: bool = False
