"""Profiles: named, immutable sets of policy values, one JSON file each.

A profile is read, never written: its content is kept, so that one changed while in use is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_causal.errors import ConfigError
from pytest_causal.policy.bounds import Bound, read_bounds
from pytest_causal.policy.json_document import JsonDocument, parse_json
from pytest_causal.policy.schema_check import check
from pytest_causal.policy.tree import TreeError, flatten
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.text_file import decode, read_bytes

SCHEMA = "causal.profile/1"
MAX_CHAIN = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_DEVICES = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.ASCII)
_PACKAGE = Path(__file__).parent.parent


class UnknownProfileError(ConfigError):
    """There is no profile of that name."""

    def __init__(self, name: str, what: str, remedy: str) -> None:
        """Take the name, and the line that a person reads."""
        super().__init__(what, remedy)
        self.name = name


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A profile as read.

    ``leaves`` is dotted path -> value, in the order written; ``kpi`` is set -> metric -> limit name -> number.
    ``content`` is the whole file. ``is_bare`` says that the file is the values alone.
    """

    name: str
    path: Path
    content: bytes
    leaves: Mapping[str, Any]
    extends: str = ""
    description: str = ""
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    kpi: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    document: JsonDocument
    is_bare: bool = False

    def line(self, path: str) -> int:
        """Return the line on which the value at a dotted path stands."""
        prefix = () if self.is_bare else ("values",)
        return self.document.line((*prefix, *path.split(".")))

    @property
    def sha256(self) -> str:
        """The hash of the file's content, in hex."""
        import hashlib

        return hashlib.sha256(self.content).hexdigest()

    def has_changed(self) -> bool:
        """Return whether the file on disk is no longer the one that was read."""
        try:
            return read_bytes(self.path) != self.content
        except (FileNotFoundError, ConfigError):
            return True


def shipped_profiles() -> Path:
    """Return the directory of the profiles that come with the package."""
    inside = _PACKAGE / "profiles"
    return inside if inside.is_dir() else _PACKAGE.parent / "profiles"  # the latter in a checkout


def search_path(profiles: str) -> tuple[Path, ...]:
    """Return where profiles are looked for, in order: the user's directory, then the one shipped with us."""
    own, shipped = Path(profiles), shipped_profiles()
    return (own,) if own == shipped else (own, shipped)


def is_profile_name(name: str) -> bool:
    """Return whether a profile may be called that: a plain file name on every system."""
    return bool(_NAME.fullmatch(name)) and not _DEVICES.fullmatch(name)


def list_profiles(search: Iterable[Path]) -> dict[str, Path]:
    """Return name -> file of every profile that can be found, the first of a name winning, sorted."""
    found: dict[str, Path] = {}
    for directory in search:
        for path in sorted(directory.glob("*.json")):
            if is_profile_name(path.stem):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def load_profile(name: str, search: Sequence[Path]) -> Profile:
    """Return a profile by name.

    Raises :class:`ConfigError` for a name that is none, an unknown one (naming the nearest and the places
    searched), a file outside its directory, and a file that is not a profile (with file, line, path, what was
    found and what was expected).
    """
    if not is_profile_name(name):
        raise ConfigError(f"{shown(name)} is no profile name", "a name is letters, digits, '_', '-' and '.'")
    for directory in search:
        path = directory / f"{name}.json"
        try:
            if not path.resolve(strict=True).is_relative_to(directory.resolve()):
                raise ConfigError(f"profile {path} leads out of {directory}", "put the file itself there")
            content = read_bytes(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return _read(name, path, content)
    places = " and ".join(str(directory) for directory in search)
    nearest = did_you_mean(name, list_profiles(search))
    raise UnknownProfileError(name, f"no profile {name!r} in {places}", nearest)


def load_chain(name: str, search: Sequence[Path]) -> tuple[Profile, ...]:
    """Return a profile and those it extends, the lowest first. Raises as :func:`load_profile`, and for a cycle."""
    chain = [load_profile(name, search)]
    while above := chain[-1].extends:
        names = [profile.name for profile in chain]
        if above in names or len(chain) >= MAX_CHAIN:
            place = chain[-1].document.at(("extends",))
            raise ConfigError(
                f"{place}: profiles extend in a circle: {' > '.join([*names, above])}", "break it"
            )
        chain.append(load_profile(above, search))
    return tuple(reversed(chain))


def _read(name: str, path: Path, content: bytes) -> Profile:
    document = parse_json(decode(content, path), str(path))
    is_bare = isinstance(document.data, dict) and not {"schema", "values"} & document.data.keys()
    check(document, "profile", part="values" if is_bare else "")
    data = {"values": document.data} if is_bare else document.data
    stated = data.get("name", name)
    if stated != name:
        raise ConfigError(
            f"{document.at(('name',))}: name is {stated!r}", f"expected the file's name, {name!r}"
        )
    return Profile(
        name=name,
        path=path,
        content=content,
        leaves=_leaves(data["values"], document, is_bare=is_bare),
        extends=data.get("extends", ""),
        description=data.get("description", ""),
        bounds=read_bounds(data.get("bounds", {}), lambda key: document.at(("bounds", *key))),
        kpi=_kpi(data.get("kpi", {}), document),
        document=document,
        is_bare=is_bare,
    )


def _leaves(values: Mapping[str, Any], document: JsonDocument, *, is_bare: bool) -> dict[str, Any]:
    try:
        return flatten(values)
    except TreeError as error:
        place = document.at((*(() if is_bare else ("values",)), *error.path))
        raise ConfigError(
            f"{place}: {'.'.join(error.path)}: {error}", "correct it or leave it out"
        ) from error


def _kpi(sets: Mapping[str, Any], document: JsonDocument) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Return the limits, having refused those that nothing can meet or that could only warn after failing."""
    for name, metrics in sets.items():
        for metric, limit in metrics.items():
            ascending = [limit[key] for key in ("min", "soft_min", "soft_max", "max") if key in limit]
            if ascending != sorted(ascending):
                place = document.at(("kpi", name, metric))
                raise ConfigError(
                    f"{place}: kpi.{name}.{metric}: the limits {shown(limit)} cannot be met in order",
                    "expected min <= soft_min <= soft_max <= max",
                )
    return sets
