"""The KPI gate: what was measured, held against the limits of a profile.

What was not measured is never a pass: a value that is missing, stale, NaN, infinite or no number makes the verdict
INCONCLUSIVE, and never counts as 0. One hard failure is a FAIL whatever else is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from pytest_causal.errors import ConfigError, ExitCode
from pytest_causal.rules.metric_values import metric
from pytest_causal.settings.suggestion import did_you_mean
from tools.soak.moments import Moments


class Verdict(StrEnum):
    """What the gate says of an iteration, or of a whole run."""

    PASS = "PASS"  # noqa: S105  # a verdict
    WARN = "WARN"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a run that ends so."""
        match self:
            case Verdict.FAIL:
                return ExitCode.FAIL
            case Verdict.INCONCLUSIVE:
                return ExitCode.INCONCLUSIVE
        return ExitCode.OK


_NO_MOMENTS = Moments()
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.WARN, Verdict.PASS)


class Side(StrEnum):
    """On which side of a metric a limit lies."""

    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What is asked of one metric. Beyond ``min`` or ``max`` it fails, beyond the soft ones it warns."""

    metric: str
    min: float | None = None
    max: float | None = None
    soft_min: float | None = None
    soft_max: float | None = None

    @cached_property
    def bounds(self) -> tuple[tuple[Side, bool, float], ...]:
        """The limits given: their side, whether they are hard, and the value."""
        given = (
            (Side.MIN, False, self.soft_min),
            (Side.MIN, True, self.min),
            (Side.MAX, False, self.soft_max),
            (Side.MAX, True, self.max),
        )
        return tuple((side, is_hard, bound) for side, is_hard, bound in given if bound is not None)


class KpiSet(NamedTuple):
    """The limits of one set of a profile, in the order written."""

    limits: tuple[Limit, ...]

    @property
    def has_hard_limit(self) -> bool:
        """Whether anything can fail."""
        return any(limit.min is not None or limit.max is not None for limit in self.limits)


class Sample(NamedTuple):
    """One metric of one iteration (or the mean of many). ``value`` is None where there is no finite number.

    ``samples`` is how many measurements the value stands for, ``low`` and ``high`` the ends of its 95 % interval
    where there is one. ``is_stale`` says that the value was left behind by an earlier iteration.
    """

    value: float | None
    samples: int = 1
    low: float | None = None
    high: float | None = None
    is_stale: bool = False

    @classmethod
    def of(cls, reported: object, *, samples: int = 1, is_stale: bool = False) -> Self:
        """Return the sample of anything that a workload may report; text, NaN and infinities have no value."""
        return cls(value=metric("", reported).value, samples=samples, is_stale=is_stale)

    @property
    def trouble(self) -> str:
        """Why this is no evidence, or nothing where it is."""
        if self.is_stale:
            return "left over from an earlier iteration"
        if self.value is None or not math.isfinite(self.value):
            return "no finite number"
        return "" if self.samples > 0 else "made of no samples"


class Finding(NamedTuple):
    """What the gate says of one metric: the limit that decided (the broken one, else the nearer), and the evidence."""

    metric: str
    value: float | None
    level: Verdict
    limit: float | None = None
    side: Side | None = None
    samples: int = 0
    low: float | None = None
    high: float | None = None
    reason: str = ""


class GateResult(NamedTuple):
    """The verdict, and one finding for each limited metric."""

    verdict: Verdict = Verdict.INCONCLUSIVE
    findings: tuple[Finding, ...] = ()


def parse_kpi(limits: Mapping[str, Mapping[str, float]]) -> KpiSet:
    """Return the set of metric -> limit name -> number, as :class:`~pytest_causal.policy.profiles.Profile` holds it.

    Raises :class:`ConfigError` for an unknown limit name, a limit that is no finite number, limits that cannot be
    met in order, and a metric or a set without a limit: nothing could ever fail there.
    """
    if not limits:
        raise ConfigError("the KPI set has no limits", 'declare some under "kpi" in the profile')
    return KpiSet(tuple(_limit(name, table) for name, table in limits.items()))


def judge(kpis: KpiSet, metrics: Mapping[str, Sample]) -> GateResult:
    """Return the verdict on one iteration. The value decides; its interval is reported beside it."""
    findings = tuple([_finding(limit, metrics.get(limit.metric)) for limit in kpis.limits])
    return GateResult(worst([finding.level for finding in findings]), findings)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return FAIL if any is, else INCONCLUSIVE, else WARN, else PASS; INCONCLUSIVE where there is none."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.INCONCLUSIVE)


_NONE: Mapping[Any, Any] = MappingProxyType({})


class RunTally(NamedTuple):
    """What the end of a run needs to know of its iterations, in memory that does not grow with them."""

    steady: Mapping[Verdict, int] = _NONE
    warmup: Mapping[Verdict, int] = _NONE
    moments: Mapping[str, Moments] = _NONE

    def with_iteration(self, verdict: Verdict, metrics: Mapping[str, Sample], *, is_warmup: bool) -> RunTally:
        """Return the tally with one more iteration; those of the warm-up do not enter the means."""
        if is_warmup:
            return RunTally(self.steady, _counted(self.warmup, verdict), self.moments)
        moments = dict(self.moments)
        for name, sample in metrics.items():
            if sample.value is not None and not sample.trouble:
                moments[name] = moments.get(name, _NO_MOMENTS).with_value(sample.value)
        return RunTally(_counted(self.steady, verdict), self.warmup, moments)


class RunResult(NamedTuple):
    """The verdict on a run: the findings are on the means of its steady iterations."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    reason: str


def judge_run(kpis: KpiSet, tally: RunTally) -> RunResult:
    """Return the verdict on a whole run.

    A steady iteration that failed fails the run, even if the mean of its metric is within the limit; one without a
    verdict leaves the run without one. A warm-up that failed is a warning. Without a steady iteration there is no
    verdict.
    """
    means = {name: _mean(moments) for name, moments in tally.moments.items()}
    findings = judge(kpis, means).findings
    steady = worst(verdict for verdict, count in tally.steady.items() if count)
    if steady is Verdict.INCONCLUSIVE and not sum(tally.steady.values()):
        return RunResult(steady, findings, "no steady iteration was measured")
    if steady is Verdict.PASS and any(tally.warmup.get(bad) for bad in (Verdict.FAIL, Verdict.INCONCLUSIVE)):
        return RunResult(Verdict.WARN, findings, "only iterations of the warm-up did not pass")
    total = sum(tally.steady.values())
    return RunResult(steady, findings, f"{tally.steady[steady]} of {total} steady iterations: {steady}")


def _limit(name: str, table: Mapping[str, Any]) -> Limit:
    names = ("min", "soft_min", "soft_max", "max")
    for key, value in table.items():
        if key not in names:
            raise ConfigError(f"kpi {name}: there is no limit {key!r}", did_you_mean(key, names))
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"kpi {name}: {key} is {value!r}", "expected a finite number")
    ascending = [table[key] for key in names if key in table]
    if not ascending or ascending != sorted(ascending):
        raise ConfigError(
            f"kpi {name}: the limits {dict(table)} cannot be met in order",
            "expected at least one, and min <= soft_min <= soft_max <= max",
        )
    return Limit(metric=name, **table)


def _finding(limit: Limit, sample: Sample | None) -> Finding:
    if sample is None:
        return Finding(metric=limit.metric, value=None, level=Verdict.INCONCLUSIVE, reason="not reported")
    value, trouble = sample.value, sample.trouble
    if value is None or trouble:
        return Finding(limit.metric, None, Verdict.INCONCLUSIVE, samples=sample.samples, reason=trouble)
    level, bound, side = _deciding(limit, value)
    return Finding(limit.metric, value, level, bound, side, sample.samples, sample.low, sample.high)


def _deciding(limit: Limit, value: float) -> tuple[Verdict, float, Side]:
    """Return the level, and the limit that decided: of those broken the hard one, else the nearest."""
    held: list[tuple[float, float, Side]] = []
    warned: list[tuple[float, Side]] = []
    for side, is_hard, bound in limit.bounds:
        distance = value - bound if side is Side.MIN else bound - value
        if distance >= 0:
            held.append((distance, bound, side))
        elif is_hard:
            return Verdict.FAIL, bound, side
        else:
            warned.append((bound, side))
    if warned:
        return Verdict.WARN, *warned[0]
    _, bound, side = min(held)
    return Verdict.PASS, bound, side


def _mean(moments: Moments) -> Sample:
    low, high = moments.interval()
    return Sample(value=moments.mean, samples=moments.samples, low=low, high=high)


def _counted(counts: Mapping[Verdict, int], verdict: Verdict) -> dict[Verdict, int]:
    return {**counts, verdict: counts.get(verdict, 0) + 1}
