"""Real load: clients in a closed loop, each asking its next question when the last was answered."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from query_service.budget import ServiceError, WallTimeExceededError
from query_service.catalogue import Query
from query_service.service import QueryService


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What the clients saw. Latency includes the time in the queue and is that of answered queries only."""

    latencies_ms: tuple[float, ...]
    refusals: Counter[type[ServiceError]]
    elapsed_seconds: float

    @property
    def asked(self) -> int:
        """How many queries were asked."""
        return len(self.latencies_ms) + self.refusals.total()

    @property
    def timeout_ratio(self) -> float:
        """The share of queries that were stopped by their wall-time budget."""
        return self.refusals[WallTimeExceededError] / self.asked

    @property
    def answers_per_second(self) -> float:
        """Answers given in a second of wall time."""
        return len(self.latencies_ms) / self.elapsed_seconds

    def record(self, metric: Callable[[str, float], None]) -> None:
        """Report the figures under stable names."""
        metric("timeout_ratio", self.timeout_ratio)
        metric("answers_per_second", self.answers_per_second)
        if self.latencies_ms:
            metric("p50_latency_ms", percentile(self.latencies_ms, 0.50))
            metric("p95_latency_ms", percentile(self.latencies_ms, 0.95))


def run_load(service: QueryService, queries: Iterable[Query], *, clients: int) -> LoadReport:
    """Ask all queries with ``clients`` threads and return what they saw; an error that is no refusal is raised."""

    def ask(query: Query) -> float | type[ServiceError]:
        asked_at = time.perf_counter()
        try:
            service.submit(query).result()
        except ServiceError as refusal:
            return type(refusal)
        return (time.perf_counter() - asked_at) * 1000

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        seen = list(threads.map(ask, queries))
    return LoadReport(
        latencies_ms=tuple(each for each in seen if isinstance(each, float)),
        refusals=Counter(each for each in seen if not isinstance(each, float)),
        elapsed_seconds=time.perf_counter() - started,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile: the least value that is not below ``share`` of all values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
