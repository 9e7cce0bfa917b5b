"""The parameters of a running workload: read, changed and read back through the layers that the workload reads.

A change is stated by its absolute values, before and after, so that one that is applied again, by a run that was killed
between two steps, changes nothing. It is written to the override file as a whole, by compare and swap, and counts only
when the policy that comes out of all layers has the new value: a flag or a variable above the file would hide it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.errors import CausalError, ExitCode
from pytest_causal.policy.canonical import canonical, fingerprint
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.overrides import (
    Entry,
    Overrides,
    StaleRevisionError,
    read_overrides,
    write_overrides,
)
from pytest_causal.policy.resolution import resolve
from pytest_causal.policy.tree import frozen
from pytest_causal.policy.values import conform
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.sources import Settings


class SafetyStopError(CausalError):
    """The soak stopped because going on would not be safe; a person must look."""

    exit_code = ExitCode.LOCKED


class Step(NamedTuple):
    """One value to be moved, ``before`` and ``after`` being absolute."""

    path: str
    before: float
    after: float


_SET_OPTION = "--set"
"""The option that gives a value of the policy to a soak."""
_Seen = tuple[tuple[int, int, int] | None, ...]
"""Inode, time of change (ns) and size of the files behind a policy; ``None`` for one that is not there."""


class _Known(NamedTuple):
    """A policy, the files behind it, and what they were when it was read."""

    paths: tuple[str, ...]
    seen: _Seen
    policy: Policy


class Author(NamedTuple):
    """Who changes values, such as ``soak nightly-7 iteration 3``, and when (UTC, ``2026-11-02T10:00:00Z``)."""

    by: str
    at: str


class Applied(NamedTuple):
    """What came of a change: the file's revision and fingerprint, and why it was taken back, if it was."""

    revision: int
    fingerprint: str
    taken_back: str = ""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The layers a workload's policy comes from, and the override file in them that tuning writes."""

    settings: Settings
    sets: Sequence[str]
    env: Mapping[str, str]
    path: Path
    project: Path | None = None
    """The project's own override file, from which a run with a file of its own starts."""
    _known: list[_Known] = field(default_factory=list, repr=False, compare=False)
    """The last policy, if any: none of its files is parsed again while none has changed."""

    def policy(self) -> Policy:
        """Return the policy in force, as its files are now. Raises ConfigError, UsageError."""
        for known in self._known:
            if known.seen == _look_at(known.paths):
                return known.policy
        policy = self._resolved(self.path)
        paths = tuple(str(path) for path in (self.path, *(profile.path for profile in policy.chain)))
        self._known[:] = [_Known(paths, _look_at(paths), policy)]
        return policy

    def base(self) -> Policy:
        """Return the policy that the run starts from: the project's, without what a run has tuned.

        Raises as :meth:`policy`.
        """
        return self._resolved(self.project)

    def _resolved(self, overrides: Path | None) -> Policy:
        return resolve(self.settings, cli=self.sets, env=self.env, overrides_path=overrides, flag=_SET_OPTION)

    def start(self) -> Overrides:
        """Return the override file as a run begins: one of its own holds what the project's does. Raises StoreError."""
        found = self.read()
        if self.project is None or found.revision:
            return found
        given = read_overrides(self.project)
        return write_overrides(found, given.leaves, given.entries) if given.leaves else found

    def read(self) -> Overrides:
        """Return what the override file holds. Raises ConfigError for a damaged one."""
        return read_overrides(self.path)

    def apply(self, steps: Sequence[Step], author: Author, *, from_revision: int) -> Applied:
        """Make a change that was decided on ``from_revision`` of the file; one that was made already is left as it is.

        A value that does not come out of the layers as written is taken back, with all that came with it, and
        ``taken_back`` says why. Raises SafetyStopError, having changed nothing, where the file was changed by somebody
        else or a value is out of bounds, and StoreError where it cannot be written.
        """
        found, policy = self.read(), self.policy()
        try:
            leaves = _leaves_after(found, policy, steps)
        except ValueError as error:
            raise SafetyStopError(f"{self.path}: {error}", "nothing was changed") from error
        if found.revision == from_revision + 1 and found.fingerprint == fingerprint(leaves):
            written = found  # a run that was killed had come so far
        elif found.revision == from_revision and not found.is_edited:
            written = self._write(found, leaves, steps, author)
        else:
            raise SafetyStopError(
                f"{self.path} is at revision {found.revision}{' and edited' if found.is_edited else ''}, not"
                f" {from_revision}: somebody else changed it",
                "compare it with the run's journal, then `causal soak revert`",
            )
        return self._read_back(written, found, steps)

    def _write(
        self, found: Overrides, leaves: Mapping[str, Any], steps: Sequence[Step], author: Author
    ) -> Overrides:
        entry = Entry(by=author.by, at=author.at, revision=found.revision + 1)
        entries = {**found.entries, **{step.path: entry for step in steps}}
        try:
            return write_overrides(found, leaves, {path: entries[path] for path in leaves if path in entries})
        except StaleRevisionError as error:
            raise SafetyStopError(error.what, "compare it with the run's journal") from error

    def _read_back(self, written: Overrides, before: Overrides, steps: Sequence[Step]) -> Applied:
        """Return the change if all of it is in force; take all of it back if not."""
        policy = self.policy()
        hidden = [
            f"{step.path} is {shown(leaf.value)} by {leaf.source}"
            for step in steps
            if canonical((leaf := policy.leaves[step.path]).value)
            != canonical(_conformed(leaf.value, step.after))
        ]
        if not hidden:
            return Applied(written.revision, written.fingerprint)
        undone = write_overrides(written, before.leaves, before.entries)
        return Applied(undone.revision, undone.fingerprint, f"not in force: {'; '.join(hidden)}")


def _look_at(paths: Sequence[str]) -> _Seen:
    return tuple([_stamp(path) for path in paths])


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def restore(path: Path, leaves: Mapping[str, Any], author: Author) -> bool:
    """Make an override file hold exactly these values, whatever revision it is at; return whether that changed it.

    Raises SafetyStopError for a file that was edited by hand, ConfigError for a damaged one, StoreError.
    """
    found = read_overrides(path)
    if canonical(found.leaves) == canonical(leaves) and not found.is_edited:
        return False
    entry = Entry(by=author.by, at=author.at, revision=found.revision + 1)
    try:
        write_overrides(found, leaves, dict.fromkeys(leaves, entry))
    except StaleRevisionError as error:
        # A revert never overwrites what a person wrote; `causal reconcile` is for the project's file, not for this one.
        raise SafetyStopError(error.what, "undo the edit and revert again, or begin a new run") from error
    return True


def _leaves_after(found: Overrides, policy: Policy, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the values of the file after a change. Raises ValueError for a path, a value or a bound it breaks."""
    leaves = dict(found.leaves)
    for path, _, after in steps:
        leaf, bound = policy.leaves.get(path), policy.bounds.get(path)
        if leaf is None:
            raise ValueError(f"the policy has no {shown(path)}")
        if bound is not None and not bound.holds(after):
            raise ValueError(f"{path} = {shown(after)} is out of bounds; expected {bound} ({bound.place})")
        try:
            leaves[path] = _conformed(leaf.value, after)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return leaves


def _conformed(like: Any, value: float) -> Any:
    return conform(frozen(value), like)
