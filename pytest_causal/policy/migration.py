"""Carrying out a migration: back up, write, verify by reading again, and only then move the old files aside.

Whatever moment it is killed at, running it again finishes it: until everything is verified the old files stand
untouched and the plan is simply made again; from then on a note says which files are only left to be moved.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import DataError, StoreError
from pytest_causal.policy.atomic_file import only_writer, remove_strays, replace_file, sync_directory
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.layers import OVERRIDES_PATH
from pytest_causal.policy.legacy_files import LegacyFile, find_legacy
from pytest_causal.policy.migration_plan import KnownProfile, Plan, Surroundings, plan_migration, unaccounted
from pytest_causal.policy.overrides import Entry, Overrides, read_overrides, write_overrides
from pytest_causal.policy.profiles import (
    SCHEMA,
    UnknownProfileError,
    is_profile_name,
    load_profile,
    search_path,
    shipped_profiles,
)
from pytest_causal.policy.resolution import resolve
from pytest_causal.policy.tree import nest
from pytest_causal.settings.sources import Settings
from pytest_causal.settings.text_file import read_bytes

DIRECTORY = Path(".causal") / "migration"
"""Where backups and reports are kept, below the root directory."""
ASIDE = ".migrated"
"""What is added to the name of an old file when it is done with."""
_REFERENCE = "steady_safe"


class Output(NamedTuple):
    """A profile to be written: the whole text. ``is_there`` says that the file has these values already."""

    path: Path
    text: str
    is_there: bool


class Migration(NamedTuple):
    """A plan with the files it leads to. ``backup`` is the directory for copies and the report."""

    plan: Plan
    profiles: tuple[Output, ...]
    overrides: Overrides
    are_overrides_there: bool
    backup: Path

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to migrate."""
        return not self.plan.files


def prepare(settings: Settings, directory: Path) -> Migration:
    """Return what would be done with the legacy files below ``directory``; nothing is written.

    Raises :class:`DataError` for a file that cannot be read without loss, and ConfigError for settings or
    profiles of today that cannot be used.
    """
    own = Path(settings.profiles)
    files = find_legacy(directory, own)
    overrides = read_overrides(settings.root / OVERRIDES_PATH)
    around = _surroundings(settings, files, overrides)
    plan = plan_migration(files, around)
    if lost := unaccounted(files, plan.notes):
        raise AssertionError(f"the plan forgets {', '.join(lost)}")
    bad_names = [f"{shown!r} is no profile name" for shown in plan.profiles if not is_profile_name(shown)]
    plan = plan._replace(problems=(*plan.problems, *bad_names))
    return Migration(
        plan=plan,
        profiles=tuple(_output(name, plan, around.profiles.get(name), own) for name in plan.profiles),
        overrides=overrides,
        are_overrides_there=all(path in overrides.leaves for path in plan.overrides),
        backup=settings.root / DIRECTORY / _digest(files, directory),
    )


def carry_out(migration: Migration, *, root: Path, directory: Path, now: str, report: str) -> None:
    """Do what was prepared. ``now`` is a UTC time (``2026-11-02T10:00:00Z``), ``report`` is kept with the backup.

    Raises :class:`DataError` where the plan has problems (nothing is written) or a file read back is not what
    was written, and :class:`StoreError` where the file system refuses; the old files then stand untouched.
    """
    plan = migration.plan
    if plan.problems:
        raise DataError(
            f"nothing was migrated: {plan.problems[0]}", "resolve it and run causal migrate again"
        )
    with only_writer(_state_path(root)):
        for file in plan.files:
            _back_up(file, migration.backup / file.path.relative_to(directory))
        for output in migration.profiles:
            if not output.is_there:
                _write(output.path, output.text.encode())
        if not migration.are_overrides_there:
            _write_overrides(migration, now)
        _verify(migration, root, directory)
        _write(migration.backup / "report.json", report.encode())
        state = {"files": [{"path": str(file.path), "sha256": file.sha256} for file in plan.files]}
        _write(_state_path(root), (json.dumps(state, indent=2) + "\n").encode())
        _finish_moving(root)


def resume(root: Path) -> list[Path]:
    """Finish a migration that was killed after everything was verified; return the files moved aside now."""
    if not _state_path(root).exists():
        return []
    with only_writer(_state_path(root)):
        return _finish_moving(root)


def _finish_moving(root: Path) -> list[Path]:
    path = _state_path(root)
    try:
        state = json.loads(read_bytes(path))
    except FileNotFoundError:
        return []
    moved = [Path(file["path"]) for file in state["files"] if _move_aside(Path(file["path"]), file["sha256"])]
    path.unlink()
    sync_directory(path.parent)
    return moved


def _move_aside(path: Path, sha256: str) -> bool:
    """Rename an old file, if it is still there and still what was migrated; nothing is ever replaced."""
    try:
        if _hash(path) != sha256:
            return False
        aside = path.with_name(path.name + ASIDE)
        if aside.exists():
            aside = path.with_name(f"{path.name}{ASIDE}-{sha256[:8]}")
        os.replace(path, aside)
        sync_directory(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"cannot move {path} aside: {error.strerror}", "run causal migrate again") from error
    return True


def _surroundings(settings: Settings, files: Iterable[LegacyFile], overrides: Overrides) -> Surroundings:
    try:
        policy = resolve(settings, cli=(), env={}, overrides_path=None)
    except UnknownProfileError:  # the profile in force may be among those that are being migrated
        policy = resolve(settings._replace(profile=""), cli=(), env={}, overrides_path=None)
    named = (
        {str(file.leaves.get("profile", "")) for file in files} | {file.name for file in files} | {"applied"}
    )
    own = Path(settings.profiles)
    profiles = {
        name: _known(name, own, search_path(settings.profiles)) for name in named if is_profile_name(name)
    }
    reference = _known(_REFERENCE, own, (shipped_profiles(),))
    if reference is None:
        raise AssertionError(f"the profile {_REFERENCE} is not shipped")
    return Surroundings(
        profiles={name: known for name, known in profiles.items() if known},
        overrides=overrides.leaves,
        policy=policy.flat,
        bounds=policy.bounds,
        reference=reference,
    )


def _known(name: str, own: Path, search: tuple[Path, ...]) -> KnownProfile | None:
    try:
        profile = load_profile(name, search)
    except UnknownProfileError:
        return None
    return KnownProfile(
        leaves=profile.leaves,
        bounds=profile.bounds,
        is_own=profile.path.parent == own,
        others={part: table for part, table in profile.document.data.items() if part in ("bounds", "kpi")},
    )


def _output(name: str, plan: Plan, known: KnownProfile | None, own: Path) -> Output:
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "description": plan.descriptions[name],
        "values": nest(plan.profiles[name]),
    }
    if known:
        document |= known.others
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return Output(path=own / f"{name}.json", text=text, is_there=bool(known and known.is_own))


def _write_overrides(migration: Migration, now: str) -> None:
    read = migration.overrides
    revision = read.revision + 1
    new = {path: value for path, value in migration.plan.overrides.items() if path not in read.leaves}
    entry = Entry(by="migration", at=now, revision=revision)
    write_overrides(read, {**read.leaves, **new}, {**read.entries, **dict.fromkeys(new, entry)})


def _back_up(file: LegacyFile, copy: Path) -> None:
    content = read_bytes(file.path)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError(f"{file.path} was changed while it was being migrated", "run causal migrate again")
    _write(copy, content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_strays(path)
    replace_file(path, content)


def _verify(migration: Migration, root: Path, directory: Path) -> None:
    """Read everything again, from the disk, and hold it against the plan."""
    plan = migration.plan
    for output in migration.profiles:
        read = load_profile(output.path.stem, (output.path.parent,))
        _compare(output.path, read.leaves, plan.profiles[output.path.stem])
    overrides = read_overrides(root / OVERRIDES_PATH)
    _compare(overrides.path, {path: overrides.leaves.get(path) for path in plan.overrides}, plan.overrides)
    for file in plan.files:
        for path in (file.path, migration.backup / file.path.relative_to(directory)):
            if _hash(path) != file.sha256:
                raise DataError(f"{path} is not what was read", "nothing was moved; run causal migrate again")


def _compare(path: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if canonical(found) != canonical(expected):
        raise DataError(f"{path} read back is not what was written", "nothing was moved; check the disk")


def _digest(files: Iterable[LegacyFile], directory: Path) -> str:
    """Return a name for this set of files, so that a run that is killed uses the same backup again."""
    whole = "\n".join(f"{file.path.relative_to(directory)} {file.sha256}" for file in files)
    return hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _state_path(root: Path) -> Path:
    return root / DIRECTORY / "unfinished.json"


def _hash(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()
