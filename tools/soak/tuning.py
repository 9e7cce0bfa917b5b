"""Live tuning: what the rules propose after an iteration, and what the guards let through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import MissingInputError
from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.json_document import parse_json
from pytest_causal.settings.text_file import read_text
from tools.soak.guard_limits import GuardLimits, guard_limits
from tools.soak.guards import Check, Situation, decide
from tools.soak.kpi import Verdict
from tools.soak.progress import Progress
from tools.soak.tuner import RULES_FILE, TuningRules, propose, read_rules

_SECOND_US = 1_000_000
APPLIED_ROW = ("path", "before", "after")
PROPOSED_ROW = ("path", "delta", "rule", "rationale")
SET_ASIDE_ROW = ("path", "rule", "reason")
REFUSED_ROW = ("path", "guard", "reason", "could_pass_after_seconds")
"""What the journal's rows of a decision hold; it names them once, here, and not in each line."""


class Moment(NamedTuple):
    """What a decision depends on beside what was measured."""

    verdict: Verdict
    is_last: bool
    is_frozen: bool


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The rules, and the limits of the guards."""

    rules: TuningRules
    limits: GuardLimits

    @classmethod
    def from_file(cls, path: Path = RULES_FILE) -> Tuning:
        """Return the tuning of a rules' file. Raises ConfigError, MissingInputError."""
        try:
            text = read_text(path)
        except FileNotFoundError:
            raise MissingInputError(
                f"there are no tuning rules {path}", "give the path of a JSON file"
            ) from None
        rules = read_rules(parse_json(text, str(path)))
        return cls(rules=rules, limits=guard_limits(rules.guards))

    @property
    def paths(self) -> frozenset[str]:
        """The paths that the rules can move."""
        return frozenset(effect.path for rule in self.rules.rules for effect in rule.then)

    def decide(
        self,
        progress: Progress,
        values: Mapping[str, Any],
        bounds: Mapping[str, Bound],
        moment: Moment,
    ) -> dict[str, Any]:
        """Return the decision on the iteration that was just measured, as the journal keeps it.

        It depends on nothing else, so that it can be made again from the journal and must come out the same.
        The guards go by the time that was observed, not by the clock on the wall: a run that was down for a night has
        not earned a night's worth of change.
        """
        metrics = {name: sample.value for name, sample in progress.measurement.metrics.items()}
        proposals = propose(self.rules, metrics, values)
        now_us, state = progress.soak_us, progress.guards
        situation = Situation(
            iteration=progress.iteration,
            is_last=moment.is_last,
            now_us=now_us,
            since_last_us=None if state.now_us is None else now_us - state.now_us,
            period_us=progress.measured["observed_us"],
            verdict=moment.verdict,
            metrics=metrics,
            is_killed=moment.is_frozen,
        )
        decision = decide(proposals.made, values, bounds, self.limits, state, situation)
        return {
            "proposed": [list(each[: len(PROPOSED_ROW)]) for each in proposals.made],
            "set_aside": [list(each) for each in proposals.set_aside],
            "applied": [list(step) for step in decision.applied],
            "checks": len(decision.checks),
            "refused": [_refusal(check, now_us) for check in decision.refused],
            "guards": decision.state.changes_since(state),
            "is_revert": decision.is_revert,
            # What must be taken back and may not be needs a person as well.
            "is_safety_stop": decision.is_safety_stop or (decision.is_revert and moment.is_frozen),
            "is_last": moment.is_last,
            "is_frozen": moment.is_frozen,
        }


def guards_that_refused(decided: Mapping[str, Any]) -> list[str]:
    """Return the guards that refused anything in a decision of the journal, in order of their names."""
    return sorted({guard for _, guard, _, _ in decided["refused"]})


def _refusal(check: Check, now_us: int) -> list[Any]:
    """Return a refusal. When it could pass is told from the decision on, as that is what is the same in every run."""
    at_us = check.could_pass_at_us
    after_seconds = None if at_us is None else (at_us - now_us) / _SECOND_US
    return [check.path, check.guard, check.reason, after_seconds]
