"""Which files of a listing a policy speaks of, and why the others are left."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, groupby, repeat
from operator import eq, itemgetter
from typing import NamedTuple

from pytest_causal.model.artifact import (
    CONFLICT_SUFFIX,
    FRAME_SUFFIX,
    KEEP_MARKER,
    ROTATION_DIRECTORY,
    Action,
    Artifact,
    Conditions,
    Fate,
    FileKind,
    RotationPolicy,
)
from pytest_causal.rules.artifact_classes import Classifier
from pytest_causal.rules.artifact_files import Columns, Files, Stretch, ending_with
from pytest_causal.rules.keep_rules import DAY_NS

_KIND_REASONS = {
    FileKind.SYMLINK: "link",
    FileKind.FIFO: "fifo",
    FileKind.DIRECTORY: "directory",
    FileKind.OTHER: "no-regular-file",
}
_OWN_PREFIX = f"{ROTATION_DIRECTORY}/"
_REGULAR, _DIRECTORY = FileKind.REGULAR, FileKind.DIRECTORY
_CLASS, _ITERATION = itemgetter(0), itemgetter(1)
_NO_ITERATION = Fate(Action.LEAVE, ("no-iteration",))
RECENT = Fate(Action.KEEP, ("recent",))


class Sorted(NamedTuple):
    """A listing, sorted out: its files, those of each class, and the fate of every entry.

    Classes stand in the order of the policy. ``fates`` is as long as the listing: a file of a class is kept as recent
    until a rule says otherwise. ``unspoken`` are the numbers of directories of no class. ``frames`` are compressed
    files whose original is still there: what a run leaves that is killed between the two. ``framed`` are the files
    beside which a frame of their name stands, theirs or another's.
    """

    files: Files
    stretches: list[list[Stretch]]
    fates: list[Fate]
    unspoken: list[int]
    frames: set[str]
    framed: set[str]


def sort_artifacts(columns: Columns, policy: RotationPolicy, conditions: Conditions) -> Sorted:
    """Sort out a listing in the order of its names. Raises ConfigError for classes that cannot be used."""
    sorter = _Sorter(columns, policy, conditions)
    parts = map(str.rpartition, columns.names, repeat("/"))
    first = 0
    for folder, group in groupby(parts, key=itemgetter(0)):
        lasts = [last for _, _, last in group]
        sorter.put_folder(folder, lasts, first)
        first += len(lasts)
    return sorter.sorted


class _Places(dict[str, tuple[int, int] | None]):
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

    def __init__(self, columns: Columns, policy: RotationPolicy, conditions: Conditions) -> None:
        count = len(columns.artifacts)
        self._columns = columns
        self._classifier = Classifier(policy.classes)
        self._places = _Places(self._classifier)
        self._guard = _Guard(columns, conditions)
        self._now_ns = conditions.now_us * 1000
        self._latest_ns = self._now_ns + DAY_NS
        self.sorted = Sorted(
            files=Files(
                artifacts=columns.artifacts,
                names=columns.names,
                sizes_bytes=columns.sizes_bytes,
                runs=[""] * count,
                iterations=[-1] * count,
                times_ns=columns.mtimes_ns.copy(),
                members=[1] * count,
            ),
            stretches=[[] for _ in policy.classes],
            fates=[RECENT] * count,
            unspoken=[],
            frames=self._guard.frames,
            framed=self._guard.framed,
        )

    def put_folder(self, folder: str, lasts: Sequence[str], first: int) -> None:
        """Put files of one folder, given by the last parts of their names; ``first`` is the number of the first."""
        numbers = range(first, first + len(lasts))
        may_be_plain = self._guard.is_calm and not f"{folder}/".startswith(_OWN_PREFIX)
        if may_be_plain and self._put_plain(folder, lasts, numbers):
            return
        of_classes: list[list[int]] = [[] for _ in self.sorted.stretches]
        for number, last in zip(numbers, lasts, strict=True):
            of_class = self._put(number, last, may_be_plain=may_be_plain)
            if of_class is not None:
                of_classes[of_class].append(number)
        for of_class, taken in enumerate(of_classes):
            self._add_stretch(of_class, folder, taken, is_plain=False)

    def _put_plain(self, folder: str, lasts: Sequence[str], numbers: range) -> bool:
        """Put the files of a folder at once, where all are plain, and say whether they were."""
        among = slice(numbers.start, numbers.stop)
        places = list(map(self._places.__getitem__, lasts))
        if not (
            all(places)
            and max(self._columns.mtimes_ns[among]) <= self._latest_ns
            and self._guard.are_plain(among)
        ):
            return False
        self.sorted.files.iterations[among] = map(_ITERATION, places)  # type: ignore[arg-type] # none is None
        classes = list(map(_CLASS, places))  # type: ignore[arg-type]
        present = set(classes)
        for of_class in present:
            of_them = map(eq, classes, repeat(of_class))
            taken = numbers if len(present) == 1 else list(compress(numbers, of_them))
            self._add_stretch(of_class, folder, taken, is_plain=True)
        return True

    def _add_stretch(self, of_class: int, folder: str, numbers: Sequence[int], *, is_plain: bool) -> None:
        if not numbers:
            return
        run, runs = f"{folder}/{of_class}", self.sorted.files.runs
        if isinstance(numbers, range):
            runs[numbers.start : numbers.stop] = [run] * len(numbers)
        else:
            for number in numbers:
                runs[number] = run
        self.sorted.stretches[of_class].append(Stretch(run, numbers, is_plain))

    def _put(self, number: int, last: str, *, may_be_plain: bool) -> int | None:
        """Return the number of a file's class, after a look at it alone; or seal its fate."""
        artifact, (*_, iterations, times_ns, members) = self._columns.artifacts[number], self.sorted.files
        is_plain = may_be_plain and self._guard.are_plain(slice(number, number + 1))
        if is_plain and artifact.mtime_ns <= self._latest_ns and (known := self._places[last]):
            of_class, iterations[number] = known
            return of_class
        where = self._classifier.place(artifact.name, last, artifact.kind)
        if where is None and artifact.kind is _DIRECTORY:
            self.sorted.unspoken.append(number)
        elif fate := self._guard.fate(artifact, last, is_of_class=where is not None):
            self.sorted.fates[number] = fate
        elif where is not None:
            of_class, iteration, members[number] = where
            if iteration is None:
                self.sorted.fates[number] = _NO_ITERATION
                return None
            iterations[number] = iteration
            if artifact.mtime_ns > self._latest_ns:
                times_ns[number] = self._now_ns
            return of_class
        return None


class _Guard:
    """Says why a file is not to be touched, or not by the rules of its class.

    ``is_calm`` where for plain files of a class :meth:`fate` finds nothing, unless they have names of ours.
    """

    def __init__(self, columns: Columns, conditions: Conditions) -> None:
        special = [
            columns.artifacts[number] for number in ending_with(columns.names, KEEP_MARKER, FRAME_SUFFIX)
        ]
        self.frames, self.framed = _frames_of_originals(columns, special)
        self._columns = columns
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
        self.is_calm = not (self._has_markers or self._has_specials)

    def are_plain(self, among: slice) -> bool:
        """Whether the files at some places are regular, of one name, ours and on our device."""
        conditions, columns = self._conditions, self._columns
        kinds = columns.kinds[among]
        count = len(kinds)
        return (
            kinds.count(_REGULAR) == count
            and columns.links[among].count(1) == count
            and columns.uids[among].count(conditions.uid) == count
            and columns.devices[among].count(conditions.device) == count
        )

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


def _frames_of_originals(columns: Columns, special: Sequence[Artifact]) -> tuple[set[str], set[str]]:
    """Return the frames that stand beside a file of the same time, which is what they were made from.

    And the files beside which any frame of their name stands. All frames are among the special files.
    """
    frames = {each.name.removesuffix(FRAME_SUFFIX): each for each in special if each.kind is FileKind.FRAME}
    if not frames:
        return set(), set()
    beside = [each for each in columns.artifacts if each.kind is FileKind.REGULAR and each.name in frames]
    of_originals = {frames[each.name].name for each in beside if frames[each.name].mtime_ns == each.mtime_ns}
    return of_originals, {each.name for each in beside}
