"""What a rotation will do with each file of a root, and why: a pure function of listing, policy and conditions.

Every file is given one action and all its reasons. Reasons against what is done say ``despite-``, so that where two
rules disagree the one that wins is stated: ``latest despite-expired`` was kept although its time is up. What keeps a
file always wins over the limit on size, and the limit wins over the time of files that nothing keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import compress, groupby, repeat
from operator import attrgetter, is_, itemgetter
from typing import NamedTuple

from pytest_causal.model.artifact import (
    FRAME_SUFFIX,
    Action,
    Artifact,
    ArtifactClass,
    Conditions,
    FileKind,
    Plan,
    PlannedAction,
    PlannedArchive,
    RotationPolicy,
)
from pytest_causal.rules.artifact_classes import name_archive
from pytest_causal.rules.artifact_sorting import RECENT, Fate, sort_artifacts
from pytest_causal.rules.keep_rules import DAY_NS, LATEST, Item, oldest_first, protected

ALREADY_COMPRESSED = frozenset(
    "gz xz bz2 zip 7z lz4 br tgz txz whl png jpg jpeg webp mp4 parquet".split()  # noqa: SIM905 - a list of words
)
"""Endings of formats that compress their content themselves."""

_COMPRESSED = Fate(Action.KEEP, ("compressed",))
_FUTURE = Fate(Action.KEEP, ("future-time",))
_JUST_CHANGED = Fate(Action.KEEP, ("just-changed",))
_FRAME_EXISTS = Fate(Action.COMPRESS, ("frame-exists",))
_OLD = Fate(Action.COMPRESS, ("old",))
_OLD_AND_SMALL = Fate(Action.ARCHIVE, ("old", "small"))
_TOO_FEW = Fate(Action.KEEP, ("old", "small", "too-few"))
_REGULAR = FileKind.REGULAR
_ARTIFACT, _RUN, _TIME_NS, _NUMBER = (
    itemgetter(Item._fields.index(name)) for name in ("artifact", "run", "time_ns", "number")
)
_SIZE, _ALLOCATED, _KIND = (
    itemgetter(Artifact._fields.index(name)) for name in ("size_bytes", "allocated_bytes", "kind")
)
_ACTION, _REASONS = itemgetter(0), itemgetter(1)
_FILES = (_REGULAR, FileKind.FRAME, FileKind.ARCHIVE)
_NEVER_NS = -(2**63) * 10**9
"""No file is older: the seconds of a time are signed and have 64 bits."""
_SHRINKING = (Action.COMPRESS, Action.ARCHIVE)


def plan_rotation(listing: Iterable[Artifact], policy: RotationPolicy, conditions: Conditions) -> Plan:
    """Return what is to be done. Raises ConfigError for classes that cannot be used.

    The listing may come in any order; the plan is the same.
    """
    artifacts = sorted(listing, key=itemgetter(0))  # the name
    planner = _Planner(policy, conditions, artifacts)
    total, allocated = total_sizes(artifacts)
    for each, items in zip(policy.classes, planner.sorted.items, strict=True):
        planner.decide(each, items)
    planner.expire()
    planner.gather()
    evictions = planner.evict(total)
    return Plan(
        actions=_spoken(artifacts, planner.fates),
        archives=planner.archives(),
        archived=conditions.archived,
        evictions=tuple(item.artifact for item in evictions),
        total_bytes=total,
        allocated_bytes=allocated,
        held_back=planner.held_back,
    )


class _Old(NamedTuple):
    """Small files of one directory, class and day, which go into one archive."""

    class_name: str
    items: list[Item]


class _Bounds(NamedTuple):
    """Times in nanoseconds since the epoch, for the files of a class: those after ``future_ns`` have a wrong clock,
    those after ``young_ns`` were just changed; those before ``old_ns`` are compressed, before ``expired_ns`` deleted.
    """

    future_ns: int
    young_ns: int
    old_ns: int
    expired_ns: int


class _Planner:
    """Decides in steps, each over what the steps before have left."""

    def __init__(self, policy: RotationPolicy, conditions: Conditions, artifacts: Sequence[Artifact]) -> None:
        self.sorted = sort_artifacts(artifacts, policy, conditions)
        self.fates = self.sorted.fates
        self.held_back = 0
        self._artifacts = artifacts
        self._policy = policy
        self._incompressible = conditions.incompressible
        self._now_ns = conditions.now_us * 1000
        self._kept: set[str] = set()
        self._expired: list[Item] = []
        self._small: dict[tuple[str, int], _Old] = {}
        files = sum(sum(map(itemgetter(4), items)) for items in self.sorted.items)  # their members
        self._removals_left = max(1, int(files * policy.max_removed_ratio))

    def decide(self, each: ArtifactClass, items: Sequence[Item]) -> None:
        """Give each file of a class its action, were there neither an end to its time nor a limit on the size."""
        rules, now_ns = each.rules, self._now_ns
        keeping = protected(items, rules, now_ns)
        bounds = _Bounds(
            future_ns=now_ns + DAY_NS,
            young_ns=now_ns - int(self._policy.min_age_seconds * 1e9),
            old_ns=_before(now_ns, rules.compress_after_days),
            expired_ns=_before(now_ns, rules.delete_after_days),
        )
        _, young_ns, old_ns, expired_ns = bounds
        latest_ns = min(young_ns, now_ns - 1)
        has_frames = bool(self.sorted.framed or self.sorted.frames)
        for run, group in groupby(items, key=_RUN):
            files = list(group)
            restless = files
            if not has_frames:  # of most files no rule has anything to say but their age
                restless = _restless(files, keeping, expired_ns, latest_ns)
                if min(map(_TIME_NS, files)) < old_ns:
                    numbers = {item.number for item in restless}
                    old = [item for item in files if item[3] < old_ns and item[5] not in numbers]
                    self._shrink(each, run, old)
            for item in restless:
                reasons = tuple(keeping.get(item.number, ()))
                self.fates[item.number] = self._unless_deleted(each, item, reasons, bounds)

    def _shrink(self, each: ArtifactClass, run: str, old: Sequence[Item]) -> None:
        """Give old files of a run, which no rule keeps, their fates: all at once where they are alike."""
        if not old:
            return
        days = {time_ns // DAY_NS for time_ns in map(_TIME_NS, old)}
        sizes = list(map(_SIZE, map(_ARTIFACT, old)))
        is_one_archive = (
            len(days) == 1
            and min(sizes) > 0
            and max(sizes) < self._policy.small_file_bytes
            and not self._incompressible
            and ALREADY_COMPRESSED.isdisjoint({_ending(item[0][0]) for item in old})
        )
        if is_one_archive:
            self._small_files(each, run, days.pop()).extend(old)
        for item in old:
            self.fates[item[5]] = _OLD_AND_SMALL if is_one_archive else self._shrunk(each, item, ())

    def _unless_deleted(
        self, each: ArtifactClass, item: Item, reasons: tuple[str, ...], bounds: _Bounds
    ) -> Fate:
        artifact, time_ns = item.artifact, item.time_ns
        if reasons:
            self._kept.add(artifact.name)
        if artifact.mtime_ns > bounds.future_ns:  # a wrong clock: no rule that asks for its age applies
            return _because(reasons, _FUTURE)
        if time_ns > bounds.young_ns:
            self._kept.add(artifact.name)
            return _because(reasons, _JUST_CHANGED)
        if time_ns < bounds.expired_ns:
            if reasons:
                reasons += ("despite-expired",)
            else:
                self._expired.append(item)
        if artifact.kind is not _REGULAR:
            return _because(reasons, _COMPRESSED)
        if self.sorted.frames and artifact.name + FRAME_SUFFIX in self.sorted.frames:
            return _because(reasons, _FRAME_EXISTS)
        if time_ns >= bounds.old_ns:
            return _because(reasons, RECENT)
        return self._shrunk(each, item, reasons)

    def _shrunk(self, each: ArtifactClass, item: Item, reasons: tuple[str, ...]) -> Fate:
        """Return the fate of an old file: it is compressed, alone or with others, if that makes it smaller."""
        artifact = item.artifact
        if obstacle := self._obstacle(artifact):
            return Fate(Action.KEEP, (*reasons, "old", obstacle))
        # Were the file in an archive, a frame of its name would stand for it: the two are compared, and told apart.
        if artifact.size_bytes >= self._policy.small_file_bytes or artifact.name in self.sorted.framed:
            return _because(reasons, _OLD)
        if LATEST in reasons:  # what is archived leaves its place, where readers look for the latest
            return Fate(Action.KEEP, (*reasons, "despite-old"))
        self._small_files(each, item.run, item.time_ns // DAY_NS).append(item)
        return _because(reasons, _OLD_AND_SMALL)

    def _small_files(self, each: ArtifactClass, run: str, day: int) -> list[Item]:
        """Return the files that go into one archive, to be added to."""
        return self._small.setdefault((run, day), _Old(each.name, [])).items

    def _obstacle(self, artifact: Artifact) -> str:
        if not artifact.size_bytes:
            return "empty"
        if _ending(artifact.name) in ALREADY_COMPRESSED:
            return "already-compressed"
        known = self._incompressible.get(artifact.name)
        return "does-not-shrink" if known and known == (artifact.size_bytes, artifact.mtime_ns) else ""

    def expire(self) -> None:
        """Delete what is past its time, oldest first, as far as the cap on removals goes."""
        for item in oldest_first(self._expired):
            if self._may_remove(item):
                self.fates[item.number] = Fate(Action.DELETE, ("expired",))
            else:
                self._add_reasons(item, "despite-expired", "removal-cap")

    def gather(self) -> None:
        """Leave small files that are too few for an archive."""
        for group in self._small.values():
            members = self._members(group)
            if len(members) < self._policy.min_archive_files:
                for item in members:
                    reasons = self.fates[item.number].reasons
                    fate = (
                        _TOO_FEW
                        if reasons == _OLD_AND_SMALL.reasons
                        else Fate(Action.KEEP, (*reasons, "too-few"))
                    )
                    self.fates[item.number] = fate

    def evict(self, total_bytes: int) -> list[Item]:
        """Delete what is over the limit on size, oldest first; return what goes only if the limit is still exceeded.

        What compressing will leave is not known yet. A deletion is certain if the limit would be exceeded were nothing
        left at all; if it would be were nothing gained, it is done after the rest, as long as it is needed.
        """
        limit = self._policy.max_size_bytes
        if limit is None or total_bytes <= limit:
            return []
        actions = [(each, fate.action) for each, fate in zip(self._artifacts, self.fates, strict=True)]
        most = total_bytes - sum(each.size_bytes for each, action in actions if action is Action.DELETE)
        least = most - sum(each.size_bytes for each, action in actions if action in _SHRINKING)
        conditional: list[Item] = []
        for item in oldest_first(self._undeleted()):
            if most <= limit:
                break
            size = item.artifact.size_bytes
            if item.artifact.name in self._kept:
                self._add_reasons(item, "despite-size-limit")
                continue
            most -= size
            if not self._may_remove(item):
                self._add_reasons(item, "despite-size-limit", "removal-cap")
            elif least > limit:
                is_shrinking = self.fates[item.number].action in _SHRINKING
                least -= 0 if is_shrinking else size
                self.fates[item.number] = Fate(Action.DELETE, ("over-size-limit",))
            else:
                self._add_reasons(item, "if-over-size-limit")
                conditional.append(item)
        return [*conditional, *self._rest_of_archives(conditional)]

    def _rest_of_archives(self, evicted: Sequence[Item]) -> list[Item]:
        """Take in what goes into one archive with files that may be evicted: it goes as a whole, or not at all."""
        taken = {item.artifact.name for item in evicted}
        rest: list[Item] = []
        for group in self._small.values():
            members = self._members(group)
            names = {item.artifact.name for item in members}
            if names & taken and not names & self._kept:
                rest += [item for item in members if item.artifact.name not in taken]
        rest = [item for item in oldest_first(rest) if self._may_remove(item)]
        for item in rest:
            self._add_reasons(item, "if-over-size-limit")
        return rest

    def archives(self) -> tuple[PlannedArchive, ...]:
        """Return the archives to be written, by name."""
        planned: list[PlannedArchive] = []
        for group in self._small.values():
            members = sorted(self._members(group), key=attrgetter("number"))
            if members:
                files, _, iterations, _, _, _ = zip(*members, strict=True)
                planned.append(name_archive(group.class_name, files, iterations))
        return tuple(sorted(planned))

    def _members(self, group: _Old) -> list[Item]:
        fates, archived = self.fates, Action.ARCHIVE
        return [item for item in group.items if fates[item[5]][0] is archived]  # by its number

    def _undeleted(self) -> list[Item]:
        return [
            item
            for items in self.sorted.items
            for item in items
            if self.fates[item.number].action is not Action.DELETE
        ]

    def _may_remove(self, item: Item) -> bool:
        """Take a removal off what the cap allows; count it as held back where nothing is left."""
        if item.members <= self._removals_left:
            self._removals_left -= item.members
            return True
        self._removals_left = 0  # no younger file goes before an older one
        self.held_back += item.members
        return False

    def _add_reasons(self, item: Item, *more: str) -> None:
        action, reasons = self.fates[item.number]
        self.fates[item.number] = Fate(action, (*reasons, *more))


def _restless(
    files: Sequence[Item], keeping: Mapping[int, list[str]], expired_ns: int, latest_ns: int
) -> list[Item]:
    """Return the files of a run of which more is to be said than their age; of most runs that is none, told at once."""
    times_ns = list(map(_TIME_NS, files))
    if (
        expired_ns <= min(times_ns)
        and max(times_ns) <= latest_ns
        and keeping.keys().isdisjoint(map(_NUMBER, files))
        and all(map(is_, map(_KIND, map(_ARTIFACT, files)), repeat(_REGULAR)))
    ):
        return []
    return [
        item
        for item in files
        if not expired_ns <= item[3] <= latest_ns or item[5] in keeping or item[0][9] is not _REGULAR
    ]


def _spoken(artifacts: Sequence[Artifact], fates: Sequence[Fate]) -> tuple[PlannedAction, ...]:
    """Put what has a reason beside its file; of what has none nothing is said."""
    reasons = list(map(_REASONS, fates))
    said = zip(
        compress(artifacts, reasons),
        compress(map(_ACTION, fates), reasons),
        filter(None, reasons),
        strict=True,
    )
    return tuple(map(partial(tuple.__new__, PlannedAction), said))


def _because(reasons: tuple[str, ...], fate: Fate) -> Fate:
    """Return a fate with the reasons that a file has beside those of the fate."""
    return Fate(fate.action, (*reasons, *fate.reasons)) if reasons else fate


def _ending(name: str) -> str:
    return name[name.rfind(".") + 1 :].lower()


def _before(now_ns: int, days: float | None) -> int:
    return _NEVER_NS if days is None else now_ns - int(days * DAY_NS)


def total_sizes(artifacts: Sequence[Artifact]) -> tuple[int, int]:
    """Return (size, allocated) in bytes of all regular files, each inode counted once."""
    linked = {}
    size, allocated = sum(map(_SIZE, artifacts)), sum(map(_ALLOCATED, artifacts))
    for each in [each for each in artifacts if each[9] is not _REGULAR or each[7] != 1]:
        is_linked_file = each.kind in _FILES and each.links > 1
        if is_linked_file:
            linked[each.device, each.inode] = each
        if is_linked_file or each.kind not in _FILES:
            size -= each.size_bytes
            allocated -= each.allocated_bytes
    others = linked.values()
    return (
        size + sum(each.size_bytes for each in others),
        allocated + sum(each.allocated_bytes for each in others),
    )
