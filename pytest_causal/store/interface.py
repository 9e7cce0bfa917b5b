"""What a history store promises. One contract suite holds every backend to it.

A store knows meaning (sessions, runs, evidence) and hides mechanics (SQL, locks, files). It decides nothing.
Every method that writes is one transaction: it happened or it did not. Methods raise
:class:`~pytest_causal.errors.StoreError` and its kin, never a driver's own exception.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pytest_causal.model.evidence import Alike, Evidence, Tally
from pytest_causal.model.run import Outcome, Read, Run
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import Session, SessionEnding, SessionFacts

if TYPE_CHECKING:  # what a session without promotions need not load
    from pytest_causal.model.audit import AuditRow, Live
    from pytest_causal.model.promotion import Lesson, Promotion
    from pytest_causal.model.signal import MetricSum, SessionSample


class Scenario(NamedTuple):
    """A scenario as stored. ``name`` is cut and marked with a hash where it was too long to keep whole."""

    id: int
    name: str
    first_session: int
    last_session: int
    declaration: Declaration


class RunRecord(NamedTuple):
    """A run as read back, with the session it belongs to."""

    id: int
    session: int
    session_uid: str
    run: Run


class HistoryQuery(NamedTuple):
    """Which runs to read back, newest first. Empty fields do not restrict; ``since_us`` is inclusive."""

    scenario: str = ""
    outcomes: tuple[Outcome, ...] = ()
    branch: str = ""
    since_us: int = 0
    limit: int | None = None
    session: int = 0


class Alias(NamedTuple):
    """``old`` is another name of ``new``, declared by a person."""

    old: str
    new: str
    created_us: int


class StoreHealth(NamedTuple):
    """What ``causal doctor`` shows of a store. ``problems`` is empty when all is well."""

    location: str
    schema_version: int
    size_bytes: int
    sessions: int
    runs: int
    scenarios: int
    running: int
    quarantined: tuple[str, ...]
    problems: tuple[str, ...]


class Ledger(Protocol):
    """Running states as read and written inside one transaction, and the units they are computed from."""

    def units(self, scenario_ids: Iterable[int]) -> Iterator[Tally]:
        """Yield, from the runs, every unit of these scenarios in history order (sessions of one key merged)."""

    def put_evidence(self, criteria_key: str, states: Sequence[Evidence]) -> None:
        """Write running states, each replacing what was kept for its (scenario, reads)."""

    def drop_evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> None:
        """Remove all running states of these scenarios under these criteria, before they are written anew."""


class Conclusion(Ledger, Protocol):
    """The view inside the transaction that concludes a session: read tallies and evidence, write evidence back.

    All of it commits together when the ``with`` block of :meth:`HistoryStore.concluding` ends well.
    """

    def tallies(self, besides: Collection[int] = ()) -> Iterator[Tally]:
        """Yield one tally per (scenario, reads) of the session being concluded, by scenario then reads.

        Scenarios ``besides`` those that are asked for are left out.
        """

    def alike(self, criteria_key: str) -> list[Alike]:
        """Return the scenarios of this session that are alike, under these criteria: in most suites nearly all."""

    def drop_unused(self, usual_key: str, other_keys: Mapping[int, Collection[str]]) -> None:
        """Remove the running states of this session's scenarios under criteria that are not in use for them.

        ``other_keys`` are the keys in use, by scenario id, where these are not the usual one alone.
        """

    def put_alike(self, criteria_key: str, states: Iterable[tuple[Evidence, Mapping[int, int]]]) -> None:
        """Write running states, each for many scenarios, with the time at which each last ran, by id."""

    def overlapping_scenarios(self) -> frozenset[int]:
        """Return scenarios of this session that another concluded session of the same key also ran."""

    def evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> Iterator[Evidence]:
        """Yield all running states of these scenarios under these criteria."""

    def scenarios_without_state(self, criteria_key: str, among: Iterable[int]) -> frozenset[int]:
        """Return which of these, all of this session, have older concluded units but no state under these criteria."""


class PromotionLedger(Protocol):
    """The view inside the transaction of one action: the state, the audit row and the live values commit together."""

    def live(self) -> Live:
        """Return the values as last audited."""

    def promotions(self) -> list[Promotion]:
        """Return all promotions, by number."""

    def lessons(self) -> list[Lesson]:
        """Return all lessons, by number."""

    def put(self, promotion: Promotion) -> Promotion:
        """Store a promotion, new (``id`` 0) or changed, and return it with its number."""

    def append(self, document: dict[str, Any]) -> AuditRow:
        """Add a row to the audit; its number is put into the document."""

    def set_live(self, live: Live) -> None:
        """Replace the values that are to be in force; what the audit has come to is left alone."""

    def put_lesson(self, lesson: Lesson) -> Lesson:
        """Store a lesson, new (``id`` 0) or changed, and return it with its number."""


class HistoryStore(Protocol):
    """A place where history is kept."""

    location: str
    busy_seconds: float
    """How long a write waits for another writer before it raises StoreBusyError; may be set at any time."""
    notices: tuple[str, ...]
    """What happened at opening that a person should know: a damaged file was set aside, say."""

    def begin_session(self, facts: SessionFacts) -> int:
        """Store a session as running and return its number. A uid that is already stored is refused (DataError)."""

    def add_runs(self, session: int, runs: Sequence[Run]) -> None:
        """Store whole runs of a running session, all or none."""

    def declare(self, declarations: Sequence[Declaration]) -> None:
        """Keep what tests declare of their scenarios, replacing what was declared before; unseen names are added."""

    def declarations(self) -> dict[int, Declaration]:
        """Return, by scenario id, the declarations that change criteria."""

    def concluding(self, session: int, ending: SessionEnding) -> AbstractContextManager[Conclusion]:
        """Open the one transaction in which a session ends, gets its order, and has its evidence folded.

        Raises DataError for a session that was concluded before.
        """

    def amending(self) -> AbstractContextManager[Ledger]:
        """Open a transaction in which evidence is computed anew outside any session: after an alias, say."""

    def dead_sessions(self) -> list[Session]:
        """Return sessions still marked running whose process is gone."""

    def session(self, number: int) -> Session:
        """Return one session; raises MissingInputError."""

    def sessions(self, limit: int | None = None) -> list[Session]:
        """Return sessions, newest first."""

    def find_session(self, uid: str) -> Session | None:
        """Return the session with this uid, if it is stored."""

    def outcome_counts(self, session: int) -> dict[Outcome, int]:
        """Return how many runs of a session ended each way."""

    def failure_kinds(self, session: int) -> dict[tuple[Outcome, str], int]:
        """Return how many runs of a session ended with each (outcome, cause type); superseded runs left out."""

    def scenarios(self) -> list[Scenario]:
        """Return all scenarios that are not aliases of another, by name."""

    def scenario_names(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the names of these scenarios, by id."""

    def all_evidence(self, criteria_key: str | None = None) -> Iterator[Evidence]:
        """Yield all running states, by scenario then reads, without touching a run."""

    def evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> list[Evidence]:
        """Return all running states of these scenarios under these criteria, by scenario then reads."""

    def units(self, scenario_ids: Iterable[int], *, after_order: int = 0) -> Iterator[Tally]:
        """Yield, from the runs, every unit of these scenarios in history order, as :meth:`Conclusion.units` does.

        Only sessions later in the history than ``after_order`` are read. For those who only read: running states
        that are lacking can be computed, and are not kept.
        """

    def metric_sums(self, scenario_ids: Iterable[int]) -> dict[tuple[int, int], dict[str, MetricSum]]:
        """Return (scenario id, reads id) -> metric -> what it came to in all sessions that may vouch."""

    def sample(self, session: int, scenario_ids: Iterable[int]) -> list[SessionSample]:
        """Return what these scenarios did in one session, by scenario, reads and arm."""

    def has_promotions(self) -> bool:
        """Whether any change was ever proposed."""

    def promotions(self) -> list[Promotion]:
        """Return all promotions, by number."""

    def live(self) -> Live:
        """Return the values above the profile as last audited."""

    def lessons(self) -> list[Lesson]:
        """Return all lessons, by number."""

    def audit(self, after: int = 0) -> Iterator[AuditRow]:
        """Yield the rows of the audit that follow a number, oldest first."""

    def acting(self) -> AbstractContextManager[PromotionLedger]:
        """Open the one transaction of an action."""

    def reads(self, reads_id: int) -> tuple[Read, ...]:
        """Return the policy leaves behind a reads id; ``NO_READS`` has none."""

    def history(self, query: HistoryQuery) -> Iterator[RunRecord]:
        """Yield runs, newest first."""

    def alias(self, old: str, new: str, created_us: int) -> None:
        """Declare that ``old`` is ``new`` from now on and for all that is stored.

        Raises MissingInputError when ``old`` was never seen, UsageError for a cycle or an alias of an alias's own.
        Evidence of both is dropped, and computed anew by the caller (:meth:`amending`).
        """

    def aliases(self) -> list[Alias]:
        """Return all aliases, by old name."""

    def health(self, *, deep: bool = False) -> StoreHealth:
        """Check the store; ``deep`` also compares indexes with tables and rows with what they refer to."""

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the main file where the backend has one."""

    def is_moved(self) -> bool:
        """Whether the open store is no longer the one at its location (deleted, renamed, replaced)."""

    def set_aside(self) -> str:
        """Close a damaged store and move it aside, whole, under a name that says so; return where it is now."""

    def close(self) -> None:
        """Release everything; safe to call twice."""
