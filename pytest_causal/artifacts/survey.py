"""What stands below a root, and the plan that follows from it. Nothing is changed, and nothing is locked."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from pytest_causal.artifacts.archive import list_archive
from pytest_causal.artifacts.directory import OnError, Root, is_temporary
from pytest_causal.errors import ArtifactError, ConfigError, DataError
from pytest_causal.model.artifact import (
    ROTATION_DIRECTORY,
    Artifact,
    Conditions,
    FileKind,
    Plan,
    RotationPolicy,
)
from pytest_causal.rules.artifact_classes import archive_day, day_words
from pytest_causal.rules.rotation_plan import plan_rotation, total_sizes

_OWN_PREFIX = f"{ROTATION_DIRECTORY}/"


class Survey(NamedTuple):
    """A plan, and what could not be looked at: folders and archives that cannot be read."""

    plan: Plan
    problems: tuple[str, ...]


@contextmanager
def _garbage_left_alone() -> Iterator[None]:
    """Collect no garbage meanwhile: a hundred thousand records that stay would be looked through again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_garbage_left_alone()
def survey_root(
    root: Root, policy: RotationPolicy, *, now_us: int, incompressible: Mapping[str, tuple[int, int]]
) -> Survey:
    """Return what a rotation of a root would do now. Raises ConfigError for classes that cannot be used."""
    problems: list[str] = []

    def unreadable(folder: str, error: OSError) -> None:
        problems.append(f"cannot list {folder or '.'}: {error.strerror}")

    listing = list_artifacts(root, unreadable)
    strays = [each for each in listing if is_temporary(each.name)]
    conditions = Conditions(
        now_us=now_us,
        uid=os.geteuid(),
        device=os.stat(root.path).st_dev,
        strays=frozenset(each.name for each in strays),
        archived=_archived(root, listing, problems),
        incompressible=incompressible,
    )
    return Survey(plan_rotation(_unlinked(listing, strays), policy, conditions), tuple(sorted(problems)))


def list_artifacts(root: Root, on_error: OnError) -> list[Artifact]:
    """Return everything below a root but what rotations keep there themselves; of that a dry run has none."""
    return [each for each in root.list(on_error) if not each.name.startswith(_OWN_PREFIX)]


def measure(root: Root) -> tuple[int, int]:
    """Return (size, allocated) in bytes of all regular files below a root that can be listed, each inode once."""
    return total_sizes(list_artifacts(root, lambda folder, error: None))


def _unlinked(listing: Sequence[Artifact], strays: Sequence[Artifact]) -> Sequence[Artifact]:
    """Return the listing as it is without the strays: a kill may leave one as the second name of a whole file."""
    extra = Counter((each.device, each.inode) for each in strays if each.links > 1)
    if not extra:
        return listing
    gone = {each.name for each in strays}
    return [
        each if each.name in gone else each._replace(links=each.links - extra[each.device, each.inode])
        for each in listing
    ]


def _archived(root: Root, listing: Sequence[Artifact], problems: list[str]) -> dict[str, str]:
    """Return name -> archive of the files that are there and in an archive beside them with the same size and time.

    They are what a run leaves that was killed between writing the archive and removing its members.
    """
    archives = [
        (each.name, day)
        for each in listing
        if each.kind is FileKind.ARCHIVE and (day := archive_day(each.name)) is not None
    ]
    if not archives:
        return {}
    folders = {name.rpartition("/")[0] for name, _ in archives}
    loose: dict[tuple[str, str], dict[str, Artifact]] = {}
    for each in listing:
        folder, _, last = each.name.rpartition("/")
        if each.kind is FileKind.REGULAR and folder in folders:
            loose.setdefault((folder, day_words(each.mtime_ns)), {})[last] = each
    found: dict[str, str] = {}
    for name, day in sorted(archives):
        files = loose.get((name.rpartition("/")[0], day))
        if not files:
            continue
        try:
            members = list_archive(root, name)
        except (ArtifactError, DataError) as error:
            problems.append(error.what)
            continue
        except ConfigError:
            return {}  # no codec: nothing can be compared, and nothing is compressed either
        for member in members:
            file = files.get(member.name)
            if file and (file.size_bytes, file.mtime_ns) == (member.size_bytes, member.mtime_ns):
                found[file.name] = name
    return found
