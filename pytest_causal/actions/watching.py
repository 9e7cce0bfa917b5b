"""Watching changes that were made: the signals of each session since, against the triggers of the promotion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pytest_causal.actions.gating import gating_scenarios
from pytest_causal.actions.validity import validity
from pytest_causal.model.change import CONTROL
from pytest_causal.model.promotion import FAILURE_RATE, TIMEOUT_RATE, Promotion
from pytest_causal.model.run import ReadHow
from pytest_causal.model.session import Session, SessionState
from pytest_causal.model.signal import MetricSum, SessionSample
from pytest_causal.policy.in_force import Policy
from pytest_causal.rules.watch import Signals, Watched, mean, watch
from pytest_causal.store.interface import HistoryStore

_BASELINE_SESSIONS = 7
_LOOKED_AT = 200
"""Sessions that are looked through for those that count."""


class Watch(NamedTuple):
    """What has been seen of a change since it was made: sessions that count, the newest last, and the judgement."""

    sessions: tuple[int, ...]
    signals: tuple[Signals, ...]
    watched: Watched
    failing: tuple[str, ...]


def watch_promotion(store: HistoryStore, promotion: Promotion, policy: Policy) -> Watch:
    """Judge a change that was made by the sessions since: trusted, finished, whole, and with a run that read it."""
    since = [each for each in _countable(store) if each.number > promotion.session]
    seen = [(each, _Session(store, each.number, promotion, policy)) for each in since]
    counted = [(session, view) for session, view in seen if view.is_telling]
    signals = tuple(view.signals() for _, view in counted)
    watched = watch(promotion.triggers, signals, dict(promotion.baseline))
    failing = counted[-1][1].failing([fired.signal for fired in watched.fired]) if watched.fired else ()
    return Watch(tuple(session.number for session, _ in counted), signals, watched, failing)


def baseline(store: HistoryStore, promotion: Promotion, policy: Policy) -> tuple[tuple[str, float], ...]:
    """Return the mean of each signal over the newest sessions before the change, at most seven; by signal."""
    found: dict[str, list[float]] = defaultdict(list)
    sessions = 0
    for session in reversed(_countable(store)):
        view = _Session(store, session.number, promotion, policy)
        if not view.is_telling:
            continue
        for signal, value in view.signals().items():
            if value is not None:
                found[signal].append(value)
        sessions += 1
        if sessions == _BASELINE_SESSIONS:
            break
    means = ((signal, mean(values)) for signal, values in sorted(found.items()))
    return tuple((signal, value) for signal, value in means if value is not None)


def _countable(store: HistoryStore) -> list[Session]:
    """Return the newest sessions that may say something, oldest first."""
    return [
        each
        for each in reversed(store.sessions(limit=_LOOKED_AT))
        if each.facts.is_trusted and each.ending.state is SessionState.FINISHED and not each.ending.broken
    ]


class _Session:
    """The runs of one session that speak of a change, under today's policy and in the control arm."""

    def __init__(self, store: HistoryStore, session: int, promotion: Promotion, policy: Policy) -> None:
        self._names = {each.id: each.name for each in gating_scenarios(store, promotion.scenarios)}
        self._paths = set(promotion.change.paths)
        self._reads_of = _reads_of(store)
        holds = validity(store, lambda: policy.read_values)
        self._samples = [
            each
            for each in store.sample(session, self._names)
            if each.arm == CONTROL and holds(each.reads_id)
        ]

    @property
    def is_telling(self) -> bool:
        """Whether a run read a changed value."""
        return any(self._has_read(each) for each in self._samples)

    def signals(self) -> Signals:
        """Return the value of each signal in this session."""
        runs = sum(each.runs for each in self._samples)
        found: dict[str, float | None] = {}
        if runs:
            found[FAILURE_RATE] = sum(each.failures for each in self._samples) / runs
            found[TIMEOUT_RATE] = sum(each.timeouts for each in self._samples) / runs
        for name in {name for each in self._samples for name, _ in each.metrics}:
            sums = [total for each in self._samples for metric, total in each.metrics if metric == name]
            whole = MetricSum(*map(sum, zip(*sums, strict=True)))
            found[name] = None if whole.broken else whole.mean
        return found

    def failing(self, signals: Sequence[str]) -> tuple[str, ...]:
        """Return the scenarios to learn from: those that failed, else those that reported one of these signals."""
        bad = [each for each in self._samples if each.failures]
        if not bad:
            bad = [each for each in self._samples if {name for name, _ in each.metrics} & set(signals)]
        return tuple(sorted({self._names[each.scenario_id] for each in bad}))

    def _has_read(self, sample: SessionSample) -> bool:
        return any(path in self._paths for path in self._reads_of(sample.reads_id))


def _reads_of(store: HistoryStore) -> Callable[[int], Iterable[str]]:
    known: dict[int, tuple[str, ...]] = {}

    def reads(reads_id: int) -> tuple[str, ...]:
        if reads_id not in known:
            taken = store.reads(reads_id)
            known[reads_id] = tuple(read.path for read in taken if read.how is not ReadHow.ASSIGNED)
        return known[reads_id]

    return reads
