"""A bounded pool of workers in front of the engines."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

from query_service.budget import Budget, Policy, QueueFullError
from query_service.catalogue import Query
from query_service.engine import Answer, Engine


class QueryService:
    """Answers queries on ``pool.size`` threads; at most ``pool.queue_limit`` more wait.

    The memory of the pool, ``pool.memory_kib``, is shared by its workers: the more of them, the less cache each can
    have, whatever the tier of a query would allow. Use it in a ``with`` block; leaving it waits for what runs.
    """

    def __init__(self, path: Path, policy: Policy) -> None:
        pool = policy["pool"]
        size: int = pool["size"]
        self._policy = policy
        self._share_kib = pool["memory_kib"] // size
        self._room = threading.BoundedSemaphore(size + pool["queue_limit"])
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="query")
        self._engines: SimpleQueue[Engine] = SimpleQueue()
        for _ in range(size):
            self._engines.put(Engine(path))
        self._size = size

    def submit(self, query: Query) -> Future[Answer]:
        """Queue a query under the budgets of its tier; its errors come with the future.

        Raises QueueFullError where no room is left.
        """
        budget = Budget.of(self._policy, query.tier)
        budget = replace(budget, cache_kib=min(budget.cache_kib, self._share_kib))
        if not self._room.acquire(blocking=False):
            raise QueueFullError(f"{query.name}: no room in the queue")
        future = self._threads.submit(self._answer, query, budget)
        future.add_done_callback(lambda _: self._room.release())
        return future

    @property
    def policy(self) -> Policy:
        """The policy that queries are taken under."""
        return self._policy

    def reload(self, policy: Policy) -> None:
        """Take queries under another policy from now on. What was submitted keeps its budget; the pool its layout."""
        self._policy = policy

    def __enter__(self) -> QueryService:
        """Return the service itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for running queries, drop waiting ones, and close the connections."""
        self._threads.shutdown(cancel_futures=True)
        for _ in range(self._size):
            self._engines.get().close()

    def _answer(self, query: Query, budget: Budget) -> Answer:
        engine = self._engines.get()
        try:
            return engine.answer(query, budget)
        finally:
            self._engines.put(engine)
