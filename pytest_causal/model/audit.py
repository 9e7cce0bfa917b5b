"""The audit: what was done and decided, in a chain of rows that cannot be changed unnoticed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class AuditRow(NamedTuple):
    """One row as stored. ``document`` is JSON text; ``hash`` is SHA-256 of the hash before and the document, in hex."""

    number: int
    document: str
    hash: str


class Live(NamedTuple):
    """The values above the profile as last audited, of which the override file is a projection.

    ``leaves`` is dotted path -> value; ``entries`` is dotted path -> (who, when, revision). The two ``before`` fields
    say what the file held before it was to hold this: a file that still does was not written yet.
    """

    revision: int = 0
    fingerprint: str = ""
    leaves: Mapping[str, Any] = {}
    entries: Mapping[str, tuple[str, str, int]] = {}
    before_revision: int = 0
    before_fingerprint: str = ""
    audited: int = 0
    audit_hash: str = ""
