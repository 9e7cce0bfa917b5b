"""The evening rush: the program that a soak of the query service runs in each iteration.

Waves of customers ask for their cards, all at one moment. The longer the queue, the fewer are turned away, and the
longer the last one waits. The policy stands in the JSON file that ``CAUSAL_POLICY_FILE`` names; what was measured, and
the values that the service really took, go into the one that ``CAUSAL_RESULT_FILE`` names. Turning customers away is
what is measured here, and no error.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from query_service import catalogue, dataset
from query_service.budget import QueueFullError
from query_service.engine import Answer
from query_service.load import percentile
from query_service.measure import TakenValues
from query_service.service import QueryService

ORDERS = 300


@dataclass(kw_only=True)
class Rush:
    """What the customers of all waves saw. Waits are from the moment of the wave."""

    asked: int = 0
    waits_ms: list[float] = field(default_factory=list)

    def wave(self, service: QueryService, customers: int) -> None:
        """Let so many customers ask at one moment, and wait for those who were taken."""
        began = time.perf_counter()

        def note(_: Future[Answer]) -> None:
            self.waits_ms.append((time.perf_counter() - began) * 1000)

        taken = []
        for customer in range(1, customers + 1):
            self.asked += 1
            try:
                future = service.submit(catalogue.customer_card(customer))
            except QueueFullError:
                continue
            future.add_done_callback(note)
            taken.append(future)
        for future in taken:
            future.result()

    def metrics(self) -> dict[str, float]:
        """Return the share of customers who were taken, and how long those waited."""
        return {
            "taken_ratio": len(self.waits_ms) / self.asked,
            "p95_wait_ms": percentile(self.waits_ms, 0.95),
            "longest_wait_ms": max(self.waits_ms),
        }


def rush(policy: Mapping[str, Any], *, seed: int, waves: int, customers: int) -> dict[str, float]:
    """Open a shop, let the waves come, and return the metrics."""
    seen = Rush()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shop.db")
        dataset.build(path, seed=seed, orders=ORDERS)
        with QueryService(path, policy) as service:
            for _ in range(waves):
                seen.wave(service, customers)
    return seen.metrics()


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description="One iteration of the evening rush.")
    parser.add_argument("--waves", type=int, default=20)
    parser.add_argument("--customers", type=int, default=60)
    options = parser.parse_args()
    given = json.loads(Path(os.environ["CAUSAL_POLICY_FILE"]).read_text("utf-8"))
    policy = TakenValues(given, {})
    seed = int(os.environ.get("SOAK_SEED", "1"))
    metrics = rush(policy, seed=seed, waves=options.waves, customers=options.customers)
    answer = {"metrics": metrics, "policy": policy.taken}
    Path(os.environ["CAUSAL_RESULT_FILE"]).write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main()
