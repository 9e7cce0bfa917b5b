"""Which files of a listing a policy speaks of, and why the others are left."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import compress, count, groupby, repeat
from operator import eq, is_not, itemgetter
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
_NAME, _TIME_NS, _STANDING, _KIND = (
    itemgetter(Artifact._fields.index("name")),
    itemgetter(Artifact._fields.index("mtime_ns")),
    itemgetter(slice(Artifact._fields.index("device"), None)),
    itemgetter(Artifact._fields.index("kind")),
)
_RUN = itemgetter(1)
_CLASS, _ITERATION = itemgetter(0), itemgetter(1)
_new_item = partial(tuple.__new__, Item)
_NO_ITERATION = Fate(Action.LEAVE, ("no-iteration",))
RECENT = Fate(Action.KEEP, ("recent",))
UNSPOKEN = Fate(Action.LEAVE, ())
"""Of what a plan does not speak of: it has no reasons."""


class Sorted(NamedTuple):
    """A listing, sorted out: the items of each class, and the fate of every entry.

    Classes stand in the order of the policy, the items of one in no particular order. ``fates`` is as long as the
    listing: a file with an item is kept as recent until a rule says otherwise, and :data:`UNSPOKEN` is that of a
    directory of no class. ``frames`` are compressed files whose original is still there: what a run leaves that is
    killed between the two. ``framed`` are the files beside which a frame of their name stands, theirs or another's.
    """

    items: list[list[Item]]
    fates: list[Fate]
    frames: set[str]
    framed: set[str]


def sort_artifacts(artifacts: Sequence[Artifact], policy: RotationPolicy, conditions: Conditions) -> Sorted:
    """Sort out a listing in the order of its names. Raises ConfigError for classes that cannot be used."""
    sorter = _Sorter(artifacts, policy, conditions)
    parts = map(str.rpartition, map(_NAME, artifacts), repeat("/"))
    first = 0
    for folder, group in groupby(parts, key=itemgetter(0)):
        lasts = [last for _, _, last in group]
        sorter.put_folder(folder, artifacts[first : first + len(lasts)], lasts, first)
        first += len(lasts)
    return sorter.sorted()


def special_entries(artifacts: Sequence[Artifact], suffix: str) -> list[Artifact]:
    """Return the entries that are no regular files, and those whose names end so; there are few, in a long listing."""
    if suffix in "\n".join(map(_NAME, artifacts)):  # told at a glance, where no name holds it at all
        return [each for each in artifacts if each.kind is not _REGULAR or each.name.endswith(suffix)]
    return list(compress(artifacts, map(is_not, map(_KIND, artifacts), repeat(_REGULAR))))


class _Names(dict[str, tuple[int, int] | None]):
    """The class and the iteration of plain files, by the last parts of their names, which come again from run to run.

    ``None`` is for a name that alone does not tell them, and for one that speaks against it.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def __missing__(self, last: str) -> tuple[int, int] | None:
        """Find it once."""
        found = None
        if self._classifier.asks_for_last_parts and not last.endswith(CONFLICT_SUFFIX):
            where = self._classifier.place(last, last, _REGULAR)
            found = None if where is None or where[1] is None else (where[0], where[1])
        self[last] = found
        return found


class _Sorter:
    """Finds the places of files. There may be a hundred thousand: most are plain, and are not looked at one by one."""

    def __init__(self, artifacts: Sequence[Artifact], policy: RotationPolicy, conditions: Conditions) -> None:
        self._items: list[list[Item]] = [[] for _ in policy.classes]
        self._fates = [RECENT] * len(artifacts)
        self._classifier = Classifier(policy.classes)
        self._names = _Names(self._classifier)
        self._guard = _Guard(artifacts, conditions)
        self._now_ns = conditions.now_us * 1000
        self._latest_ns = self._now_ns + DAY_NS

    def sorted(self) -> Sorted:
        """Return what was found."""
        return Sorted(self._items, self._fates, self._guard.frames, self._guard.framed)

    def put_folder(self, folder: str, files: Sequence[Artifact], lasts: Sequence[str], first: int) -> None:
        """Put files of one folder, given with the last parts of their names; ``first`` is the number of the first."""
        runs = [f"{folder}/{of_class}" for of_class in range(len(self._items))]
        is_ours = f"{folder}/".startswith(_OWN_PREFIX)
        taken = [] if is_ours else self._taken(files, lasts, first, runs)
        present = set(map(_RUN, taken))
        for of_class, run in enumerate(runs):
            if run in present:
                self._items[of_class] += (
                    taken if len(present) == 1 else [item for item in taken if item[1] is run]
                )
        if len(taken) < len(files):
            numbers = {item.number for item in taken}
            for number, (artifact, last) in enumerate(zip(files, lasts, strict=True), first):
                if number not in numbers:
                    self._put(number, artifact, last, runs)

    def _taken(
        self, files: Sequence[Artifact], lasts: Sequence[str], first: int, runs: Sequence[str]
    ) -> list[Item]:
        """Return items of those files that are plain: of most folders all are, and are not looked at one by one."""
        plain, latest_ns = self._guard.plain, self._latest_ns
        if plain is None:
            return []
        places = list(map(self._names.__getitem__, lasts))
        times_ns = list(map(_TIME_NS, files))
        numbers = count(first)
        if all(places) and max(times_ns) <= latest_ns and all(map(eq, map(_STANDING, files), repeat(plain))):
            of_runs = map(runs.__getitem__, map(_CLASS, places))  # type: ignore[arg-type] # none of them is None
            iterations = map(_ITERATION, places)  # type: ignore[arg-type]
            return list(map(_new_item, zip(files, of_runs, iterations, times_ns, repeat(1), numbers)))
        return [
            _new_item((artifact, runs[where[0]], where[1], time_ns, 1, number))
            for artifact, where, time_ns, number in zip(files, places, times_ns, numbers, strict=False)
            if where is not None and _STANDING(artifact) == plain and time_ns <= latest_ns
        ]

    def _put(self, number: int, artifact: Artifact, last: str, runs: Sequence[str]) -> None:
        """Make an item of a file, or seal its fate."""
        where = self._classifier.place(artifact.name, last, artifact.kind)
        if where is None and artifact.kind is _DIRECTORY:
            self._fates[number] = UNSPOKEN
        elif fate := self._guard.fate(artifact, last, is_of_class=where is not None):
            self._fates[number] = fate
        elif where is not None:
            of_class, iteration, members = where
            if iteration is None:
                self._fates[number] = _NO_ITERATION
                return
            time_ns = artifact.mtime_ns if artifact.mtime_ns <= self._latest_ns else self._now_ns
            self._items[of_class].append(Item(artifact, runs[of_class], iteration, time_ns, members, number))


class _Guard:
    """Says why a file is not to be touched, or not by the rules of its class.

    ``plain`` is the (device, links, uid, kind) of files of a class for which :meth:`fate` finds nothing, unless they
    have names of ours; ``None`` where each must be looked at.
    """

    def __init__(self, artifacts: Sequence[Artifact], conditions: Conditions) -> None:
        special = special_entries(artifacts, KEEP_MARKER)
        self.frames, self.framed = _frames_of_originals(artifacts, special)
        self._conditions = conditions
        self._holding = {*self.frames, *conditions.archived.values()}
        markers = [
            each.name
            for each in special
            if each.name.endswith(KEEP_MARKER) and each.kind is not FileKind.DIRECTORY
        ]
        self._kept_names = {each.removesuffix(KEEP_MARKER) for each in markers}
        self._kept_folders = {
            folder for folder, _, last in (each.rpartition("/") for each in markers) if last == KEEP_MARKER
        }
        self._has_markers = bool(markers)
        self._has_specials = bool(self._holding or conditions.strays or conditions.archived)
        is_calm = not (self._has_markers or self._has_specials)
        self.plain = (conditions.device, 1, conditions.uid, _REGULAR) if is_calm else None

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


def _frames_of_originals(
    artifacts: Sequence[Artifact], special: Sequence[Artifact]
) -> tuple[set[str], set[str]]:
    """Return the frames that stand beside a file of the same time, which is what they were made from.

    And the files beside which any frame of their name stands. All frames are among the special files.
    """
    frames = {each.name.removesuffix(FRAME_SUFFIX): each for each in special if each.kind is FileKind.FRAME}
    if not frames:
        return set(), set()
    beside = [each for each in artifacts if each.kind is FileKind.REGULAR and each.name in frames]
    of_originals = {frames[each.name].name for each in beside if frames[each.name].mtime_ns == each.mtime_ns}
    return of_originals, {each.name for each in beside}
