"""Which running states are evidence under a policy: those whose runs read the values that are in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_causal.store.interface import HistoryStore


def validity(store: HistoryStore, policy: Callable[[], Mapping[str, str]]) -> Callable[[int], bool]:
    """Return whether what a reads id stands for has the values of the policy; each id is looked up once.

    ``policy`` gives dotted path -> canonical JSON of the values in force, and is called when it is first needed.
    """
    known: dict[int, bool] = {}
    values: list[Mapping[str, str]] = []

    def is_valid(reads_id: int) -> bool:
        if reads_id not in known:
            if not values:
                values.append(policy())
            known[reads_id] = all(values[0].get(read.path) == read.value for read in store.reads(reads_id))
        return known[reads_id]

    return is_valid
