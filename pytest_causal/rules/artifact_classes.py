"""Which class a file belongs to, the number of its iteration, and how archives of a class are named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence, Set
from datetime import date

from pytest_causal.errors import ConfigError
from pytest_causal.model.artifact import (
    ARCHIVE_SUFFIX,
    FRAME_SUFFIX,
    Artifact,
    ArtifactClass,
    FileKind,
    PlannedArchive,
)

DAY_SECONDS = 86_400
_SECOND_NS = 1_000_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_CLASS_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_LONGEST_NUMBER = 18
_FRAME_KIND, _ARCHIVE_KIND = FileKind.FRAME, FileKind.ARCHIVE
_ARCHIVE = re.compile(
    r"(?P<class>[a-z][a-z0-9-]*)\.\d{8}(?:\.\d+-(?P<last>\d{1,18}))?\.n(?P<count>\d{1,9})\.[0-9a-f]{8}"
    + re.escape(ARCHIVE_SUFFIX),
    re.ASCII,
)


Place = tuple[int, int | None, int]
"""Where a file stands: the number of its class, its iteration, and how many files it holds (an archive many).

The iteration is -1 where the class has no iterations, ``None`` where it has and the name gives no number.
"""


class Classifier:
    """Finds the class of a file by its name; what is compressed is found by the name of what it holds."""

    def __init__(self, classes: Sequence[ArtifactClass]) -> None:
        """Raise :class:`ConfigError` for a name, a pattern or an expression that cannot be used."""
        for each in classes:
            _check(each)
        names = [each.name for each in classes]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ConfigError(f"two classes of artifacts are named {min(repeated)}", "rename one of them")
        self._numbers = {name: number for number, name in enumerate(names)}
        self._rules = [
            (
                number,
                _matcher(pattern for pattern in each.patterns if "/" not in pattern),
                _matcher(pattern for pattern in each.patterns if "/" in pattern),
                re.compile(each.iteration, re.ASCII).search if each.iteration else None,
            )
            for number, each in enumerate(classes)
        ]
        self.asks_for_last_parts = all("/" not in pattern for each in classes for pattern in each.patterns)
        """Whether the last part of a name decides, so that equal ones have equal places."""

    def place(self, name: str, last: str, kind: FileKind) -> Place | None:
        """Return where a file stands, by its name and the last part of it; ``None`` for one of no class."""
        if kind is _ARCHIVE_KIND and (found := _ARCHIVE.fullmatch(last)):
            number = self._numbers.get(found["class"])
            iteration = -1 if found["last"] is None else int(found["last"])
            return None if number is None else (number, iteration, int(found["count"]))
        if kind is _FRAME_KIND:
            name, last = name.removesuffix(FRAME_SUFFIX), last.removesuffix(FRAME_SUFFIX)
        for number, matches_last, matches_whole, numbered in self._rules:
            if (matches_last and matches_last(last)) or (matches_whole and matches_whole(name)):
                return number, _iteration(numbered(last)) if numbered else -1, 1
        return None


def _iteration(found: re.Match[str] | None) -> int | None:
    digits = found[1] if found else None
    return int(digits) if digits and digits.isdecimal() and len(digits) <= _LONGEST_NUMBER else None


def name_archive(
    class_name: str, members: tuple[Artifact, ...], iterations: tuple[int, ...]
) -> PlannedArchive:
    """Return the archive of some files, all of one directory, class and day, under its name.

    Such as ``summaries.20261001.1-100.n100.3f2a9c1b.tar.zst``: class, day, first and last iteration where there are
    iterations, how many, and a hash of what goes in. The same files make the same name.
    """
    directory, slash, _ = members[0].name.rpartition("/")
    content = "".join([f"{each[0]}\0{each[1]}\0{each[3]}\0" for each in members])  # name, size, time
    digest = hashlib.sha256(content.encode("utf-8", "surrogateescape"))
    span = f".{min(iterations)}-{max(iterations)}" if min(iterations) >= 0 else ""
    last = f"{class_name}.{day_words(members[0].mtime_ns)}{span}.n{len(members)}.{digest.hexdigest()[:8]}"
    return PlannedArchive(f"{directory}{slash}{last}{ARCHIVE_SUFFIX}", class_name, members, iterations)


def without_members(planned: PlannedArchive, names: Set[str]) -> PlannedArchive | None:
    """Return an archive without some of its members, under the name it then has; ``None`` if none are left."""
    left = [place for place, each in enumerate(planned.members) if each.name not in names]
    if not left:
        return None
    members = tuple(planned.members[place] for place in left)
    return name_archive(planned.class_name, members, tuple(planned.iterations[place] for place in left))


def archive_day(name: str) -> str | None:
    """Return the day of the files in an archive of ours, by its name; ``None`` for any other file."""
    last = name.rpartition("/")[2]
    return last.split(".")[1] if _ARCHIVE.fullmatch(last) else None


def day_words(time_ns: int) -> str:
    """Return the day of a time in nanoseconds since the epoch, UTC, as ``20261001``; far days as the nearest named."""
    day = time_ns // (_SECOND_NS * DAY_SECONDS)
    named = date.fromordinal(min(max(day + _EPOCH_ORDINAL, 1), date.max.toordinal()))
    return named.isoformat().replace("-", "")


def _check(each: ArtifactClass) -> None:
    where = f"the class of artifacts {each.name!r}"
    if not _CLASS_NAME.fullmatch(each.name):
        raise ConfigError(f"{where} has a bad name", "use lower-case letters, digits and '-'")
    if not each.patterns or not all(each.patterns):
        raise ConfigError(f"{where} has no pattern or an empty one", "give it patterns such as '*.jsonl'")
    try:
        groups = re.compile(each.iteration).groups if each.iteration else 1
    except re.error as error:
        raise ConfigError(
            f"{where}: iteration {each.iteration!r} is no expression ({error})", "mend it"
        ) from error
    if groups < 1:
        raise ConfigError(
            f"{where}: iteration {each.iteration!r} has no group", r"mark the number: 'ITER_SUMMARY_(\d+)'"
        )


def _matcher(patterns: Iterable[str]) -> Callable[[str], object] | None:
    """Return what tells whether a text as a whole matches one of some globs; ``None`` where there are none."""
    expression = "|".join(map(_expression, patterns))
    return re.compile(expression, re.DOTALL).fullmatch if expression else None


def _expression(pattern: str) -> str:
    expression, place = "", 0
    while place < len(pattern):
        if pattern.startswith("**/", place):
            expression += "(?:.*/)?"
            place += 3
        elif pattern.startswith("**", place):
            expression += ".*"
            place += 2
        else:
            expression += {"*": "[^/]*", "?": "[^/]"}.get(pattern[place], re.escape(pattern[place]))
            place += 1
    return expression
