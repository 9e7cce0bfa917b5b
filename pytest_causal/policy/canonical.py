"""One spelling for one value, so that values and whole policies can be compared as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_EXACT_WHOLE = 2.0**53
_FINGERPRINT_DIGITS = 16


def canonical(value: Any) -> str:
    """Return the canonical JSON of a value: sorted keys, no spaces, ASCII, and one form for each number.

    1 and 1.0 are one number and read ``1``; so do 0, 0.0 and -0.0. Raises :class:`ValueError` for NaN and
    infinity, :class:`TypeError` for what JSON has no form for.
    """
    return json.dumps(_normal(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(leaves: Mapping[str, Any]) -> str:
    """Return 16 hex digits of SHA-256 over dotted path -> value; the order of the leaves does not matter."""
    import hashlib  # loads a cryptographic library, which not every use of a policy needs

    return hashlib.sha256(canonical(leaves).encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def _normal(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if abs(value) < _EXACT_WHOLE and value.is_integer() else value
    if isinstance(value, Mapping):
        return {key: _normal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    return value
