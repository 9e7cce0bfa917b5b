"""The journal of a run: what happened, line by line, each on the disk before the next thing is done.

Every line is a JSON object that begins with a hash of itself and of the line before, so that a line that was changed,
lost, moved or written twice is noticed. A line that is torn at the very end is what a kill, a lost power supply or a
full disk leaves: it never happened, and is cut off before the next is written. Damage anywhere else is refused.

An open journal is longer than its lines: zero bytes stand behind them, onto which the next are written. So a line
changes neither the length of the file nor where it lies on the disk, and waiting for it is waiting for its own bytes
alone, which takes half the processor time. What was not used is cut off when the journal is closed. Where a process was
killed it stays, and a reader takes zero bytes behind the last line for what they are.

Everything else that a run writes can be made from its journal again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from pytest_causal.errors import DataError, MissingInputError, StoreError
from pytest_causal.policy.atomic_file import sync_directory
from tools.soak.surroundings import NOTHING_LOST, SYNC

NAME = "journal.jsonl"
SCHEMA = "causal.soak_journal/2"
_ROOM_BYTES = 1 << 18
"""How far a journal is made longer at once."""
_SECTOR_BYTES = 512
"""The least that a disk writes as a whole."""
_HASH_DIGITS = 16
_encoded = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
_decoded = json.JSONDecoder().decode
_START = '{"sum":"'
_BODY_AT = len(_START) + _HASH_DIGITS + 2
"""Where the rest of a line begins: behind the hash, its quote and its comma."""


class Step(StrEnum):
    """What a line says has happened. The first six are the way of each iteration; the others concern the run."""

    PLANNED = "PLANNED"
    RUNNING = "RUNNING"
    MEASURED = "MEASURED"
    DECIDED = "DECIDED"
    APPLIED = "APPLIED"
    DONE = "DONE"
    BEGUN = "BEGUN"
    RESUMED = "RESUMED"
    INTERRUPTED = "INTERRUPTED"
    REVERTING = "REVERTING"
    REVERTED = "REVERTED"
    FINISHED = "FINISHED"


class Line(NamedTuple):
    """One line: ``number`` from 1, ``iteration`` 0 where it concerns the run, ``at_us`` of the wall clock (UTC)."""

    number: int
    step: Step
    iteration: int
    at_us: int
    data: Mapping[str, Any]


class Journal:
    """A journal that is open for appending. The caller holds the lease of the run."""

    def __init__(self, descriptor: int, path: Path, sync: Callable[[int], None], reading: Reading) -> None:
        self._descriptor = descriptor
        self._path = path
        self._sync = sync
        self._hash = reading.hash
        self._size = self._room_ends = reading.whole_bytes
        self.lines = reading.lines

    @classmethod
    def open(cls, path: Path, *, sync: Callable[[int], None] = SYNC) -> Self:
        """Open a journal to go on, or begin one; what stands behind its last whole line is cut off.

        Raises DataError for one that is damaged, StoreError.
        """
        descriptor = _opened(path)
        reading = Reading(path)
        try:
            for _ in reading:
                pass
        except BaseException:
            os.close(descriptor)
            raise
        journal = cls(descriptor, path, sync, reading)
        journal._cut_back()
        return journal

    def append(self, step: Step, iteration: int, at_us: int, data: Mapping[str, Any]) -> Line:
        """Write one line and wait until it is on the disk; return it as it will be read back.

        ``data`` consists of what JSON has: a tuple in it would come back as a list. Raises StoreError where the line
        cannot be written; what was half written is taken back.
        """
        number = self.lines + 1
        rest = (
            f'"at_us":{at_us},"data":{_encoded(data)},"iteration":{iteration},"n":{number},"step":"{step}"}}'
        )
        hash_ = _hash(self._hash, rest)
        line = f'{_START}{hash_}",{rest}\n'.encode()
        try:
            self._write(line)
        except OSError as error:
            self._cut_back()
            raise StoreError(f"cannot write {self._path}: {error.strerror}", NOTHING_LOST) from error
        self._hash = hash_
        self._size += len(line)
        self.lines = number
        return Line(number, step, iteration, at_us, data)

    def close(self) -> None:
        """Cut off what was not used, and let go of the file; safe to call twice."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # zero bytes that stay are no harm
                os.ftruncate(self._descriptor, self._size)
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, line: bytes) -> None:
        if self._size + len(line) > self._room_ends:
            self._make_room(len(line))
        _write_all(self._descriptor, line)
        self._sync(self._descriptor)

    def _make_room(self, least_bytes: int) -> None:
        """Write zero bytes where the next lines will stand; they are synced with the first of these."""
        room_bytes = max(least_bytes, _ROOM_BYTES)
        os.lseek(self._descriptor, self._size, os.SEEK_SET)
        _write_all(self._descriptor, bytes(room_bytes))
        os.lseek(self._descriptor, self._size, os.SEEK_SET)
        self._room_ends = self._size + room_bytes

    def _cut_back(self) -> None:
        """Take back what is no whole line. Where that fails too, the next one to open the journal does it."""
        self._room_ends = self._size
        with contextlib.suppress(OSError):
            if os.fstat(self._descriptor).st_size != self._size:
                os.ftruncate(self._descriptor, self._size)
                os.fsync(self._descriptor)


class Reading:
    """Reads a journal line by line, in constant memory, checking each. Iterate it once.

    Afterwards ``is_torn`` says whether there is a torn line at the end, ``whole_bytes`` where it begins, ``lines`` how
    many whole ones there are, and ``hash`` is that of the last.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.hash = ""
        self.lines = 0
        self.whole_bytes = 0
        self.is_torn = False

    def __iter__(self) -> Iterator[Line]:
        """Yield each whole line. Raises DataError with the line's number for damage, MissingInputError, StoreError."""
        try:
            with open(self._path, "rb") as file:
                yield from self._lines(file)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingInputError(
                f"there is no journal {self._path}", "`causal soak list` lists the runs there are"
            ) from None
        except OSError as error:
            raise StoreError(
                f"cannot read {self._path}: {error.strerror}", "check the permissions"
            ) from error

    def _lines(self, file: BinaryIO) -> Iterator[Line]:
        for raw in file:
            if b"\0" in raw or not raw.endswith(b"\n"):
                self._check_end(raw, file)
                return
            line = self._parsed(raw, self.lines + 1)
            self.whole_bytes += len(raw)
            self.lines += 1
            yield line

    def _check_end(self, raw: bytes, file: BinaryIO) -> None:
        """Look at what is no whole line: unused room, or a line of which a part was never written, then room.

        Raises DataError for anything else.
        """
        torn = raw.rstrip(b"\0")
        is_last = not any(piece.strip(b"\0") for piece in iter(partial(file.read, _ROOM_BYTES), b""))
        if not is_last or not _has_gaps_of_sectors(torn, self.whole_bytes):
            raise self._damage(self.lines + 1, "zero bytes stand in it that no torn line has")
        self.is_torn = bool(torn)

    def _parsed(self, raw: bytes, number: int) -> Line:
        try:
            text = raw[:-1].decode("ascii")
            hash_, rest = text[len(_START) : _BODY_AT - 2], text[_BODY_AT:]
            if not text.startswith(_START):
                raise ValueError(f"it is no line of {SCHEMA}")
            if hash_ != _hash(self.hash, rest):
                raise ValueError("its hash does not fit it and the line before")
            body = _decoded(text)
            line = Line(body["n"], Step(body["step"]), body["iteration"], body["at_us"], body["data"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damage(number, str(error)) from error
        self.hash = hash_
        return line

    def _damage(self, number: int, what: str) -> DataError:
        return DataError(
            f"{self._path}:{number} is damaged: {what}",
            "nothing was changed; keep the folder and begin a new run",
        )


def read_journal(path: Path) -> Iterator[Line]:
    """Yield the whole lines of a journal. Raises as :class:`Reading`."""
    return iter(Reading(path))


def _has_gaps_of_sectors(torn: bytes, at: int) -> bool:
    """Return whether the zero bytes within a line that would begin ``at`` can be sectors that were not written."""
    return all(
        (gap.start() == 0 or (at + gap.start()) % _SECTOR_BYTES == 0)
        and (at + gap.end()) % _SECTOR_BYTES == 0
        for gap in re.finditer(rb"\0+", torn)
    )


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, content[written:])


def _hash(before: str, rest: str) -> str:
    return hashlib.blake2b(f"{before}\n{rest}".encode(), digest_size=_HASH_DIGITS // 2).hexdigest()


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o644)
        sync_directory(path.parent)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}", "check the folder") from error
    return descriptor
