from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import DataError, ExitCode, MissingInputError, StoreError
from tools.soak.journal import Journal, Reading, Step, read_journal

LONG_AGO = 1_700_000_000_000_000


def written(path: Path, count: int = 4) -> Path:
    journal = Journal.open(path)
    for number in range(1, count + 1):
        journal.append(Step.PLANNED, number, LONG_AGO + number, {"phase": "STEADY", "value": number / 3})
    journal.close()
    return path


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    lines = list(read_journal(written(tmp_path / "journal.jsonl")))
    assert [(line.number, line.step, line.iteration, line.at_us) for line in lines] == [
        (number, Step.PLANNED, number, LONG_AGO + number) for number in (1, 2, 3, 4)
    ]
    assert lines[2].data == {"phase": "STEADY", "value": 1.0}


def test_what_append_returns_is_what_a_reader_gets(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl")
    line = journal.append(Step.DECIDED, 1, LONG_AGO, {"steps": [("a", 1, 2.0)], "verdict": Step.DONE})
    journal.close()
    assert [line] == list(read_journal(tmp_path / "journal.jsonl"))


def test_each_line_is_synced_before_the_next_thing_is_done(tmp_path: Path) -> None:
    sizes: list[int] = []
    path = tmp_path / "journal.jsonl"
    journal = Journal.open(path, sync=lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    for number in (1, 2, 3):
        journal.append(Step.PLANNED, number, LONG_AGO, {})
        assert len(sizes) == number
        assert sizes[-1] == path.stat().st_size
    journal.close()


@pytest.mark.parametrize("kept", [0, 1, 20, 100])
def test_a_torn_last_line_never_happened_and_is_cut_off(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path / "journal.jsonl")
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    path.write_bytes(content[: last + kept])
    reading = Reading(path)
    assert [line.number for line in reading] == [1, 2, 3]
    assert reading.is_torn == bool(kept)
    journal = Journal.open(path)
    journal.append(Step.PLANNED, 4, LONG_AGO, {"again": True})
    journal.close()
    assert [line.number for line in read_journal(path)] == [1, 2, 3, 4]


@given(data=st.data())
def test_any_damage_before_the_last_line_is_refused_and_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    path = written(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    place = data.draw(st.integers(0, last - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != content[place]))
    damaged = content[:place] + bytes([byte]) + content[place + 1 :]
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"journal\.jsonl:\d+ is damaged"):
        list(read_journal(path))
    with pytest.raises(DataError):
        Journal.open(path)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("change", ["lost", "doubled", "exchanged"])
def test_a_line_that_was_lost_doubled_or_moved_is_noticed(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "journal.jsonl")
    one, two, three, four = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        b"".join(
            {"lost": [one, three, four], "doubled": [one, two, two, three], "exchanged": [two, one]}[change]
        )
    )
    with pytest.raises(DataError, match="hash does not fit"):
        list(read_journal(path))


def test_k22_a_full_disk_takes_back_what_was_half_written(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.jsonl")
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        assert path.stat().st_size > len(before), "the fault comes when the line is there"
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal.open(path, sync=full)
    with pytest.raises(StoreError, match="No space left") as caught:
        journal.append(Step.PLANNED, 5, LONG_AGO, {})
    journal.close()
    assert caught.value.exit_code == ExitCode.IO_ERROR
    assert path.read_bytes() == before


def test_nan_cannot_be_written(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl")
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.append(Step.PLANNED, 1, LONG_AGO, {"value": float("nan")})
    journal.close()
    assert list(read_journal(tmp_path / "journal.jsonl")) == []


def test_a_journal_that_is_not_there_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        list(read_journal(tmp_path / "journal.jsonl"))
