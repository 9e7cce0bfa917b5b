"""A real store, and sessions recorded into it in one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.actions.conclude import conclude_session
from pytest_causal.actions.judgements import Judged
from pytest_causal.model.criteria import Criteria
from pytest_causal.model.promotion import PromotionRule
from pytest_causal.model.run import NO_READS, Cause, Outcome, Phase, Read, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.opening import open_store
from tests.actions.world import OPEN

NOW_US = 1_763_700_000_000_000
OUTCOMES = {
    "p": Outcome.PASSED,
    "f": Outcome.FAILED,
    "e": Outcome.ERROR,
    "s": Outcome.SKIPPED,
    "m": Outcome.MISSING,
    "c": Outcome.CRASHED,
}


@pytest.fixture(autouse=True)
def close_worlds() -> Iterator[None]:
    """Close what the worlds of a test have left open."""
    yield
    while OPEN:
        OPEN.pop().close()


class History:
    """Records sessions given as scenario -> letters, one letter a run."""

    def __init__(self, store: HistoryStore) -> None:
        self.store = store
        self.criteria = Criteria(min_runs=2)
        self.is_valid = lambda reads_id: reads_id == NO_READS
        self.rules: tuple[PromotionRule, ...] = ()
        self._number = itertools.count(1)

    def runs(
        self, spec: Mapping[str, str], reads: tuple[Read, ...] = (), error: str = "ValueError"
    ) -> list[Run]:
        cause = Cause(phase=Phase.CALL, type=error, message="")
        return [
            Run(
                scenario=scenario,
                nodeid=scenario,
                outcome=OUTCOMES[letter],
                started_us=NOW_US,
                occurrence=place,
                cause=None if letter == "p" else cause,
                reads=reads,
            )
            for scenario, letters in spec.items()
            for place, letter in enumerate(letters, 1)
        ]

    def begin(
        self, spec: Mapping[str, str], *, reads: tuple[Read, ...] = (), error: str = "E", **facts: Any
    ) -> int:
        uid = f"uid-{next(self._number)}"
        session = self.store.begin_session(
            SessionFacts(**{"uid": uid, "key": uid, "started_us": NOW_US, **facts})
        )
        self.store.add_runs(session, self.runs(spec, reads, error))
        return session

    def conclude(
        self, session: int, *, finished_us: int | None = None, state: SessionState = SessionState.FINISHED
    ) -> dict[str, Judged]:
        at = NOW_US + session * 1_000_000 if finished_us is None else finished_us
        _, judgements = conclude_session(
            self.store,
            session,
            SessionEnding(state=state, finished_us=at),
            self.criteria,
            is_valid=self.is_valid,
            rules=self.rules,
        )
        judged = judgements.shown()
        assert len(judged) == sum(judgements.counts.values())
        names = self.store.scenario_names([each.scenario_id for each in judged])
        return {names[each.scenario_id]: each for each in judged}

    def session(
        self, spec: Mapping[str, str], state: SessionState = SessionState.FINISHED, **kw
    ) -> dict[str, Judged]:
        return self.conclude(self.begin(spec, **kw), state=state)


@pytest.fixture
def open_history(tmp_path: Path) -> Iterator[Callable[..., History]]:
    opened: list[HistoryStore] = []

    def make(name: str = "history.db") -> History:
        opened.append(open_store(str(tmp_path / name)))
        return History(opened[-1])

    yield make
    for store in opened:
        store.close()


@pytest.fixture(scope="session")
def history_of():
    """``History`` itself, for tests that open a store for each example."""
    return History


@pytest.fixture
def history(open_history: Callable[[], History]) -> History:
    return open_history()
