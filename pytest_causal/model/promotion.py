"""Promotions: rules that propose changes, where each change has come, and what is known of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from pytest_causal.model.change import Candidate, Change
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.evidence import Reason, Verdict


class Mode(StrEnum):
    """What a rule may do by itself: ``propose`` reports, ``auto`` also applies, ``dry-run`` says what auto would do."""

    PROPOSE = "propose"
    AUTO = "auto"
    DRY_RUN = "dry-run"


class Basis(StrEnum):
    """Whose runs speak for a change: the candidate's own, or, as a declared assumption, today's."""

    CANDIDATE = "candidate"
    CONTROL = "control"


class State(StrEnum):
    """Where a promotion is on its way."""

    PROPOSED = "proposed"
    TRIAL = "trial"
    ELIGIBLE = "eligible"
    PROVISIONAL = "provisional"
    VALIDATED = "validated"
    REVERTED = "reverted"
    REJECTED = "rejected"
    HELD = "held"
    LOCKED = "locked"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return self in _FINAL

    @property
    def is_open(self) -> bool:
        """Whether the change is still under evaluation."""
        return self in _OPEN

    @property
    def is_live(self) -> bool:
        """Whether the change was made and still stands."""
        return self in (State.PROVISIONAL, State.VALIDATED)


_FINAL = frozenset({State.REVERTED, State.SUPERSEDED, State.EXPIRED})
_OPEN = frozenset({State.PROPOSED, State.TRIAL, State.ELIGIBLE, State.HELD})


class Event(StrEnum):
    """What moves a promotion from one state to another."""

    TRY = "try"
    QUALIFY = "qualify"
    LAPSE = "lapse"
    REJECT = "reject"
    HOLD = "hold"
    LOCK = "lock"
    UNLOCK = "unlock"
    PROMOTE = "promote"
    VALIDATE = "validate"
    REVERT = "revert"
    SUPERSEDE = "supersede"
    EXPIRE = "expire"


class Action(StrEnum):
    """What was done, as the audit names it. ``constrain`` is a promotion of which every step goes to the safer side."""

    PROMOTE = "promote"
    CONSTRAIN = "constrain"
    OBSERVE = "observe"
    REVERT = "revert"
    RECONCILE = "reconcile"


class MetricLimit(NamedTuple):
    """What the mean of a metric must be, over the runs that count. ``None`` leaves a side open."""

    metric: str
    min: float | None = None
    max: float | None = None


class Trigger(NamedTuple):
    """When a change that was made is taken back.

    ``signal`` is ``failure_rate``, ``timeout_rate`` or a metric's name. ``max`` and ``min`` are absolute limits on
    the value of one session. ``max_increase`` and ``max_decrease`` are relative to the mean before the change.
    """

    signal: str
    max: float | None = None
    min: float | None = None
    max_increase: float | None = None
    max_decrease: float | None = None


FAILURE_RATE = "failure_rate"
TIMEOUT_RATE = "timeout_rate"


class PromotionRule(NamedTuple):
    """One ``[[tool.causal.promotion]]``.

    ``values`` are the (dotted path, value) pairs it sets; with ``to``, the name of a profile, they are what that
    profile sets. ``criteria`` holds (field of Criteria, value) pairs that replace the general ones. ``reads`` are
    paths that its scenarios are declared to read. ``place`` is ``FILE:LINE``.
    """

    name: str
    scenarios: tuple[str, ...]
    values: tuple[tuple[str, Any], ...] = ()
    to: str = ""
    mode: Mode = Mode.PROPOSE
    basis: Basis = Basis.CANDIDATE
    criteria: tuple[tuple[str, Any], ...] = ()
    metrics: tuple[MetricLimit, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    reads: tuple[str, ...] = ()
    watch_sessions: int = 7
    place: str = ""

    def candidate(self, change: Change) -> Candidate:
        """Return its change as a candidate."""
        return Candidate(self.name, self.scenarios, change)

    def criteria_over(self, general: Criteria) -> Criteria:
        """Return the criteria in force for its scenarios."""
        return general._replace(**dict(self.criteria)) if self.criteria else general


class MetricStanding(NamedTuple):
    """What a metric came to over the runs that count.

    ``measured`` runs reported a finite number, of which ``mean`` is the mean; ``broken`` reported something else.
    """

    metric: str
    measured: int
    broken: int
    mean: float | None


class ScenarioVerdict(NamedTuple):
    """What one scenario says of a change. ``reads`` are the changed paths it read, with how that is known."""

    scenario: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    runs: int
    units: int
    failures: int
    e_value: float
    clean_sessions_needed: int | None
    reads: tuple[tuple[str, str], ...] = ()
    metrics: tuple[MetricStanding, ...] = ()
    lesson: int = 0


class CandidateVerdict(NamedTuple):
    """What the evidence says of a change as a whole: the worst of what its scenarios say."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    scenarios: tuple[ScenarioVerdict, ...]
    is_assumed: bool = False


class Tried(NamedTuple):
    """What the newest trial of a change came to, after ``rounds`` of both arms.

    ``verdict`` and ``reasons`` are those of :class:`~pytest_causal.model.trial.TrialResult`, as text. ``ended_us``
    counts microseconds since the epoch, UTC.
    """

    verdict: str
    reasons: tuple[str, ...]
    rounds: int
    ended_us: int

    @property
    def is_failed(self) -> bool:
        """Whether the change was worse than what is in force, or broke a limit."""
        return self.verdict == "fail"


class Promotion(NamedTuple):
    """A change on its way, as stored. ``id`` is 0 until stored; it is shown as ``P-ID``.

    ``rule`` is the name of the rule that proposed it, empty where a person did. ``session`` is the newest session
    that was looked at, ``watched`` how many sessions were watched since the change was made without a trigger.
    ``baseline`` holds (signal, mean before the change) pairs. ``triggers`` and ``watch_sessions`` are those of the
    rule when the change was made. ``note`` says in words why it is where it is. ``trial`` is its newest, if any.
    """

    id: int
    name: str
    state: State
    mode: Mode
    basis: Basis
    scenarios: tuple[str, ...]
    change: Change
    created_us: int
    changed_us: int
    session: int = 0
    watched: int = 0
    baseline: tuple[tuple[str, float], ...] = ()
    triggers: tuple[Trigger, ...] = ()
    watch_sessions: int = 7
    verdict: CandidateVerdict | None = None
    note: str = ""
    trial: Tried | None = None

    @property
    def label(self) -> str:
        """How people name it: ``P-7``."""
        return f"P-{self.id}"


class Lesson(NamedTuple):
    """What a revert taught. ``id`` is 0 until stored; it is shown as ``L-ID``.

    ``scenario`` failed with ``step``; whatever goes that far in the same direction must show the stricter
    ``criteria`` on it first. ``signature`` is the same for the same failure: it makes one lesson, however often it
    happens (``times``). Only sessions later in the history than ``after_order`` count. ``retired_us`` is 0 while it
    holds.
    """

    id: int
    scenario: str
    path: str
    before: Any
    after: Any
    reason: str
    promotion: int
    signature: str
    created_us: int
    after_order: int = 0
    times: int = 1
    criteria: tuple[tuple[str, Any], ...] = (("max_failure_rate", 0.05), ("min_runs", 50))
    retired_us: int = 0

    @property
    def label(self) -> str:
        """How people name it: ``L-3``."""
        return f"L-{self.id}"

    @property
    def regression(self) -> str:
        """The name of the scenario that was learned."""
        return f"{self.scenario}_regression"
