"""What a rotation will do with each file of a root, and why: a pure function of listing, policy and conditions.

Every file is given one action and all its reasons. Reasons against what is done say ``despite-``, so that where two
rules disagree the one that wins is stated: ``latest despite-expired`` was kept although its time is up. What keeps a
file always wins over the limit on size, and the limit wins over the time of files that nothing keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, compress
from operator import itemgetter
from typing import NamedTuple

from pytest_causal.model.artifact import (
    FRAME_SUFFIX,
    Action,
    Artifact,
    ArtifactClass,
    Conditions,
    Fate,
    FileKind,
    Plan,
    PlannedArchive,
    RotationPolicy,
)
from pytest_causal.rules.artifact_classes import name_archive
from pytest_causal.rules.artifact_files import Columns, Stretch, Value, in_columns, total_sizes
from pytest_causal.rules.artifact_sorting import RECENT, sort_artifacts
from pytest_causal.rules.keep_rules import DAY_NS, LATEST, oldest_first, protected

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
_NEVER_NS = -(2**63) * 10**9
"""No file is older: the seconds of a time are signed and have 64 bits."""
_SHRINKING = (Action.COMPRESS, Action.ARCHIVE)


def plan_rotation(listing: Iterable[Artifact], policy: RotationPolicy, conditions: Conditions) -> Plan:
    """Return what is to be done. Raises ConfigError for classes that cannot be used.

    The listing may come in any order; the plan is the same.
    """
    artifacts = sorted(listing, key=itemgetter(0))  # the name
    columns = in_columns(artifacts)
    planner = _Planner(policy, conditions, columns)
    total, allocated = total_sizes(columns)
    for each, stretches in zip(policy.classes, planner.sorted.stretches, strict=True):
        planner.decide(each, stretches)
    planner.expire()
    planner.gather()
    evictions = planner.evict(total)
    unspoken = planner.sorted.unspoken
    return Plan(
        files=_without(artifacts, unspoken),
        fates=_without(planner.fates, unspoken),
        archives=planner.archives(),
        archived=conditions.archived,
        evictions=tuple(artifacts[number] for number in evictions),
        total_bytes=total,
        allocated_bytes=allocated,
        held_back=planner.held_back,
    )


class _Old(NamedTuple):
    """Small files of one directory, class and day, by their numbers, which go into one archive."""

    class_name: str
    numbers: list[int]


class _Bounds(NamedTuple):
    """Times in nanoseconds since the epoch, for the files of a class: those after ``future_ns`` have a wrong clock,
    those after ``young_ns`` were just changed; those before ``old_ns`` are compressed, before ``expired_ns`` deleted.
    """

    future_ns: int
    young_ns: int
    old_ns: int
    expired_ns: int


class _Planner:
    """Decides in steps, each over what the steps before have left. Files are given by their numbers."""

    def __init__(self, policy: RotationPolicy, conditions: Conditions, columns: Columns) -> None:
        self.sorted = sort_artifacts(columns, policy, conditions)
        self.fates = self.sorted.fates
        self.held_back = 0
        self._files = self.sorted.files
        self._artifacts = columns.artifacts
        self._policy = policy
        self._incompressible = conditions.incompressible
        self._now_ns = conditions.now_us * 1000
        self._kept: set[int] = set()
        self._expired: list[int] = []
        self._small: dict[tuple[str, int], _Old] = {}
        of_classes = chain.from_iterable(self.sorted.stretches)
        held = sum(sum(stretch.of(self._files.members)) for stretch in of_classes)
        self._removals_left = max(1, int(held * policy.max_removed_ratio))

    def decide(self, each: ArtifactClass, stretches: Sequence[Stretch]) -> None:
        """Give each file of a class its action, were there neither an end to its time nor a limit on the size."""
        rules, now_ns = each.rules, self._now_ns
        keeping = protected(self._files, stretches, rules, has_iterations=bool(each.iteration), now_ns=now_ns)
        bounds = _Bounds(
            future_ns=now_ns + DAY_NS,
            young_ns=now_ns - int(self._policy.min_age_seconds * 1e9),
            old_ns=_before(now_ns, rules.compress_after_days),
            expired_ns=_before(now_ns, rules.delete_after_days),
        )
        for stretch in stretches:
            restless = self._restless(stretch, keeping, bounds)
            self._shrink_rest(each, stretch, restless, bounds.old_ns)
            for number in restless:
                reasons = tuple(keeping.get(number, ()))
                self.fates[number] = self._unless_deleted(each, number, reasons, bounds)

    def _restless(self, stretch: Stretch, keeping: Mapping[int, list[str]], bounds: _Bounds) -> Sequence[int]:
        """Return the files of which more is to be said than their age; mostly there is none, which is told at once."""
        if self.sorted.framed or self.sorted.frames:
            return stretch.numbers
        expired_ns, latest_ns = bounds.expired_ns, min(bounds.young_ns, self._now_ns - 1)
        times_ns = stretch.of(self._files.times_ns)
        is_calm = expired_ns <= min(times_ns) and max(times_ns) <= latest_ns
        if is_calm and stretch.is_plain and keeping.keys().isdisjoint(stretch.numbers):
            return ()
        return [
            number
            for number, time_ns in zip(stretch.numbers, times_ns, strict=True)
            if not expired_ns <= time_ns <= latest_ns
            or number in keeping
            or self._artifacts[number].kind is not _REGULAR
        ]

    def _shrink_rest(
        self, each: ArtifactClass, stretch: Stretch, restless: Sequence[int], old_ns: int
    ) -> None:
        """Give the old files of a stretch their fates, but for the restless."""
        times_ns = stretch.of(self._files.times_ns)
        if len(restless) == len(stretch.numbers) or min(times_ns) >= old_ns:
            return
        if not restless and max(times_ns) < old_ns:
            self._shrink(each, stretch)
        elif old := [
            number
            for number in sorted({*stretch.numbers}.difference(restless))
            if self._files.times_ns[number] < old_ns
        ]:
            self._shrink(each, stretch._replace(numbers=old))

    def _shrink(self, each: ArtifactClass, old: Stretch) -> None:
        """Give old files of a run, which no rule keeps, their fates: all at once where they are alike."""
        first_ns, last_ns = min(old.of(self._files.times_ns)), max(old.of(self._files.times_ns))
        sizes = old.of(self._files.sizes_bytes)
        is_one_archive = (
            first_ns // DAY_NS == last_ns // DAY_NS
            and min(sizes) > 0
            and max(sizes) < self._policy.small_file_bytes
            and not self._incompressible
            and (
                not _may_hold_compressed(each)
                or ALREADY_COMPRESSED.isdisjoint(map(_ending, old.of(self._files.names)))
            )
        )
        if not is_one_archive:
            for number in old.numbers:
                self.fates[number] = self._shrunk(each, number, ())
            return
        self._small_files(each, old.run, first_ns // DAY_NS).extend(old.numbers)
        if isinstance(old.numbers, range):
            self.fates[old.numbers.start : old.numbers.stop] = [_OLD_AND_SMALL] * len(old.numbers)
        else:
            for number in old.numbers:
                self.fates[number] = _OLD_AND_SMALL

    def _unless_deleted(
        self, each: ArtifactClass, number: int, reasons: tuple[str, ...], bounds: _Bounds
    ) -> Fate:
        artifact, time_ns = self._artifacts[number], self._files.times_ns[number]
        if reasons:
            self._kept.add(number)
        if artifact.mtime_ns > bounds.future_ns:  # a wrong clock: no rule that asks for its age applies
            return _because(reasons, _FUTURE)
        if time_ns > bounds.young_ns:
            self._kept.add(number)
            return _because(reasons, _JUST_CHANGED)
        if time_ns < bounds.expired_ns:
            if reasons:
                reasons += ("despite-expired",)
            else:
                self._expired.append(number)
        if artifact.kind is not _REGULAR:
            return _because(reasons, _COMPRESSED)
        if self.sorted.frames and artifact.name + FRAME_SUFFIX in self.sorted.frames:
            return _because(reasons, _FRAME_EXISTS)
        if time_ns >= bounds.old_ns:
            return _because(reasons, RECENT)
        return self._shrunk(each, number, reasons)

    def _shrunk(self, each: ArtifactClass, number: int, reasons: tuple[str, ...]) -> Fate:
        """Return the fate of an old file: it is compressed, alone or with others, if that makes it smaller."""
        artifact = self._artifacts[number]
        if obstacle := self._obstacle(artifact):
            return Fate(Action.KEEP, (*reasons, "old", obstacle))
        # Were the file in an archive, a frame of its name would stand for it: the two are compared, and told apart.
        if artifact.size_bytes >= self._policy.small_file_bytes or artifact.name in self.sorted.framed:
            return _because(reasons, _OLD)
        if LATEST in reasons:  # what is archived leaves its place, where readers look for the latest
            return Fate(Action.KEEP, (*reasons, "despite-old"))
        day = self._files.times_ns[number] // DAY_NS
        self._small_files(each, self._files.runs[number], day).append(number)
        return _because(reasons, _OLD_AND_SMALL)

    def _small_files(self, each: ArtifactClass, run: str, day: int) -> list[int]:
        """Return the files that go into one archive, to be added to."""
        return self._small.setdefault((run, day), _Old(each.name, [])).numbers

    def _obstacle(self, artifact: Artifact) -> str:
        if not artifact.size_bytes:
            return "empty"
        if _ending(artifact.name) in ALREADY_COMPRESSED:
            return "already-compressed"
        known = self._incompressible.get(artifact.name)
        return "does-not-shrink" if known and known == (artifact.size_bytes, artifact.mtime_ns) else ""

    def expire(self) -> None:
        """Delete what is past its time, oldest first, as far as the cap on removals goes."""
        for number in oldest_first(self._files, self._expired):
            if self._may_remove(number):
                self.fates[number] = Fate(Action.DELETE, ("expired",))
            else:
                self._add_reasons(number, "despite-expired", "removal-cap")

    def gather(self) -> None:
        """Leave small files that are too few for an archive."""
        for group in self._small.values():
            members = self._members(group)
            if len(members) < self._policy.min_archive_files:
                for number in members:
                    reasons = self.fates[number].reasons
                    is_usual = reasons == _OLD_AND_SMALL.reasons
                    self.fates[number] = _TOO_FEW if is_usual else Fate(Action.KEEP, (*reasons, "too-few"))

    def evict(self, total_bytes: int) -> list[int]:
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
        conditional: list[int] = []
        for number in oldest_first(self._files, self._undeleted()):
            if most <= limit:
                break
            size = self._artifacts[number].size_bytes
            if number in self._kept:
                self._add_reasons(number, "despite-size-limit")
                continue
            most -= size
            if not self._may_remove(number):
                self._add_reasons(number, "despite-size-limit", "removal-cap")
            elif least > limit:
                is_shrinking = self.fates[number].action in _SHRINKING
                least -= 0 if is_shrinking else size
                self.fates[number] = Fate(Action.DELETE, ("over-size-limit",))
            else:
                self._add_reasons(number, "if-over-size-limit")
                conditional.append(number)
        return [*conditional, *self._rest_of_archives(conditional)]

    def _rest_of_archives(self, evicted: Sequence[int]) -> list[int]:
        """Take in what goes into one archive with files that may be evicted: it goes as a whole, or not at all."""
        taken = set(evicted)
        rest: list[int] = []
        for group in self._small.values():
            members = set(self._members(group))
            if members & taken and not members & self._kept:
                rest += members - taken
        rest = [number for number in oldest_first(self._files, rest) if self._may_remove(number)]
        for number in rest:
            self._add_reasons(number, "if-over-size-limit")
        return rest

    def archives(self) -> tuple[PlannedArchive, ...]:
        """Return the archives to be written, by name."""
        planned: list[PlannedArchive] = []
        for group in self._small.values():
            members = sorted(self._members(group))
            if members:
                files = tuple(self._artifacts[number] for number in members)
                iterations = tuple(self._files.iterations[number] for number in members)
                planned.append(name_archive(group.class_name, files, iterations))
        return tuple(sorted(planned))

    def _members(self, group: _Old) -> list[int]:
        fates, archived = self.fates, Action.ARCHIVE
        return [number for number in group.numbers if fates[number][0] is archived]

    def _undeleted(self) -> list[int]:
        return [
            number
            for stretch in chain.from_iterable(self.sorted.stretches)
            for number in stretch.numbers
            if self.fates[number].action is not Action.DELETE
        ]

    def _may_remove(self, number: int) -> bool:
        """Take a removal off what the cap allows; count it as held back where nothing is left."""
        members = self._files.members[number]
        if members <= self._removals_left:
            self._removals_left -= members
            return True
        self._removals_left = 0  # no younger file goes before an older one
        self.held_back += members
        return False

    def _add_reasons(self, number: int, *more: str) -> None:
        action, reasons = self.fates[number]
        self.fates[number] = Fate(action, (*reasons, *more))


def _without(column: list[Value], numbers: Collection[int]) -> Sequence[Value]:
    """Return a column without the entries that nothing is said of."""
    if not numbers:
        return column
    is_spoken_of = bytearray(b"\1") * len(column)
    for number in numbers:
        is_spoken_of[number] = 0
    return list(compress(column, is_spoken_of))


def _because(reasons: tuple[str, ...], fate: Fate) -> Fate:
    """Return a fate with the reasons that a file has beside those of the fate."""
    return Fate(fate.action, (*reasons, *fate.reasons)) if reasons else fate


def _ending(name: str) -> str:
    return name[name.rfind(".") + 1 :].lower()


def _may_hold_compressed(each: ArtifactClass) -> bool:
    """Whether a file of a class may be of a compressed format, which most patterns rule out by how they end."""
    endings = {_ending(pattern) if "." in pattern else "*" for pattern in each.patterns}
    return any(ending in ALREADY_COMPRESSED or not ending.isalnum() for ending in endings)


def _before(now_ns: int, days: float | None) -> int:
    return _NEVER_NS if days is None else now_ns - int(days * DAY_NS)
