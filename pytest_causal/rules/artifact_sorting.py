"""Which files of a listing a policy speaks of, and why the others are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_causal.model.artifact import (
    CONFLICT_SUFFIX,
    FRAME_SUFFIX,
    KEEP_MARKER,
    ROTATION_DIRECTORY,
    Action,
    Artifact,
    Conditions,
    FileKind,
    RotationPolicy,
)
from pytest_causal.rules.artifact_classes import Classifier
from pytest_causal.rules.keep_rules import DAY_NS, Item


class Fate(NamedTuple):
    """An action with its reasons, before it is put beside its file."""

    action: Action
    reasons: tuple[str, ...]


_KIND_REASONS = {
    FileKind.SYMLINK: "link",
    FileKind.FIFO: "fifo",
    FileKind.DIRECTORY: "directory",
    FileKind.OTHER: "no-regular-file",
}
_OWN_PREFIX = f"{ROTATION_DIRECTORY}/"
_REGULAR, _DIRECTORY = FileKind.REGULAR, FileKind.DIRECTORY
_NO_ITERATION = Fate(Action.LEAVE, ("no-iteration",))


class Sorted(NamedTuple):
    """A listing, sorted out: the items of each class, in the order of the policy, and the fate of all other files.

    ``frames`` are compressed files whose original is still there: what a run leaves that is killed between the two.
    ``framed`` are the files beside which a frame of their name stands, theirs or another's. ``ours`` are the files
    with a fate or an item.
    """

    items: list[list[Item]]
    fates: dict[str, Fate]
    frames: set[str]
    framed: set[str]
    ours: list[Artifact]


def sort_artifacts(artifacts: Sequence[Artifact], policy: RotationPolicy, conditions: Conditions) -> Sorted:
    """Sort out a listing. Raises ConfigError for classes that cannot be used."""
    place = Classifier(policy.classes).place
    guard = _Guard(artifacts, conditions)
    items: list[list[Item]] = [[] for _ in policy.classes]
    fates: dict[str, Fate] = {}
    ours: list[Artifact] = []
    new, plain = tuple.__new__, guard.plain
    folder_before, runs = None, [""] * len(policy.classes)
    now_ns = conditions.now_us * 1000
    latest_ns = now_ns + DAY_NS
    # A hundred thousand times: most are plain files of a class, and quickly done with.
    for artifact in artifacts:
        name, _, _, mtime_ns, _, _, device, links, uid, kind = artifact
        folder, _, last = name.rpartition("/")
        where = place(name, last, kind)
        if where is None and kind is _DIRECTORY:
            continue
        ours.append(artifact)
        is_plain = kind is _REGULAR and where is not None and (device, links, uid) == plain
        if not is_plain or folder[:8] == ROTATION_DIRECTORY or last[-9:] == CONFLICT_SUFFIX:
            fate = guard.fate(artifact, last, is_of_class=where is not None)
            if fate is not None:
                fates[name] = fate
                continue
        if where is not None:
            number, iteration, members = where
            if iteration is None:
                fates[name] = _NO_ITERATION
                continue
            if folder != folder_before:
                folder_before, runs = folder, [f"{folder}/{each}" for each in range(len(runs))]
            time_ns = mtime_ns if mtime_ns <= latest_ns else now_ns
            items[number].append(new(Item, (artifact, runs[number], iteration, time_ns, members)))
    return Sorted(items, fates, guard.frames, guard.framed, ours)


class _Guard:
    """Says why a file is not to be touched, or not by the rules of its class.

    ``plain`` is the (device, links, uid) of regular files of a class for which :meth:`fate` finds nothing, unless they
    have names of ours.
    """

    def __init__(self, artifacts: Sequence[Artifact], conditions: Conditions) -> None:
        self.frames, self.framed = _frames_of_originals(artifacts)
        self._conditions = conditions
        self._uid, self._device = conditions.uid, conditions.device
        self._holding = {*self.frames, *conditions.archived.values()}
        markers = [
            each.name
            for each in artifacts
            if each.name.endswith(KEEP_MARKER) and each.kind is not FileKind.DIRECTORY
        ]
        self._kept_names = {each.removesuffix(KEEP_MARKER) for each in markers}
        self._kept_folders = {
            folder for folder, _, last in (each.rpartition("/") for each in markers) if last == KEEP_MARKER
        }
        self._has_markers = bool(markers)
        self._has_specials = bool(self._holding or conditions.strays or conditions.archived)
        is_calm = not (self._has_markers or self._has_specials)
        self.plain = (conditions.device, 1, conditions.uid) if is_calm else None

    def fate(self, artifact: Artifact, last: str, *, is_of_class: bool) -> Fate | None:
        """Return what becomes of a file whatever its class says, or ``None``."""
        name = artifact.name
        if reason := self._obstacle(artifact, is_of_class=is_of_class):
            return Fate(Action.LEAVE, (reason,))
        if self._has_specials:
            if name in self._conditions.strays:
                return Fate(Action.DELETE, ("half-written",))
            if name in self._conditions.archived:
                return Fate(Action.ARCHIVE, ("held-by-archive",))
            if name in self._holding:
                return Fate(Action.KEEP, ("original-exists",))
        if last.endswith(CONFLICT_SUFFIX):
            return Fate(Action.LEAVE, ("conflict",))
        if self._has_markers and (last.endswith(KEEP_MARKER) or self._is_marked(name)):
            return Fate(Action.LEAVE, ("keep-marker",))
        return None

    def _obstacle(self, artifact: Artifact, *, is_of_class: bool) -> str:
        if reason := _KIND_REASONS.get(artifact.kind):
            return reason
        if artifact.name.startswith(_OWN_PREFIX):
            return "own-file"
        is_stray = self._has_specials and artifact.name in self._conditions.strays
        if not (is_of_class or is_stray):
            return "no-class"
        if artifact.uid != self._conditions.uid:
            return "foreign-owner"
        if artifact.device != self._conditions.device:
            return "other-device"
        if artifact.links > 1 and not is_stray:  # a stray is the second name of what was just given its own
            return "hard-linked"
        return ""

    def _is_marked(self, name: str) -> bool:
        parts = name.split("/")
        folders = ("/".join(parts[:depth]) for depth in range(len(parts)))
        return name in self._kept_names or any(folder in self._kept_folders for folder in folders)


def _frames_of_originals(artifacts: Sequence[Artifact]) -> tuple[set[str], set[str]]:
    """Return the frames that stand beside a file of the same time, which is what they were made from.

    And the files beside which any frame of their name stands.
    """
    frames = {each.name.removesuffix(FRAME_SUFFIX): each for each in artifacts if each.kind is FileKind.FRAME}
    if not frames:
        return set(), set()
    beside = [each for each in artifacts if each.kind is FileKind.REGULAR and each.name in frames]
    of_originals = {frames[each.name].name for each in beside if frames[each.name].mtime_ns == each.mtime_ns}
    return of_originals, {each.name for each in beside}
