"""Where the space below a directory is: by class of files, and by directory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_causal.artifacts.directory import Root
from pytest_causal.model.artifact import ROTATION_DIRECTORY, Artifact, ArtifactClass, FileKind
from pytest_causal.rules.artifact_classes import Classifier

OTHERS = "(no class)"
OURS = "(rotation log)"


class Space(NamedTuple):
    """What some files take. ``compressed_files`` are those of them that are frames or archives."""

    files: int = 0
    compressed_files: int = 0
    size_bytes: int = 0
    allocated_bytes: int = 0

    def plus(self, artifact: Artifact) -> Space:
        """Return the space with one more file."""
        return Space(
            self.files + 1,
            self.compressed_files + (artifact.kind is not FileKind.REGULAR),
            self.size_bytes + artifact.size_bytes,
            self.allocated_bytes + artifact.allocated_bytes,
        )


class Usage(NamedTuple):
    """The space of all files, of each class, and of each directory with all below it; largest first."""

    total: Space
    classes: tuple[tuple[str, Space], ...]
    directories: tuple[tuple[str, Space], ...]
    problems: tuple[str, ...]


def measure_usage(path: Path, classes: Sequence[ArtifactClass]) -> Usage:
    """Return where the space below a directory is, each inode once; no link is followed. Raises CausalError."""
    problems: list[str] = []

    def unreadable(folder: str, error: OSError) -> None:
        problems.append(f"cannot list {folder or '.'}: {error.strerror}")

    with Root.open(path) as root:
        listing = root.list(unreadable)
    place = Classifier(classes).place
    total = Space()
    by_class: dict[str, Space] = {}
    by_directory: dict[str, Space] = {}
    for artifact in _once(listing):
        folder, _, last = artifact.name.rpartition("/")
        where = place(artifact.name, last, artifact.kind)
        of_class = classes[where[0]].name if where else OTHERS
        if artifact.name.startswith(f"{ROTATION_DIRECTORY}/"):
            of_class = OURS
        total = total.plus(artifact)
        by_class[of_class] = by_class.get(of_class, Space()).plus(artifact)
        for above in _upwards(folder):
            by_directory[above] = by_directory.get(above, Space()).plus(artifact)
    return Usage(total, _largest_first(by_class), _largest_first(by_directory), tuple(sorted(problems)))


def _once(listing: Iterable[Artifact]) -> Iterable[Artifact]:
    """Yield each regular file once, under the first of its names."""
    seen: set[tuple[int, int]] = set()
    for artifact in sorted(listing, key=lambda each: each.name):
        if artifact.kind not in (FileKind.REGULAR, FileKind.FRAME, FileKind.ARCHIVE):
            continue
        if artifact.links > 1:
            if (artifact.device, artifact.inode) in seen:
                continue
            seen.add((artifact.device, artifact.inode))
        yield artifact


def _upwards(folder: str) -> Iterable[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _largest_first(spaces: dict[str, Space]) -> tuple[tuple[str, Space], ...]:
    return tuple(sorted(spaces.items(), key=lambda item: (-item[1].allocated_bytes, item[0])))
