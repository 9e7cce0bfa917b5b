"""Evidence: the running state that decisions are made from, and the decisions themselves.

Tallies, running states and decisions are made by the ten thousand at the end of a session, which is why they are
named tuples: a frozen dataclass as wide as :class:`Evidence` takes 4.4 us to build, a named tuple 0.3 us from a row
and 1.8 us from keywords. Build them by keyword, or from a row whose columns stand in the order of the fields.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What the evidence says. Only ``eligible`` speaks for a scenario; ``inconclusive`` speaks neither way."""

    ELIGIBLE = "eligible"
    NOT_YET = "not_yet"
    REJECTED = "rejected"
    INERT = "inert"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why a verdict is not ``eligible``, as slugs that the views put into words."""

    NO_EVIDENCE = "no_evidence"
    INCOMPLETE = "incomplete"
    TOO_FEW_RUNS = "too_few_runs"
    TOO_FEW_SESSIONS = "too_few_sessions"
    FAILURE_RATE = "failure_rate"
    NEWEST_FAILED = "newest_failed"
    STALE = "stale"
    NOT_PROVEN = "not_proven"
    PROVEN_BAD = "proven_bad"
    NEVER_READ = "never_read"
    NO_SCENARIO = "no_scenario"
    WORSE_THAN_CONTROL = "worse_than_control"
    METRIC_MISSING = "metric_missing"
    METRIC_LIMIT = "metric_limit"


class Tally(NamedTuple):
    """The runs of one scenario in one unit of evidence (the sessions that share a key).

    Counts are executions: an execution is a test with all its reruns. ``runs = passed + failed + errors``; ``passed``
    holds xfailed and plain xpassed, ``errors`` holds crashed; ``flaky`` (failed, then passed on rerun) is a part of
    ``passed`` here and weighed by the rule. ``skipped``, ``missing`` and ``infrastructure`` are not in ``runs``.
    ``may_vouch`` is false for sessions that were interrupted, abandoned or broken: their passes say nothing.
    ``order`` and ``session`` are the place and the number of the newest session of the unit.
    """

    scenario_id: int
    reads_id: int
    order: int
    session: int
    commit: str
    last_run_us: int
    passed: int = 0
    failed: int = 0
    errors: int = 0
    flaky: int = 0
    skipped: int = 0
    missing: int = 0
    infrastructure: int = 0
    may_vouch: bool = True

    @property
    def runs(self) -> int:
        """Executions that say something."""
        return self.passed + self.failed + self.errors


class Evidence(NamedTuple):
    """The running state of one scenario under one set of reads.

    Counts are as in :class:`Tally`, summed, except that ``failed`` includes flaky executions and ``passed`` does not
    (with ``flaky`` saying how many), so that ``runs = passed + failed + errors``. ``units`` counts units that held
    evidence and ``badness`` sums what was bet on: their failed fractions, or with ``Unit.RUN`` the executions that
    failed. ``wealth`` (7 weights) bets that the failure rate is below the limit, ``ruin`` (5 weights) that it is above.
    ``recent_units`` and ``recent`` are bit fields over the last 62 places of the history, the lowest bit standing for
    ``last_order``: 1 where the scenario had a unit, and 1 where that unit was incomplete (places, because the windows
    of several streams can then be laid over each other). ``commit_seen`` is the newest clean commit with
    ``commit_marks`` 1 = passed there, 2 = failed there. ``contradictions`` counts the times the scenario was seen to
    be flaky: executions that passed only on rerun, and clean commits at which it both passed and failed;
    ``flaky_since`` is the number of the session of the first (0: never). ``verdict`` is what was last concluded.
    """

    scenario_id: int
    reads_id: int
    passed: int = 0
    failed: int = 0
    errors: int = 0
    flaky: int = 0
    skipped: int = 0
    missing: int = 0
    infrastructure: int = 0
    units: int = 0
    badness: float = 0.0
    wealth: tuple[float, ...] = (1.0,) * 7
    ruin: tuple[float, ...] = (1.0,) * 5
    recent: int = 0
    recent_units: int = 0
    last_order: int = -1
    last_session: int = 0
    last_badness: float = 0.0
    last_run_us: int = 0
    commit_seen: str = ""
    commit_marks: int = 0
    contradictions: int = 0
    flaky_since: int = 0
    verdict: Verdict = Verdict.INCONCLUSIVE

    @property
    def runs(self) -> int:
        """Executions that say something."""
        return self.passed + self.failed + self.errors


class Alike(NamedTuple):
    """Scenarios that a session told apart by nothing but their names and times.

    Each ran once, read nothing, simply passed, and came with the same history. ``tally`` is what the session says of
    the first of them and ``state`` its running state before, ``None`` where they had none; ``last_runs_us`` says of
    each, by id, when it ran.
    """

    tally: Tally
    state: Evidence | None
    last_runs_us: Mapping[int, int]


class Decision(NamedTuple):
    """The verdict on one scenario, with everything needed to put it into words.

    ``e_value`` is the evidence for. How many clean sessions are missing is worked out where it is shown, by
    :func:`~pytest_causal.rules.eligibility.clean_sessions_needed`: it costs more than the verdict.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    e_value: float
