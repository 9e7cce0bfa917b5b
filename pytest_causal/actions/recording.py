"""Recording: the runs of one session on their way into the store, in small batches, through a store that may fail.

A finished run waits at most for ``BATCH_RUNS`` others or ``BATCH_SECONDS``; what is committed survives a kill. A
busy store is waited for, without holding up the tests; a full or vanished one is tried again at the end; a damaged
one is set aside and a new one begun. None of this reaches the person's run: what went wrong is kept in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_causal import clock
from pytest_causal.errors import StoreBusyError, StoreCorruptError, StoreError
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.run import Run
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState

if TYPE_CHECKING:
    from pytest_causal.actions.judgements import Judgements
    from pytest_causal.model.promotion import PromotionRule
    from pytest_causal.store.interface import HistoryStore

BATCH_RUNS = 500
"""Runs that may wait to be committed together: what a kill can cost. Of 100, each commit cost a run 1 us more."""
BATCH_SECONDS = 0.25
"""How long a run may wait for others to join it."""
RETRY_SECONDS = 1.0
"""How long to leave a store alone that was just busy or failed."""
BUSY_SECONDS_WHILE_TESTING = 0.2
"""How long one commit may hold up the tests; at the end of the session the full patience applies."""


class Recording:
    """One session's record. ``opener`` opens the store (and may set aside a damaged one first)."""

    def __init__(
        self, opener: Callable[[], HistoryStore], facts: SessionFacts, *, busy_seconds: float
    ) -> None:
        self._opener = opener
        self._facts = facts
        self._patience_seconds = busy_seconds
        self._store: HistoryStore | None = None
        self._session = 0
        self._pending: list[Run] = []
        self.flush_at_seconds = clock.monotonic_seconds() + BATCH_SECONDS
        """When the next commit is due, by the monotonic clock. An attribute: it is asked three times a test."""
        self._left_alone_until = 0.0
        self._is_partial = False
        self.recorded = 0
        self.lost = 0
        self.problems: list[str] = []
        self.notices: list[str] = []

    @property
    def session(self) -> int:
        """The number of the session in the store; 0 until it is begun."""
        return self._session

    @property
    def store(self) -> HistoryStore | None:
        """The open store, while there is one."""
        return self._store

    def start(self) -> None:
        """Open the store and begin the session. Raises StoreError."""
        self._begin()

    def add(self, run: Run) -> None:
        """Take a whole run; commit what waits when that is a batch."""
        self._pending.append(run)
        if len(self._pending) >= BATCH_RUNS:
            self.flush()

    def add_all(self, runs: Iterable[Run]) -> None:
        """Take whole runs as they come, a batch or so of them; commit what waits when that is a batch or due."""
        self._pending.extend(runs)
        if len(self._pending) >= BATCH_RUNS or clock.monotonic_seconds() >= self.flush_at_seconds:
            self.flush()

    def flush(self) -> None:
        """Commit what waits. A store that fails leaves it waiting."""
        now = clock.monotonic_seconds()
        if not self._pending or now < self._left_alone_until:
            return
        try:
            self._commit()
            self.flush_at_seconds = now + BATCH_SECONDS
        except StoreCorruptError as error:
            self._start_afresh(error, now)
        except StoreBusyError:
            self._left_alone_until = now + RETRY_SECONDS
        except StoreError as error:
            self._note(str(error))
            self._left_alone_until = now + RETRY_SECONDS

    def conclude(  # noqa: PLR0913 - the last four have defaults and names
        self,
        ending: SessionEnding,
        criteria: Criteria,
        declarations: Sequence[Declaration],
        *,
        policy: Callable[[], Mapping[str, str]] = dict,
        show: int | None = None,
        is_mixed: bool = False,
        rules: Sequence[PromotionRule] = (),
    ) -> tuple[SessionEnding, Judgements]:
        """Commit what waits with full patience, fold the evidence and end the session.

        ``is_mixed`` says that its runs were made under more than the policy in force; ``rules`` are those of promotion.
        Raises StoreError when that cannot be done; ``lost`` then counts the runs that were not recorded.
        """
        # What ends a session is imported when one ends: the first test does not wait for it.
        from pytest_causal.actions.conclude import conclude_dead_sessions, conclude_session
        from pytest_causal.actions.judgements import Judgements
        from pytest_causal.actions.validity import validity

        store = self._store
        if store is None:
            self.lost += len(self._pending)
            return ending, Judgements()
        try:
            store.busy_seconds = self._patience_seconds
            # Ctrl-C may have come when runs were committed and not forgotten yet: each is counted once.
            self._forget(store.session(self._session).runs - self.recorded)
            self._commit()
            if declarations:
                store.declare(declarations)
            if self._is_partial and ending.state is SessionState.FINISHED:
                ending = ending._replace(state=SessionState.INTERRUPTED)
            conclude_dead_sessions(store, criteria, clock.now_us(), rules)
            result = conclude_session(
                store,
                self._session,
                ending,
                criteria,
                is_valid=validity(store, policy),
                show=show,
                is_mixed=is_mixed,
                rules=rules,
            )
        except StoreError:
            self.lost += len(self._pending)
            raise
        self._check_still_there()
        return result

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _begin(self) -> None:
        self._store = store = self._opener()
        self.notices += store.notices
        self._session = store.begin_session(self._facts)
        store.busy_seconds = min(BUSY_SECONDS_WHILE_TESTING, self._patience_seconds)

    def _commit(self) -> None:
        if self._store is None:
            return
        batch = self._pending[:500]
        while batch:
            self._store.add_runs(self._session, batch)
            self._forget(len(batch))
            batch = self._pending[:500]

    def _forget(self, committed: int) -> None:
        self._pending, self.recorded = self._pending[committed:], self.recorded + committed

    def _start_afresh(self, error: StoreCorruptError, now: float) -> None:
        """Set the damaged store aside and go on in a new one; what this session had recorded stays in the old file."""
        if self._store is None:
            return
        self._is_partial = True
        self.lost += self.recorded
        self.recorded = 0
        try:
            self._note(f"{error}; it was set aside as {self._store.set_aside()}")
            self._begin()
            self._commit()
        except StoreError as failure:
            self._note(str(failure))
            self._left_alone_until = now + RETRY_SECONDS

    def _check_still_there(self) -> None:
        if self._store is not None and self._store.is_moved():
            self._note(
                f"{self._store.location} was moved or deleted while this session was recording into it"
            )

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
