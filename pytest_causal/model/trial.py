"""A trial: control and candidate in fresh processes, interleaved, on the same workload, and what they showed."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pytest_causal.model.change import Change
from pytest_causal.model.promotion import PromotionRule
from pytest_causal.model.run import Run


class Kind(StrEnum):
    """What is run: a pytest session of its own for each process, or a program that is told its policy in a file."""

    PYTEST = "pytest"
    COMMAND = "command"


class Better(StrEnum):
    """Which way of a quantity is the better one. No direction is assumed: a rule's limits say it, or nothing does."""

    LOWER = "lower"
    HIGHER = "higher"
    UNKNOWN = "unknown"


class Finding(StrEnum):
    """What the rounds say of one quantity.

    ``not_worse`` says that a harm as large as the smallest that matters is ruled out; what is neither shown nor ruled
    out is ``inconclusive``.
    """

    WORSE = "worse"
    BETTER = "better"
    NOT_WORSE = "not_worse"
    INCONCLUSIVE = "inconclusive"


class Lack(StrEnum):
    """Why a quantity is inconclusive."""

    NONE = ""
    NO_DATA = "no_data"
    TOO_FEW_ROUNDS = "too_few_rounds"
    TOO_NOISY = "too_noisy"
    NO_DIRECTION = "no_direction"


class TrialVerdict(StrEnum):
    """What a trial says of a candidate. Only ``pass`` speaks for it."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class TrialReason(StrEnum):
    """Why a trial is not ``pass``."""

    WORSE = "worse"
    LIMIT_BROKEN = "limit_broken"
    NOTHING_TO_CHANGE = "nothing_to_change"
    INTERRUPTED = "interrupted"
    NO_RECORD = "no_record"
    NO_SCENARIO = "no_scenario"
    INERT = "inert"
    METRIC_MISSING = "metric_missing"
    NO_DATA = "no_data"
    TOO_NOISY = "too_noisy"
    TOO_FEW_ROUNDS = "too_few_rounds"


class Comparison(NamedTuple):
    """One quantity in both arms.

    ``rounds`` counts those in which both arms gave a finite value. ``difference`` is candidate minus control, ``low``
    and ``high`` are its bounds, each with confidence 1 - alpha. ``noise_floor`` is how far two random halves of the
    control arm lie apart on average. ``minimum`` is the smallest difference that matters. All are in the unit of the
    quantity, and ``None`` where they cannot be told. ``p_worse`` and ``p_better`` are one-sided.
    """

    rounds: int
    better: Better
    finding: Finding
    lack: Lack = Lack.NONE
    control: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    noise_floor: float | None = None
    minimum: float | None = None
    p_worse: float | None = None
    p_better: float | None = None


class ScenarioComparison(NamedTuple):
    """One scenario in both arms.

    ``reads`` are (changed path, how it is known) of the candidate's runs. ``failures`` compares failed fractions,
    ``metrics`` holds (name, comparison) pairs, sorted by name. ``control_runs`` and ``candidate_runs`` are the
    executions that count, ``idle_runs`` passes of the candidate that read no changed path, and so do not.
    """

    scenario: str
    reads: tuple[tuple[str, str], ...]
    control_runs: int
    candidate_runs: int
    failures: Comparison
    metrics: tuple[tuple[str, Comparison], ...] = ()
    idle_runs: int = 0

    @property
    def is_inert(self) -> bool:
        """Whether the candidate ran, and no run of it is known to have read a changed path."""
        return not self.reads and self.candidate_runs + self.idle_runs > 0


class BrokenLimit(NamedTuple):
    """A hard limit that the candidate broke: by the mean of ``rounds`` rounds, or in the last of them.

    ``side`` is ``min`` or ``max``; ``control`` is the same figure of the control arm where there is one.
    """

    scenario: str
    signal: str
    side: str
    limit: float
    value: float
    control: float | None
    rounds: int
    is_mean: bool


class Attempt(NamedTuple):
    """One process of a trial. ``session`` is the number of the session it was recorded as, 0 for none.

    ``is_killed`` says that it hung until its time was over (``is_timed_out``) or died by a signal: then a scenario
    without a run counts as failed. ``is_cut_off`` says that the trial itself ended it, which says nothing.
    ``problem`` is in words.
    """

    round: int
    arm: str
    session: int = 0
    runs: tuple[Run, ...] = ()
    seconds: float = 0.0
    is_killed: bool = False
    is_timed_out: bool = False
    is_cut_off: bool = False
    problem: str = ""


class TrialPlan(NamedTuple):
    """What is to be tried, and how.

    ``change`` is ``None`` where the policy has the rule's values already. ``words`` are pytest's arguments or the
    command line. ``rounds`` is how many times each arm is run at most; ``budget_seconds`` is ``None`` for no budget.
    ``min_effect`` is the smallest difference that matters: of failed fractions as it is, of a metric as a ratio of
    the control arm's mean. ``alpha`` is the chance of each of the two errors: calling a candidate worse that is not,
    and passing one that is worse by the smallest difference that matters.
    """

    rule: PromotionRule
    change: Change | None
    kind: Kind
    words: tuple[str, ...]
    rounds: int
    timeout_seconds: float
    seed: int
    min_effect: float
    alpha: float
    budget_seconds: float | None = None


class TrialResult(NamedTuple):
    """What a trial showed.

    ``rounds`` counts those that were run to their end in both arms; a pass takes ``rounds_needed`` at least, and more
    where what is measured varies. ``unmatched`` are patterns of the rule that no run had, ``unreported`` metrics that
    it limits and that were not reported in both arms. ``sessions`` are the numbers of all sessions that it left in the
    history. ``stopped`` says in words why it ended before its last round; ``problems`` are what went wrong on the way,
    each once. ``started_us`` counts microseconds since the epoch, UTC.
    """

    plan: TrialPlan
    verdict: TrialVerdict
    reasons: tuple[TrialReason, ...]
    rounds: int
    rounds_needed: int = 0
    scenarios: tuple[ScenarioComparison, ...] = ()
    broken: tuple[BrokenLimit, ...] = ()
    unmatched: tuple[str, ...] = ()
    unreported: tuple[str, ...] = ()
    sessions: tuple[int, ...] = ()
    stopped: str = ""
    problems: tuple[str, ...] = ()
    started_us: int = 0
    elapsed_seconds: float = 0.0

    @property
    def is_inert(self) -> bool:
        """Whether the change was read by no run of any scenario."""
        return bool(self.scenarios) and all(each.is_inert for each in self.scenarios)
