"""Measures the service under a policy that it is handed: the program that ``causal trial`` can run in both arms.

The policy stands in the JSON file that ``CAUSAL_POLICY_FILE`` names. What was measured, and the values that the
service really took, go into the file that ``CAUSAL_RESULT_FILE`` names. Standard library only: the protocol is two
files. Exits 1 where a question was refused.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from query_service import catalogue, dataset
from query_service.load import LoadReport, run_load
from query_service.service import QueryService

SEED = 20_261_101


class TakenValues(Mapping[str, Any]):
    """A nested policy that remembers each value taken from it, by its dotted path."""

    def __init__(self, table: Mapping[str, Any], taken: dict[str, Any], path: str = "") -> None:
        self._table = table
        self._path = path
        self.taken = taken

    def __getitem__(self, key: str) -> Any:
        """Return a table, or a value, which is remembered."""
        path = f"{self._path}.{key}" if self._path else key
        inner = self._table[key]
        if isinstance(inner, Mapping):
            return TakenValues(inner, self.taken, path)
        self.taken[path] = inner
        return inner

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of this table."""
        return iter(self._table)

    def __len__(self) -> int:
        """Return how many keys this table has."""
        return len(self._table)


def measure(policy: Mapping[str, Any], *, orders: int, clients: int) -> LoadReport:
    """Build a shop, ask it for reports with some clients, and return what they saw."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shop.db")
        dataset.build(path, seed=SEED, orders=orders)
        queries = [
            catalogue.revenue(region, days=days) for days in (30, 90, 365) for region in dataset.REGIONS
        ]
        with QueryService(path, policy) as service:
            return run_load(service, queries, clients=clients)


def main() -> int:
    """Measure once; return 1 where a question was refused."""
    parser = argparse.ArgumentParser(description="Measure the query service under the policy it is handed.")
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    given = json.loads(Path(os.environ["CAUSAL_POLICY_FILE"]).read_text("utf-8"))
    policy = TakenValues(given, {})
    report = measure(policy, orders=options.orders, clients=options.clients)
    metrics: dict[str, float] = {}
    report.record(metrics.__setitem__)
    answer = {"metrics": metrics, "policy": policy.taken}
    Path(os.environ["CAUSAL_RESULT_FILE"]).write_text(json.dumps(answer), "utf-8")
    for refusal, count in report.refusals.items():
        print(f"error: {count} questions refused: {refusal.__name__}")
    return 1 if report.refusals else 0


if __name__ == "__main__":
    raise SystemExit(main())
