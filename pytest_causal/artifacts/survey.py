"""What stands below a root, and the plan that follows from it. Nothing is changed, and nothing is locked."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_causal import garbage
from pytest_causal.artifacts.directory import OnError, Root
from pytest_causal.artifacts.temporary import TEMPORARY_SUFFIX, is_temporary
from pytest_causal.errors import ArtifactError, ConfigError, DataError
from pytest_causal.model.artifact import (
    ARCHIVE_SUFFIX,
    ROTATION_DIRECTORY,
    Artifact,
    Conditions,
    FileKind,
    Plan,
    RotationPolicy,
)
from pytest_causal.rules.artifact_classes import archive_day, day_words
from pytest_causal.rules.artifact_files import ending_with, in_columns, total_sizes
from pytest_causal.rules.rotation_plan import plan_rotation

_MANY_RECORDS = 100_000
"""So many new objects take longer to look through than the collector's own rhythm was made for."""


class Survey(NamedTuple):
    """A plan, and what could not be looked at: folders and archives that cannot be read."""

    plan: Plan
    problems: tuple[str, ...]


@garbage.left_alone()
def survey_root(
    root: Root, policy: RotationPolicy, *, now_us: int, incompressible: Mapping[str, tuple[int, int]]
) -> Survey:
    """Return what a rotation of a root would do now. Raises ConfigError for classes that cannot be used."""
    problems: list[str] = []

    def unreadable(folder: str, error: OSError) -> None:
        problems.append(f"cannot list {folder or '.'}: {error.strerror}")

    listing = list_artifacts(root, unreadable)
    endings = ending_with([each.name for each in listing], TEMPORARY_SUFFIX, ARCHIVE_SUFFIX)
    special = [listing[place] for place in endings]
    strays = [each for each in special if is_temporary(each.name)]
    archives = [each.name for each in special if each.kind is FileKind.ARCHIVE]
    conditions = Conditions(
        now_us=now_us,
        uid=os.geteuid(),
        device=os.stat(root.path).st_dev,
        strays=frozenset(each.name for each in strays),
        archived=_archived(root, listing, archives, problems),
        incompressible=incompressible,
    )
    plan = plan_rotation(_unlinked(listing, strays), policy, conditions)
    if gc.get_count()[0] > _MANY_RECORDS:
        gc.freeze()  # they hold no cycles: later collections, the one at exit too, have nothing to look for in them
    return Survey(plan, tuple(sorted(problems)))


def list_artifacts(root: Root, on_error: OnError) -> list[Artifact]:
    """Return everything below a root but what rotations keep there themselves; of that a dry run has none."""
    return root.list(on_error, unentered=ROTATION_DIRECTORY)


def measure(root: Root) -> tuple[int, int]:
    """Return (size, allocated) in bytes of all regular files below a root that can be listed, each inode once."""
    return total_sizes(in_columns(list_artifacts(root, lambda folder, error: None)))


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


def _archived(
    root: Root, listing: Sequence[Artifact], names: Iterable[str], problems: list[str]
) -> dict[str, str]:
    """Return name -> archive of the files that are there and in an archive beside them with the same size and time.

    ``names`` are those of all archives. Such files are what a run leaves that was killed between writing the archive
    and removing its members.
    """
    archives = [(name, day) for name in names if (day := archive_day(name)) is not None]
    if not archives:
        return {}
    from pytest_causal.artifacts.archive import list_archive  # a tenth of what starting a dry run takes

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
