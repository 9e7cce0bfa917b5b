"""The history store in one SQLite file: the contract of the interface, kept by the parts around here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from sqlite3 import Connection
from typing import TYPE_CHECKING

from pytest_causal.errors import StoreError, StoreRefusedError
from pytest_causal.model.run import Outcome, Read, Run
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import Session, SessionEnding, SessionFacts
from pytest_causal.store import runs as stored_runs
from pytest_causal.store import scenarios as stored_scenarios
from pytest_causal.store import sessions as stored_sessions
from pytest_causal.store.database import translated
from pytest_causal.store.identities import Identities
from pytest_causal.store.location import examine
from pytest_causal.store.sqlite_opening import Opened

if TYPE_CHECKING:
    from pytest_causal.model.audit import AuditRow, Live
    from pytest_causal.model.evidence import Evidence, Tally
    from pytest_causal.model.promotion import Lesson, Promotion
    from pytest_causal.model.signal import SessionSample
    from pytest_causal.store.conclusion import SqliteConclusion, SqliteLedger
    from pytest_causal.store.interface import Alias, HistoryQuery, RunRecord, Scenario, StoreHealth
    from pytest_causal.store.promotions import SqlitePromotionLedger
    from pytest_causal.store.signals import Standings

_STAMP = "UPDATE origin SET writes = writes + 1"


class SqliteStore:
    """A :class:`~pytest_causal.store.interface.HistoryStore` in one file; ``location`` is the path as it was given.

    ``notices`` says what happened at opening that a person should know: a damaged file was set aside, say.
    """

    def __init__(self, opened: Opened, *, location: str, now_us: Callable[[], int]) -> None:
        self.location = location
        self.notices = opened.notices
        self._opened = opened
        self._database = opened.database
        self._now_us = now_us
        self._identities = Identities()
        self._database.on_rollback = self._identities.forget

    @property
    def busy_seconds(self) -> float:
        """How long a write waits for another writer before it raises StoreBusyError; may be set at any time."""
        return self._database.busy_seconds

    @busy_seconds.setter
    def busy_seconds(self, seconds: float) -> None:
        self._database.busy_seconds = seconds

    def begin_session(self, facts: SessionFacts) -> int:
        """Store a session as running and return its number. A uid that is already stored is refused (DataError)."""
        with self._writing() as connection:
            return stored_sessions.begin(connection, facts)

    def add_runs(self, session: int, runs: Sequence[Run]) -> None:
        """Store whole runs of a running session, all or none. Raises DataError for a session that is not running."""
        if runs:
            with self._writing() as connection:
                first, last = stored_runs.add_runs(connection, self._identities, session, runs)
                stored_sessions.extend(connection, session, first, last)

    def declare(self, declarations: Sequence[Declaration]) -> None:
        """Keep what tests declare of their scenarios, replacing what was declared before; unseen names are added."""
        changed = stored_scenarios.undeclared(self._database, declarations)
        if changed:
            with self._writing() as connection:
                stored_scenarios.declare(connection, changed)

    def declarations(self) -> dict[int, Declaration]:
        """Return, by scenario id, the declarations that change criteria."""
        return stored_scenarios.read_declarations(self._database)

    @contextmanager
    def concluding(self, session: int, ending: SessionEnding) -> Iterator[SqliteConclusion]:
        """Open the one transaction in which a session ends, gets its order, and has its evidence folded.

        Raises DataError for a session that was concluded before, MissingInputError for one that is not stored.
        """
        from pytest_causal.store.conclusion import SqliteConclusion  # the first test does not wait for it

        with self._transaction() as connection:
            stored_sessions.end(connection, session, ending)
            conclusion = SqliteConclusion(connection, self._identities, session)
            yield conclusion
            conclusion.finish()

    @contextmanager
    def amending(self) -> Iterator[SqliteLedger]:
        """Open a transaction in which evidence is computed anew outside any session: after an alias, say."""
        from pytest_causal.store.conclusion import SqliteLedger

        with self._transaction() as connection:
            ledger = SqliteLedger(connection, self._identities)
            yield ledger
            ledger.finish()

    def dead_sessions(self) -> list[Session]:
        """Return sessions still marked running whose process is gone."""
        return stored_sessions.dead_sessions(self._database)

    def session(self, number: int) -> Session:
        """Return one session; raises MissingInputError."""
        return stored_sessions.read_session(self._database, number)

    def sessions(self, limit: int | None = None) -> list[Session]:
        """Return sessions, newest first."""
        return stored_sessions.read_sessions(self._database, limit)

    def find_session(self, uid: str) -> Session | None:
        """Return the session with this uid, if it is stored."""
        return stored_sessions.find_session(self._database, uid)

    def outcome_counts(self, session: int) -> dict[Outcome, int]:
        """Return how many runs of a session ended each way."""
        return stored_sessions.outcome_counts(self._database, session)

    def failure_kinds(self, session: int) -> dict[tuple[Outcome, str], int]:
        """Return how many runs of a session ended with each (outcome, cause type); superseded runs left out."""
        return stored_sessions.failure_kinds(self._database, session)

    def scenarios(self) -> list[Scenario]:
        """Return all scenarios that are not aliases of another, by name."""
        return stored_scenarios.read_scenarios(self._database)

    def scenario_names(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the names of these scenarios, by id."""
        return stored_scenarios.read_names(self._database, ids)

    def all_evidence(self, criteria_key: str | None = None) -> Iterator[Evidence]:
        """Yield all running states, by scenario then reads, without touching a run."""
        from pytest_causal.store.states import read_all  # the first test does not wait for it

        return read_all(self._database, criteria_key)

    def evidence(self, criteria_key: str, scenario_ids: Iterable[int]) -> list[Evidence]:
        """Return all running states of these scenarios under these criteria, by scenario then reads."""
        from pytest_causal.store.states import read_of

        return list(read_of(self._database, criteria_key, scenario_ids))

    def units(self, scenario_ids: Iterable[int], *, after_order: int = 0) -> Iterator[Tally]:
        """Yield, from the runs, every unit of these scenarios in history order, as :meth:`Ledger.units` does.

        Only sessions later in the history than ``after_order`` are read. Only reads: a union of reads that is not
        stored gets an id that holds while this store is open.
        """
        from pytest_causal.store.units import UnitCounter

        with translated(self._database.path):
            counter = UnitCounter(self._database.connection, self._identities.reads.recall)
            yield from counter.units(scenario_ids, after_order)

    # What promotions need is imported when it is asked for: a session without any does not pay for it.

    def metric_sums(self, scenario_ids: Iterable[int]) -> Standings:
        """Return (scenario id, reads id) -> metric -> what it came to in all sessions that may vouch."""
        from pytest_causal.store.signals import read_standings

        return read_standings(self._database, scenario_ids)

    def sample(self, session: int, scenario_ids: Iterable[int]) -> list[SessionSample]:
        """Return what these scenarios did in one session, by scenario, reads and arm."""
        from pytest_causal.store.signals import read_sample

        return read_sample(self._database, session, scenario_ids)

    def has_promotions(self) -> bool:
        """Whether any change was ever proposed."""
        return bool(self._database.value("SELECT EXISTS (SELECT 1 FROM promotions)"))

    def promotions(self) -> list[Promotion]:
        """Return all promotions, by number."""
        from pytest_causal.store.promotions import read_promotions

        return read_promotions(self._database)

    def live(self) -> Live:
        """Return the values above the profile as last audited."""
        from pytest_causal.store.promotions import read_live

        return read_live(self._database)

    def lessons(self) -> list[Lesson]:
        """Return all lessons, by number."""
        from pytest_causal.store.promotions import read_lessons

        return read_lessons(self._database)

    def audit(self, after: int = 0) -> Iterator[AuditRow]:
        """Yield the rows of the audit that follow a number, oldest first."""
        from pytest_causal.store.promotions import read_audit

        return read_audit(self._database, after)

    @contextmanager
    def acting(self) -> Iterator[SqlitePromotionLedger]:
        """Open the one transaction of an action."""
        from pytest_causal.store.promotions import SqlitePromotionLedger

        with self._transaction() as connection:
            yield SqlitePromotionLedger(connection)

    def reads(self, reads_id: int) -> tuple[Read, ...]:
        """Return the policy leaves behind a reads id; ``NO_READS`` has none."""
        return self._database.ask(lambda connection: self._identities.reads.load(connection, reads_id))

    def history(self, query: HistoryQuery) -> Iterator[RunRecord]:
        """Yield runs, newest first. A scenario's history holds what ran under its other names."""
        scenario_id = stored_scenarios.find_id(self._database, query.scenario) if query.scenario else None
        if query.scenario and scenario_id is None:
            return iter(())
        return stored_runs.read_runs(self._database, query, scenario_id)

    def alias(self, old: str, new: str, created_us: int) -> None:
        """Declare that ``old`` is ``new`` from now on and for all that is stored.

        Evidence of both is dropped and must be computed anew (:meth:`amending`). Raises MissingInputError when ``old``
        was never seen, UsageError for a cycle and where ``old`` is another scenario's name already.
        """
        with self._writing() as connection:
            stored_scenarios.add_alias(connection, old, new, created_us)

    def aliases(self) -> list[Alias]:
        """Return all aliases, by old name."""
        return stored_scenarios.read_aliases(self._database)

    def health(self, *, deep: bool = False) -> StoreHealth:
        """Check the store; ``deep`` also compares indexes with tables and rows with what they refer to."""
        from pytest_causal.store.health import examine_health

        return examine_health(self._opened, location=self.location, deep=deep)

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the main file, as far as readers allow."""
        self._database.fetch("PRAGMA wal_checkpoint(PASSIVE)")

    def is_moved(self) -> bool:
        """Whether the open store is no longer the one at its location (deleted, renamed, replaced)."""
        try:
            return not self._opened.file.is_same_file(examine(self._database.path))
        except (StoreError, StoreRefusedError):
            return True  # something else is there now

    def set_aside(self) -> str:
        """Close a damaged store and move it aside, whole, under a name that says so; return where it is now.

        Empty if the file at the location is another one already: somebody else has moved it.
        """
        from pytest_causal.store.quarantine import holding, set_aside

        path = self._database.path
        busy_seconds = self.busy_seconds
        self.close()
        with holding(path.parent, busy_seconds=busy_seconds):
            moved = set_aside(path, self._opened.file, self._now_us())
        return str(moved or "")

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Open a write transaction, in which a caller may fail by an error of its own."""
        with self._database.writing() as connection:
            connection.execute(_STAMP)
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Open a write transaction in which only this store writes."""
        with translated(self._database.path), self._transaction() as connection:
            yield connection

    def close(self) -> None:
        """Release everything; safe to call twice."""
        self._database.close()
