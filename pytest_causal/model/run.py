"""A run: one execution of a scenario, whole or absent."""

from enum import StrEnum
from typing import NamedTuple

CONTROL = "control"
"""The arm of runs under the policy in force."""

NO_READS = 0
"""The reads id of runs that took nothing from the policy."""


class Outcome(StrEnum):
    """How a run ended. Only ``passed`` and ``xfailed`` speak for a scenario; a strict xpass speaks against it."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    CRASHED = "crashed"
    MISSING = "missing"


class Phase(StrEnum):
    """The part of a test that a cause belongs to."""

    COLLECT = "collect"
    SETUP = "setup"
    CALL = "call"
    TEARDOWN = "teardown"
    NONE = ""


class MetricKind(StrEnum):
    """What was reported under a metric's name. Anything but ``number`` has no value and satisfies no limit."""

    NUMBER = "number"
    NAN = "nan"
    POSITIVE_INFINITY = "inf"
    NEGATIVE_INFINITY = "-inf"
    OTHER = "other"


class ReadHow(StrEnum):
    """How it is known that a run read a value, best first.

    ``assigned`` is no knowledge: a candidate's run that did not pass and read no changed path has them ascribed to it,
    so that it speaks against the candidate and not against the policy in force.
    """

    TRACKED = "tracked"
    OBSERVED = "observed"
    DECLARED = "declared"
    ASSIGNED = "assigned"


class Cause(NamedTuple):
    """Why a run did not simply pass: the exception or the reason given.

    ``type`` is the exception's qualified name, or ``xpassed(strict)``, or empty where only a reason is known.
    ``message`` is capped and redacted before it gets here.
    """

    phase: Phase
    type: str
    message: str
    is_infrastructure: bool = False


class Metric(NamedTuple):
    """A number that a run reported. ``value`` is ``None`` unless ``kind`` is ``number``."""

    name: str
    value: float | None
    kind: MetricKind = MetricKind.NUMBER


class Read(NamedTuple):
    """One leaf of the policy that a run took: ``value`` is canonical JSON, ``path`` is dotted."""

    path: str
    value: str
    how: ReadHow = ReadHow.TRACKED


class Run(NamedTuple):
    """One execution of a scenario. A named tuple, because one is made for every test (a dataclass costs 3 us more).

    ``nodeid`` is pytest's id; ``scenario`` is the identity under which evidence gathers and equals it unless the
    test is marked. ``started_us`` counts microseconds since the epoch (UTC). ``attempt`` counts reruns from 1;
    an attempt that was rerun is ``is_superseded``. ``occurrence`` tells apart runs of one node id in one session
    that are not reruns (duplicate ids). ``worker`` is empty where the session was not distributed. ``reads`` is
    sorted by path and holds each path once.
    """

    scenario: str
    nodeid: str
    outcome: Outcome
    started_us: int
    setup_seconds: float = 0.0
    call_seconds: float = 0.0
    teardown_seconds: float = 0.0
    attempt: int = 1
    occurrence: int = 1
    is_superseded: bool = False
    worker: str = ""
    arm: str = CONTROL
    cause: Cause | None = None
    metrics: tuple[Metric, ...] = ()
    reads: tuple[Read, ...] = ()

    @property
    def duration_seconds(self) -> float:
        """Time in setup, call and teardown together."""
        return self.setup_seconds + self.call_seconds + self.teardown_seconds

    @property
    def is_failure(self) -> bool:
        """Whether this run speaks against its scenario; a strict xpass carries a cause, a plain one does not."""
        return self.outcome in _FAILURES or (self.outcome is Outcome.XPASSED and self.cause is not None)


_FAILURES = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED})
