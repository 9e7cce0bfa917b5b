"""The predecessors' configuration files, read as they are: which they were, and every value with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import ConfigError, DataError
from pytest_causal.policy.json_document import JsonDocument, parse_json
from pytest_causal.policy.tree import TreeError, flatten
from pytest_causal.settings.text_file import decode, read_bytes

_PROFILE_FILES = ("steady_safe_overrides.json", "ultra_safe_overrides.json", "steady_overrides.json")
_APPLIED = "applied_profile.json"
_RUNTIME = ("runtime_overrides.json", "latest/runtime_overrides.json")
_FOLDER = "profiles"


class Kind(StrEnum):
    """What a legacy file was."""

    FOLDER_PROFILE = "profile folder"
    PROFILE = "profile overrides"
    APPLIED = "applied profile"
    RUNTIME = "runtime overrides"


class LegacyFile(NamedTuple):
    """A file as read. ``name`` is that of the profile it belongs to, empty where it has none.

    ``sha256`` (hex) is the hash of its bytes; ``leaves`` is dotted path -> value, of everything in it.
    """

    path: Path
    kind: Kind
    name: str
    sha256: str
    document: JsonDocument
    leaves: Mapping[str, Any]

    def place(self, path: str) -> str:
        """Return ``FILE:LINE`` of the value at a dotted path."""
        return self.document.at(tuple(path.split(".")))


def find_legacy(directory: Path, own_profiles: Path) -> list[LegacyFile]:
    """Return the legacy files below a directory, the weakest first: the order in which the predecessor read them.

    ``own_profiles`` is where today's profiles are; nothing in it is legacy. Raises
    :class:`~pytest_causal.errors.DataError` with file and line for one that cannot be read without loss.
    """
    return [_read(path, kind, name) for path, kind, name in _found(directory, own_profiles)]


def _found(directory: Path, own_profiles: Path) -> Iterator[tuple[Path, Kind, str]]:
    folder = directory / _FOLDER
    if folder.is_dir() and folder.resolve() != own_profiles.resolve():
        for path in sorted(folder.glob("*.json")):
            yield path, Kind.FOLDER_PROFILE, path.stem
    for name in _PROFILE_FILES:
        if (directory / name).exists():
            yield directory / name, Kind.PROFILE, name.removesuffix("_overrides.json")
    if (directory / _APPLIED).exists():
        yield directory / _APPLIED, Kind.APPLIED, ""
    for name in _RUNTIME:
        if (directory / name).exists():
            yield directory / name, Kind.RUNTIME, ""


def _read(path: Path, kind: Kind, name: str) -> LegacyFile:
    try:
        content = read_bytes(path)
        document = parse_json(decode(content, path), str(path))
    except ConfigError as error:
        hint = "; it may be Windows-1252 or 1254" if "not UTF-8" in error.what else ""
        raise DataError(error.what, f"{error.remedy}{hint}") from error
    if not isinstance(document.data, dict):
        raise DataError(f"{path}:1 holds no JSON object", "move it out of the way if it is not configuration")
    try:
        leaves = flatten(document.data)
    except TreeError as error:
        place = document.at(error.path)
        raise DataError(f"{place}: {'.'.join(error.path)}: {error}", "correct or remove it") from error
    return LegacyFile(
        path=path,
        kind=kind,
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        document=document,
        leaves=leaves,
    )
