"""The override file: the mutable values above the profile. Only promotions and reverts write it.

It is a projection of the audit trail: it holds the values, the revision they belong to and a fingerprint of them,
so that a change by hand, or a write that lost a race, is noticed and not built upon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import CausalError, ConfigError, ExitCode
from pytest_causal.policy.atomic_file import only_writer, replace_file
from pytest_causal.policy.canonical import fingerprint
from pytest_causal.policy.json_document import JsonDocument, parse_json
from pytest_causal.policy.schema_check import check
from pytest_causal.policy.tree import TreeError, flatten, nest
from pytest_causal.settings.text_file import read_text

SCHEMA = "causal.overrides/1"


class StaleRevisionError(CausalError):
    """The override file is no longer what the writer read: another writer, or a person, was first."""

    exit_code = ExitCode.BUSY


class Entry(NamedTuple):
    """Who set a value (such as ``promotion P-7``), when (UTC, ``2026-11-02T10:00:00Z``) and in which revision."""

    by: str
    at: str
    revision: int


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What the file holds: dotted path -> value, and who set each. Revision 0 stands for no file.

    ``fingerprint`` is the one stated in the file.
    """

    path: Path
    revision: int = 0
    leaves: Mapping[str, Any] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    fingerprint: str = ""
    document: JsonDocument | None = None

    @cached_property
    def is_edited(self) -> bool:
        """Whether the values are not those that the writer of this revision wrote."""
        return self.revision > 0 and self.fingerprint != fingerprint(self.leaves)

    def line(self, path: str) -> int:
        """Return the line on which the value at a dotted path stands."""
        return self.document.line(("values", *path.split("."))) if self.document else 0


def read_overrides(path: Path) -> Overrides:
    """Return what the file holds; nothing, where there is none.

    Raises :class:`ConfigError` with file and line for a file that is damaged or not of this schema: it is never
    taken for "no overrides".
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        return Overrides(path=path)
    try:
        document = parse_json(text, str(path))
        check(document, "overrides")
    except ConfigError as error:
        raise ConfigError(
            error.what, f"{error.remedy}, or have it written anew: causal reconcile --audit"
        ) from error
    data = document.data
    try:
        leaves = flatten(data["values"])
    except TreeError as error:
        place = document.at(("values", *error.path))
        raise ConfigError(f"{place}: {'.'.join(error.path)}: {error}", "run causal reconcile") from error
    return Overrides(
        path=path,
        revision=int(data["revision"]),
        leaves=leaves,
        entries={key: Entry(**entry) for key, entry in data.get("entries", {}).items()},
        fingerprint=data["fingerprint"],
        document=document,
    )


def write_overrides(read: Overrides, leaves: Mapping[str, Any], entries: Mapping[str, Entry]) -> Overrides:
    """Replace the file that was ``read`` by ``leaves`` (dotted path -> value), as the next revision.

    Compare and swap: raises :class:`StaleRevisionError`, having changed nothing, where the file is no longer what
    was read or was edited by hand, and :class:`~pytest_causal.errors.StoreError` where it cannot be written.
    """
    path = read.path
    with only_writer(path):
        current = read_overrides(path)
        if current.is_edited:
            what = f"{path} was edited by hand since revision {current.revision}"
            raise StaleRevisionError(what, "run causal reconcile")
        if (current.revision, current.fingerprint) != (read.revision, read.fingerprint):
            what = f"{path} is at revision {current.revision}, not {read.revision}"
            raise StaleRevisionError(what, "read it again and decide anew")
        put_overrides(path, current.revision + 1, leaves, entries)
    return read_overrides(path)


def put_overrides(path: Path, revision: int, leaves: Mapping[str, Any], entries: Mapping[str, Entry]) -> None:
    """Replace the file, whatever it holds, by ``leaves`` as a stated revision; for the one who holds its lock.

    Raises :class:`~pytest_causal.errors.StoreError` where it cannot be written.
    """
    data = {
        "schema": SCHEMA,
        "revision": revision,
        "fingerprint": fingerprint(leaves),
        "values": nest(leaves),
        "entries": {key: _entry(entries[key]) for key in sorted(entries)},
    }
    replace_file(path, (json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode())


def _entry(entry: Entry) -> dict[str, Any]:
    return {"by": entry.by, "at": entry.at, "revision": entry.revision}
