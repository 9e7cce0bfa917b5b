"""What to make of legacy files, decided before anything is written: pure, and complete.

Every value of every file gets a fate: it goes into a profile, into the override file, or into the report. What the
files contradict each other about is a problem, shown with both places, and nothing is done until a person has
resolved it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.legacy_files import Kind, LegacyFile
from pytest_causal.policy.legacy_keys import NESTED, OLDER
from pytest_causal.policy.values import conform
from pytest_causal.settings.scalars import shown

_APPLIED_PARTS = ("base", "overrides_runtime", "applied")
UNNAMED = "applied"
"""The name of the profile made from an applied profile that does not say which it is."""


class Fate(StrEnum):
    """What becomes of a value."""

    PROFILE = "into the profile"
    OVERRIDE = "into the overrides"
    DESCRIPTION = "into the description"
    SAME = "said elsewhere, with the same value"
    OUTWEIGHED = "outweighed by a stronger file"
    REPORTED = "in the backup and in this report only"


class Note(NamedTuple):
    """The fate of one value: where it stood, what it was, where it went (a path or a name) and why, if it matters."""

    place: str
    path: str
    value: Any
    fate: Fate
    target: str = ""
    why: str = ""


class KnownProfile(NamedTuple):
    """A profile that there is already. ``is_own`` says that it is the user's, and not one shipped with us.

    ``others`` are the parts of its file beside the values, as written: bounds and KPI limits.
    """

    leaves: Mapping[str, Any]
    bounds: Mapping[str, Bound]
    is_own: bool
    others: Mapping[str, Any]


class Surroundings(NamedTuple):
    """What the plan must fit into: profiles by name, the override file's values, and the policy without them.

    ``policy`` is dotted path -> value, empty where none is declared; ``bounds`` are those in force.
    ``reference`` is dotted path -> value and bound of the predecessors' parameters, for their types.
    """

    profiles: Mapping[str, KnownProfile]
    overrides: Mapping[str, Any]
    policy: Mapping[str, Any]
    bounds: Mapping[str, Bound]
    reference: KnownProfile


class Plan(NamedTuple):
    """What will be written (dotted path -> value), the fate of every value, and what stands in the way."""

    files: tuple[LegacyFile, ...]
    profiles: Mapping[str, Mapping[str, Any]]
    descriptions: Mapping[str, str]
    overrides: Mapping[str, Any]
    notes: tuple[Note, ...]
    problems: tuple[str, ...]


def plan_migration(files: Sequence[LegacyFile], around: Surroundings) -> Plan:
    """Return what to do with the files, which are given the weakest first."""
    planning = _Planning(around)
    for file in files:
        match file.kind:
            case Kind.FOLDER_PROFILE | Kind.PROFILE:
                planning.add_profile(file)
            case Kind.APPLIED:
                planning.add_applied(file)
            case Kind.RUNTIME:
                planning.add_overrides(file, file.leaves)
    return planning.finished(files)


class _Value(NamedTuple):
    """A value on its way: where it is now wanted, and the file and path it was read from."""

    value: Any
    file: LegacyFile
    written_as: str


class _Planning:
    """The plan as it grows, file by file."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._profiles: dict[str, dict[str, _Value]] = {}
        self._overrides: dict[str, _Value] = {}
        self._descriptions: dict[str, str] = {}
        self._notes: list[Note] = []
        self._problems: list[str] = []

    def add_profile(self, file: LegacyFile) -> None:
        leaves = dict(file.leaves)
        if isinstance(description := leaves.pop("description", None), str):
            self._descriptions[file.name] = description
            self._note(file, "description", description, Fate.DESCRIPTION, file.name)
        elif description is not None:
            leaves["description"] = description
        self._add(self._profiles.setdefault(file.name, {}), file, self._without_bookkeeping(file, leaves))

    def add_overrides(self, file: LegacyFile, leaves: Mapping[str, Any], prefix: str = "") -> None:
        kept = {}
        for path, value in self._without_bookkeeping(file, leaves, prefix).items():
            today = _today(path)
            if self._around.policy and today not in self._around.policy:
                why = "the policy in force has no such value"
                self._note(file, prefix + path, value, Fate.REPORTED, why=why)
            else:
                kept[path] = value
        self._add(self._overrides, file, kept, prefix)

    def add_applied(self, file: LegacyFile) -> None:
        if not isinstance(file.document.data.get("base"), dict):
            self.add_profile(file._replace(name=UNNAMED))
            return
        parts = {part: _under(file.leaves, part) for part in _APPLIED_PARTS}
        name = file.leaves.get("profile", UNNAMED)
        named = file._replace(name=str(name))
        is_in_force = file.leaves.get("runtime_overrides_applied", True) is not False
        self._add(self._profiles.setdefault(named.name, {}), named, parts["base"], "base.")
        if is_in_force:
            self.add_overrides(file, parts["overrides_runtime"], "overrides_runtime.")
        else:
            self._report(file, parts["overrides_runtime"], "overrides_runtime.", "they were not applied")
        self._compare_applied(file, parts, is_in_force=is_in_force)
        inside = tuple(f"{part}." for part in _APPLIED_PARTS)
        for path, value in file.leaves.items():
            if not path.startswith(inside):
                self._note(file, path, value, Fate.REPORTED, why="it is a record, not a value")

    def finished(self, files: Sequence[LegacyFile]) -> Plan:
        profiles = {name: self._merged(name, values) for name, values in self._profiles.items()}
        overrides = {path: value.value for path, value in self._overrides.items()}
        for name, values in self._profiles.items():
            origins = dict.fromkeys(value.file.path.name for value in values.values())
            self._descriptions.setdefault(name, f"Migrated from {', '.join(origins)}.")
        self._check_overrides()
        return Plan(
            files=tuple(files),
            profiles=profiles,
            descriptions=self._descriptions,
            overrides=overrides,
            notes=tuple(self._notes),
            problems=tuple(self._problems),
        )

    def _add(
        self, into: dict[str, _Value], file: LegacyFile, leaves: Mapping[str, Any], prefix: str = ""
    ) -> None:
        """Put a file's values above those of weaker files; its own names of one value must agree."""
        fate = Fate.OVERRIDE if into is self._overrides else Fate.PROFILE
        own: dict[str, _Value] = {}
        for path, value in leaves.items():
            today = _today(path)
            typed = self._typed(file, prefix + path, today, value)
            if (first := own.get(today)) is None:
                own[today] = _Value(typed, file, prefix + path)
            elif canonical(first.value) == canonical(typed):
                self._note(file, prefix + path, value, Fate.SAME, today)
            else:
                self._contradiction(first, _Value(typed, file, prefix + path))
        for today, new in own.items():
            if (weaker := into.get(today)) is not None:
                self._outweigh(weaker, new, today)
            into[today] = new
            why = (
                "" if today in self._around.reference.leaves else "no predecessor's parameter; kept as it is"
            )
            self._note(file, new.written_as, new.value, fate, today, why)

    def _outweigh(self, weaker: _Value, stronger: _Value, today: str) -> None:
        """Correct the note of a value that a stronger file replaces."""
        is_same = canonical(weaker.value) == canonical(stronger.value)
        fate = Fate.SAME if is_same else Fate.OUTWEIGHED
        place = weaker.file.place(weaker.written_as)
        by = stronger.file.place(stronger.written_as)
        for index, note in enumerate(self._notes):
            if (note.place, note.path) == (place, weaker.written_as):
                self._notes[index] = note._replace(fate=fate, target=today, why=f"see {by}")

    def _typed(self, file: LegacyFile, written_as: str, today: str, value: Any) -> Any:
        reference = self._around.reference
        if today not in reference.leaves:
            return value
        try:
            typed = conform(value, reference.leaves[today])
        except ValueError as error:
            self._problems.append(f"{file.place(written_as)}: {written_as}: {error}")
            return value
        if written_as.removeprefix("base.") in OLDER and not reference.bounds[today].holds(typed):
            self._problems.append(
                f"{file.place(written_as)}: {written_as} = {shown(value)} is no value of {today} "
                f"({reference.bounds[today]}) but a change that a tool wrote in its place; remove it"
            )
        return typed

    def _merged(self, name: str, values: Mapping[str, _Value]) -> dict[str, Any]:
        """Return the whole profile: what there is under that name, with the legacy values above it."""
        known = self._around.profiles.get(name)
        below = dict(known.leaves) if known else {}
        for path, value in values.items():
            place = value.file.place(value.written_as)
            if known and known.is_own and canonical(below.get(path, "")) != canonical(value.value):
                there = shown(below[path]) if path in below else "no such value"
                self._problems.append(
                    f"{place}: {path} is {shown(value.value)} but your profile {name} has {there}; "
                    "make the two agree: a profile is never changed in place"
                )
            bound = known.bounds.get(path) if known else None
            if bound and not _is_within(bound, value.value):
                self._problems.append(
                    f"{place}: {path} = {shown(value.value)} is out of the bounds of profile {name}: {bound}"
                )
        return below | {path: value.value for path, value in values.items()}

    def _check_overrides(self) -> None:
        for path, value in self._overrides.items():
            place = value.file.place(value.written_as)
            bound = self._around.bounds.get(path)
            if bound and not _is_within(bound, value.value):
                self._problems.append(
                    f"{place}: {path} = {shown(value.value)} is out of bounds: {bound} ({bound.place})"
                )
            there = self._around.overrides.get(path, value.value)
            if canonical(there) != canonical(value.value):
                self._problems.append(
                    f"{place}: {path} is {shown(value.value)} but the override file has {shown(there)}; "
                    "make the two agree"
                )

    def _compare_applied(
        self, file: LegacyFile, parts: Mapping[str, Mapping[str, Any]], *, is_in_force: bool
    ) -> None:
        expected = {**parts["base"], **(parts["overrides_runtime"] if is_in_force else {})}
        for path, value in parts["applied"].items():
            if path in expected and canonical(expected[path]) == canonical(value):
                self._note(file, f"applied.{path}", value, Fate.SAME, _today(path))
            else:
                there = shown(expected[path]) if path in expected else "no such value"
                why = f"base and overrides_runtime give {there}"
                self._note(file, f"applied.{path}", value, Fate.REPORTED, why=why)

    def _without_bookkeeping(
        self, file: LegacyFile, leaves: Mapping[str, Any], prefix: str = ""
    ) -> dict[str, Any]:
        """Return the leaves without those that a tool leaked into the file (``_sources``), which are reported."""
        leaked = {path: value for path, value in leaves.items() if path.startswith("_")}
        self._report(file, leaked, prefix, "a tool's own record, not a value")
        return {path: value for path, value in leaves.items() if path not in leaked}

    def _report(self, file: LegacyFile, leaves: Mapping[str, Any], prefix: str, why: str) -> None:
        for path, value in leaves.items():
            self._note(file, prefix + path, value, Fate.REPORTED, why=why)

    def _contradiction(self, first: _Value, second: _Value) -> None:
        self._problems.append(
            f"{first.file.place(first.written_as)}: {first.written_as} is {shown(first.value)} but "
            f"{second.written_as} is {shown(second.value)} ({second.file.place(second.written_as)}), "
            "and the two are one value; keep one of them"
        )
        self._note(
            second.file, second.written_as, second.value, Fate.REPORTED, why="contradicts another value"
        )

    def _note(
        self, file: LegacyFile, path: str, value: Any, fate: Fate, target: str = "", why: str = ""
    ) -> None:
        self._notes.append(Note(file.place(path), path, value, fate, target, why))


def _today(path: str) -> str:
    """Return the path under which a value is known today."""
    return NESTED.get(OLDER.get(path, path), path)


def _under(leaves: Mapping[str, Any], table: str) -> dict[str, Any]:
    prefix = f"{table}."
    return {path.removeprefix(prefix): value for path, value in leaves.items() if path.startswith(prefix)}


def _is_within(bound: Bound, value: Any) -> bool:
    return not isinstance(value, int | float) or isinstance(value, bool) or bound.holds(value)


def unaccounted(files: Iterable[LegacyFile], notes: Iterable[Note]) -> list[str]:
    """Return the places of values that have no fate: none, or the plan is wrong and must not be carried out."""
    told = {(note.place, note.path) for note in notes}
    return [
        file.place(path) for file in files for path in file.leaves if (file.place(path), path) not in told
    ]
