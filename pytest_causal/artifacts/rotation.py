"""Carries out a plan; a kill at any point leaves each file as its original or in a verified archive.

What frees space without needing any comes first: half-written files of a killed run, files past their time, originals
whose archive is there already. Then files are compressed, the small before the large, so that a full disk recovers.
What the limit on size still asks for comes last, when the sizes are known. An original goes only after what replaces
it was read back, compared and synced.
"""

from __future__ import annotations

import errno
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from pytest_causal import clock
from pytest_causal.artifacts.archive import read_members, write_archive
from pytest_causal.artifacts.codec import compressor
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.frame import Workspace, compress_file, hash_file, verify_frame
from pytest_causal.artifacts.survey import measure
from pytest_causal.artifacts.writers import is_open_for_writing
from pytest_causal.errors import ArtifactError, CausalError, ChangedError, DataError, NameTakenError
from pytest_causal.model.artifact import (
    CONFLICT_SUFFIX,
    FRAME_SUFFIX,
    Action,
    Artifact,
    Plan,
    PlannedArchive,
    Problem,
    Result,
    RotationPolicy,
    WrittenArchive,
)
from pytest_causal.rules.artifact_classes import without_members

_SLOWEST_BYTES_PER_SECOND = 50_000_000
"""A speed of compression that any machine reaches: what would take longer than the time left at it is not begun."""
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_CHANGING = (Action.COMPRESS, Action.ARCHIVE, Action.DELETE)

Progress = Callable[[int, int], object]
"""Is told (bytes done, bytes in all) of the files that are compressed, archived or deleted."""


class BeingWrittenError(ArtifactError):
    """Somebody has the file open for writing."""


def refuse_written(artifact: Artifact, descriptor: int) -> None:
    """Raise :class:`BeingWrittenError` where somebody has an open file open for writing."""
    if is_open_for_writing(descriptor):
        raise BeingWrittenError(f"{artifact.name} is open for writing", "it is left as it is")


class Applied(NamedTuple):
    """What became of each file that the plan was to change, and the archives that were written."""

    results: tuple[Result, ...]
    archives: tuple[WrittenArchive, ...]


def apply_plan(
    root: Root,
    plan: Plan,
    policy: RotationPolicy,
    *,
    deadline_seconds: float | None = None,
    progress: Progress | None = None,
) -> Applied:
    """Do what the plan says; to be called by whoever holds the root's lock.

    ``deadline_seconds`` is a time of the monotonic clock after which nothing more is begun. A fault with one file is
    its result, and leaves the others alone. Raises ConfigError, before anything is done, where there is something to
    compress and no codec.
    """
    changing = [each for each in plan.actions if each.action in _CHANGING]
    if any(each.action is not Action.DELETE for each in changing):
        compressor(policy.level)
    work = _Work(root, policy, deadline_seconds)
    all_bytes = sum(each.artifact.size_bytes for each in changing)
    results: list[Result] = []
    done_bytes = 0
    for result in work.results(plan):
        results.append(result)
        done_bytes += result.bytes_before
        if progress:
            progress(done_bytes, all_bytes)
    if plan.evictions:
        results += work.evicted(plan, results)
    return Applied(tuple(results), tuple(work.archives))


class _Work:
    """Does single steps; what goes wrong with one becomes its result."""

    def __init__(self, root: Root, policy: RotationPolicy, deadline_seconds: float | None) -> None:
        self.archives: list[WrittenArchive] = []
        self._root = root
        self._policy = policy
        self._deadline_seconds = deadline_seconds
        self._is_full = False
        self._workspace = Workspace()

    def results(self, plan: Plan) -> Iterator[Result]:
        """Do all but what depends on the sizes that come of it; yield what became of each file."""
        by_action = defaultdict(list)
        for artifact, action, _ in plan.actions:
            by_action[action].append(artifact)
        yield from self._deleted(by_action[Action.DELETE])
        yield from self._finished(
            plan, [each for each in by_action[Action.ARCHIVE] if each.name in plan.archived]
        )
        for archive in sorted(
            plan.archives, key=lambda each: (sum(m.size_bytes for m in each.members), each.name)
        ):
            yield from self._archived(archive)
        yield from self._all_compressed(by_action[Action.COMPRESS])

    def evicted(self, plan: Plan, results: Iterable[Result]) -> Iterator[Result]:
        """Delete what the limit on size still asks for, oldest first; a file that was compressed goes as it is now.

        An archive goes when all of its members are to.
        """
        total_bytes, _ = measure(self._root)
        holders = {result.name: result.holder for result in results if result.holder}
        members = defaultdict(set)
        for name, holder in holders.items():
            members[holder].add(name)
        names = {each.name for each in plan.evictions}
        gone: set[str] = set()
        for artifact in plan.evictions:
            if self._policy.max_size_bytes is None or total_bytes <= self._policy.max_size_bytes:
                return
            holder = holders.get(artifact.name, artifact.name)
            if holder in gone or not members[holder] <= names:
                continue
            gone.add(holder)
            present = artifact if holder == artifact.name else self._root.look_up(holder)
            for result in self._deleted([present] if present else []):
                total_bytes -= 0 if result.problem else result.bytes_before
                yield result

    # Deleting

    def _deleted(self, artifacts: Iterable[Artifact]) -> Iterator[Result]:
        folders = set()
        for each in artifacts:
            folders.add(_folder(each.name))
            yield from self._attempt(each, Action.DELETE, self._delete)
        self._sync(folders)

    def _delete(self, artifact: Artifact) -> Iterator[Result]:
        self._remove(artifact)
        yield Result(artifact.name, Action.DELETE, artifact.size_bytes)

    def _remove(self, artifact: Artifact) -> None:
        """Unlink a file that nobody writes to and that is still the one that was listed."""
        for _, error in self._root.check_all([artifact], refuse_written):
            raise error
        self._root.unlink(artifact)

    def _sync(self, folders: Iterable[str]) -> None:
        for folder in sorted(folders):
            try:
                self._root.sync_folder(folder)
            except ArtifactError:
                continue  # what was removed may be back after a power cut, and is then removed again

    # Compressing alone

    def _all_compressed(self, artifacts: list[Artifact]) -> Iterator[Result]:
        def one(artifact: Artifact) -> list[Result]:
            return list(self._attempt(artifact, Action.COMPRESS, self._compress))

        smallest_first = sorted(artifacts, key=lambda each: (each.size_bytes, each.name))
        if self._policy.jobs < 2 or len(artifacts) < 2:
            for artifact in smallest_first:
                yield from one(artifact)
        else:
            yield from self._at_once(one, smallest_first)
        self._sync({_folder(each.name) for each in artifacts})

    def _at_once(
        self, step: Callable[[Artifact], list[Result]], artifacts: Iterable[Artifact]
    ) -> Iterator[Result]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self._policy.jobs) as pool:
            try:
                for results in pool.map(step, artifacts):
                    yield from results
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _compress(self, artifact: Artifact) -> Iterator[Result]:
        name = artifact.name + FRAME_SUFFIX
        present = self._root.look_up(name)
        if present is not None and not self._holds(name, artifact):
            yield self._set_aside(present, f"{name} is not what {artifact.name} holds")
            present = None
        if present is not None:
            size = present.size_bytes
        elif written := compress_file(
            self._root, artifact, level=self._policy.level, workspace=self._workspace
        ):
            size = written.compressed_bytes
        else:
            yield _left(artifact, Action.COMPRESS, Problem.DOES_NOT_SHRINK, "it does not get smaller")
            return
        self._remove(artifact)
        yield Result(artifact.name, Action.COMPRESS, artifact.size_bytes, size, name)

    def _holds(self, name: str, artifact: Artifact) -> bool:
        """Return whether a frame holds what a file does."""
        try:
            found = verify_frame(self._root, name, limit_bytes=artifact.size_bytes)
        except DataError:
            return False
        return found.sha256 == hash_file(self._root, artifact)

    def _set_aside(self, artifact: Artifact, why: str) -> Result:
        number = 1
        while True:
            aside = f"{artifact.name}{'' if number == 1 else f'.{number}'}{CONFLICT_SUFFIX}"
            try:
                self._root.set_aside(artifact, aside)
            except NameTakenError:
                number += 1
            else:
                return _left(artifact, Action.LEAVE, Problem.CONFLICT, f"{why}; it is {aside} now")

    # Compressing together

    def _archived(self, planned: PlannedArchive) -> Iterator[Result]:
        members = {each.name: each for each in planned.members}
        refused = [
            result for member in planned.members if (result := self._postponement(member, Action.ARCHIVE))
        ] or [
            self._failed(member, Action.ARCHIVE, error)
            for member, error in self._root.check_all(planned.members, refuse_written)
        ]
        yield from refused
        archive = without_members(planned, {result.name for result in refused}) if refused else planned
        if archive is None:
            return
        try:
            present = self._root.look_up(archive.name)
            if present is not None:
                # The name is made from these files. Had it held them, the survey would have found them there.
                yield self._set_aside(present, f"{archive.name} does not hold its files")
            written = write_archive(self._root, archive.members, archive.name, level=self._policy.level)
        except (ArtifactError, DataError) as error:
            for member in archive.members:
                yield self._failed(member, Action.ARCHIVE, error)
            return
        for name, detail in written.left:
            yield _left(members[name], Action.ARCHIVE, Problem.CHANGED, detail)
        if written.members:
            self.archives.append(
                WrittenArchive(
                    written.name, len(written.members), written.original_bytes, written.compressed_bytes
                )
            )
        yield from self._replaced([members[name] for name in written.members], written.name)

    def _replaced(self, members: Iterable[Artifact], archive: str) -> Iterator[Result]:
        """Remove files that an archive holds."""
        files = list(members)
        failures = {each.name: error for each, error in self._root.unlink_all(files, refuse_written)}
        for member in files:
            if error := failures.get(member.name):
                yield self._failed(member, Action.ARCHIVE, error)
            else:
                yield Result(member.name, Action.ARCHIVE, member.size_bytes, holder=archive)
        self._sync([_folder(archive)])

    def _finished(self, plan: Plan, artifacts: Iterable[Artifact]) -> Iterator[Result]:
        """Remove originals that a killed run left, where they are what their archive holds."""
        by_archive: defaultdict[str, dict[str, Artifact]] = defaultdict(dict)
        for artifact in artifacts:
            by_archive[plan.archived[artifact.name]][artifact.name] = artifact
        for archive, files in sorted(by_archive.items()):
            try:
                equal, different = self._compared(archive, files)
            except (ArtifactError, DataError) as error:
                yield from (self._failed(each, Action.ARCHIVE, error) for each in files.values())
                continue
            for each in different:
                yield _left(each, Action.ARCHIVE, Problem.CONFLICT, f"{archive} holds another {each.name}")
            yield from self._replaced(equal, archive)

    def _compared(self, archive: str, files: Mapping[str, Artifact]) -> tuple[list[Artifact], list[Artifact]]:
        """Return the files that are equal to the members of their names, and those that are not."""
        equal: list[Artifact] = []
        different: list[Artifact] = []
        folder = _folder(archive)
        for member, content in read_members(self._root, archive):
            file = files.get(f"{folder}/{member.name}" if folder else member.name)
            if file is not None:
                is_equal = hashlib.sha256(content).hexdigest() == hash_file(self._root, file)
                (equal if is_equal else different).append(file)
        return equal, different

    # What goes wrong

    def _attempt(
        self, artifact: Artifact, action: Action, step: Callable[[Artifact], Iterator[Result]]
    ) -> Iterator[Result]:
        refused = (
            self._refusal(artifact, action)
            if action is Action.COMPRESS
            else self._lateness(artifact, action, 0)
        )
        if refused:
            yield refused
            return
        try:
            yield from step(artifact)
        except (ArtifactError, DataError) as error:
            yield self._failed(artifact, action, error)

    def _refusal(self, artifact: Artifact, action: Action) -> Result | None:
        """Return why a file is not to be compressed now, if it is not."""
        if postponed := self._postponement(artifact, action):
            return postponed
        failures = self._root.check_all([artifact], refuse_written)
        return self._failed(artifact, action, failures[0][1]) if failures else None

    def _postponement(self, artifact: Artifact, action: Action) -> Result | None:
        if self._is_full:
            return _left(artifact, action, Problem.DISK_FULL, "the disk is full")
        return self._lateness(artifact, action, artifact.size_bytes / _SLOWEST_BYTES_PER_SECOND)

    def _lateness(self, artifact: Artifact, action: Action, seconds: float) -> Result | None:
        deadline = self._deadline_seconds
        if deadline is None or clock.monotonic_seconds() + seconds <= deadline:
            return None
        return _left(artifact, action, Problem.OUT_OF_TIME, "the time given to this run is over")

    def _failed(self, artifact: Artifact, action: Action, error: CausalError) -> Result:
        problem = Problem.FAILED
        if isinstance(error, BeingWrittenError):
            problem = Problem.BEING_WRITTEN
        elif isinstance(error, ChangedError):
            problem = Problem.CHANGED
        elif isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_SPACE:
            problem, self._is_full = Problem.DISK_FULL, True
        return _left(artifact, action, problem, error.what)


def _left(artifact: Artifact, action: Action, problem: Problem, detail: str) -> Result:
    return Result(artifact.name, action, artifact.size_bytes, problem=problem, detail=detail)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
