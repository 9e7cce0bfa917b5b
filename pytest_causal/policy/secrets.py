"""Values that must not be shown: those a person declared, and text whose name says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.tree import is_at_or_under

MASK = "***"
_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "credential", "credentials"}
)
_PAIRS = frozenset({"api_key", "access_key", "private_key", "secret_key", "signing_key", "encryption_key"})
_BOUNDARY = r"(?<=[a-z0-9])(?=[A-Z])|[-_ ]+"  # compiled when first used: not every session has a policy


def secret_paths(leaves: Mapping[str, Any], declared: Iterable[str]) -> frozenset[str]:
    """Return the dotted paths that hold secrets.

    ``declared`` names leaves or whole tables. By name only text and lists are secret: ``max_tokens = 4096`` is not.
    """
    tables = tuple(declared)
    return frozenset(
        path
        for path, value in leaves.items()
        if any(is_at_or_under(path, table) for table in tables)
        or (isinstance(value, str | tuple) and value and _is_secret_name(path))
    )


def read_value(path: str, value: Any, secrets: frozenset[str]) -> str:
    """Return the text under which a read of a value is recorded: canonical JSON, or a hash of it for a secret."""
    text = canonical(value)
    if path not in secrets:
        return text
    import hashlib

    return canonical("sha256:" + hashlib.sha256(f"{path}={text}".encode()).hexdigest())


def masked(leaves: Mapping[str, Any], secrets: frozenset[str]) -> dict[str, Any]:
    """Return the leaves as they may be shown."""
    return {path: MASK if path in secrets else value for path, value in leaves.items()}


def _is_secret_name(path: str) -> bool:
    words = re.sub(_BOUNDARY, "_", path.rpartition(".")[2]).lower().split("_")
    pairs = {f"{first}_{second}" for first, second in pairwise(words)}
    return not _WORDS.isdisjoint(words) or not _PAIRS.isdisjoint(pairs)
