"""The journal of a run: what happened, line by line, each on the disk before the next thing is done.

Every line is a JSON object that begins with a hash of itself and of the line before, so that a line that was changed,
lost, moved or written twice is noticed. A line that is torn at the very end is what a kill or a full disk leaves: it
never happened, and is cut off before the next is written. Damage anywhere else is refused.

Everything else that a run writes can be made from its journal again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

from pytest_causal.errors import DataError, MissingInputError, StoreError
from pytest_causal.policy.atomic_file import sync_directory
from tools.soak.surroundings import NOTHING_LOST, SYNC

NAME = "journal.jsonl"
SCHEMA = "causal.soak_journal/1"
_HASH_DIGITS = 16
_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_decoded = json.JSONDecoder().decode
_START = '{"hash":"'
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

    def __init__(self, descriptor: int, path: Path, sync: Callable[[int], None], hash_: str) -> None:
        self._descriptor = descriptor
        self._path = path
        self._sync = sync
        self._hash = hash_
        self._size = 0
        self.lines = 0

    @classmethod
    def open(cls, path: Path, *, sync: Callable[[int], None] = SYNC) -> Self:
        """Open a journal to go on, or begin one; a torn line at its end is cut off.

        Raises DataError for one that is damaged, StoreError.
        """
        descriptor = _opened(path)
        reading = Reading(path)
        try:
            lines = sum(1 for _ in reading)
        except BaseException:
            os.close(descriptor)
            raise
        journal = cls(descriptor, path, sync, reading.hash)
        journal.lines, journal._size = lines, reading.whole_bytes
        if reading.is_torn:
            journal._cut_back()
        return journal

    def append(self, step: Step, iteration: int, at_us: int, data: Mapping[str, Any]) -> Line:
        """Write one line and wait until it is on the disk; return it as it will be read back.

        Raises StoreError where it cannot be; what was half written is taken back.
        """
        # Through JSON and back, so that what goes on from here is what a resumed run would go on from.
        text = _encoded(
            {"n": self.lines + 1, "step": step, "iteration": iteration, "at_us": at_us, "data": data}
        )
        hash_ = _hash(self._hash, text[1:])
        line = f'{_START}{hash_}",{text[1:]}\n'.encode()
        try:
            self._write(line)
        except OSError as error:
            self._cut_back()
            raise StoreError(f"cannot write {self._path}: {error.strerror}", NOTHING_LOST) from error
        self._hash = hash_
        self._size += len(line)
        self.lines += 1
        return Line(self.lines, step, iteration, at_us, _decoded(text)["data"])

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, line: bytes) -> None:
        written = 0
        while written < len(line):
            written += os.write(self._descriptor, line[written:])
        self._sync(self._descriptor)

    def _cut_back(self) -> None:
        """Take back a line that is not whole. Where that fails too, the next one to open the journal does it."""
        try:
            os.ftruncate(self._descriptor, self._size)
            os.fsync(self._descriptor)
        except OSError:
            return


class Reading:
    """Reads a journal line by line, in constant memory, checking each. Iterate it once.

    Afterwards ``is_torn`` says whether there is a torn line at the end, ``whole_bytes`` where it begins, and ``hash``
    is that of the last whole line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.hash = ""
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

    def _lines(self, file: Iterator[bytes]) -> Iterator[Line]:
        for number, raw in enumerate(file, start=1):
            if not raw.endswith(b"\n"):  # only the last line can lack its end
                self.is_torn = True
                return
            line = self._parsed(raw, number)
            self.whole_bytes += len(raw)
            yield line

    def _parsed(self, raw: bytes, number: int) -> Line:
        try:
            text = raw[:-1].decode("ascii")
            hash_, rest = text[len(_START) : _BODY_AT - 2], text[_BODY_AT:]
            if not text.startswith(_START) or hash_ != _hash(self.hash, rest):
                raise ValueError("its hash does not fit it and the line before")
            body = _decoded(text)
            line = Line(body["n"], Step(body["step"]), body["iteration"], body["at_us"], body["data"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{self._path}:{number} is damaged: {error}",
                "nothing was changed; keep the folder and begin a new run",
            ) from error
        self.hash = hash_
        return line


def read_journal(path: Path) -> Iterator[Line]:
    """Yield the whole lines of a journal. Raises as :class:`Reading`."""
    return iter(Reading(path))


def _hash(before: str, rest: str) -> str:
    return hashlib.sha256(f"{before}\n{rest}".encode()).hexdigest()[:_HASH_DIGITS]


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o644)
        sync_directory(path.parent)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}", "check the folder") from error
    return descriptor
