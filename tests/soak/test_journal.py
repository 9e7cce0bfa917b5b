from __future__ import annotations

import errno
import os
from itertools import pairwise
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
    line = journal.append(Step.DECIDED, 1, LONG_AGO, {"steps": [["a", 1, 2.0]], "verdict": Step.DONE})
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
    room = data.draw(st.sampled_from([0, 5000]))
    damaged = content[:place] + bytes([byte]) + content[place + 1 :] + bytes(room)
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


def killed(path: Path) -> bytearray:
    """Leave a journal of three lines as a kill does, and return what is in it: unused room stands behind them."""
    journal = Journal.open(path)
    for number in (1, 2, 3):
        journal.append(Step.PLANNED, number, LONG_AGO, {"text": "x" * 1500})
    content = path.read_bytes()
    journal.close()
    path.write_bytes(content)
    assert content.endswith(bytes(1000))
    return bytearray(content)


def test_the_room_that_was_not_used_is_no_torn_line_and_goes_when_the_journal_is_closed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.jsonl"
    killed(path)
    reading = Reading(path)
    assert [line.number for line in reading] == [1, 2, 3]
    assert not reading.is_torn
    Journal.open(path).close()
    assert path.stat().st_size == reading.whole_bytes
    assert path.read_bytes().endswith(b"}\n")


def test_lines_do_not_make_the_file_longer_until_its_room_is_used(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    sizes = []
    journal = Journal.open(path, sync=lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    for number in range(1, 301):
        journal.append(Step.PLANNED, number, LONG_AGO, {"text": "x" * 2000})
    assert len(sizes) == 300
    assert len(set(sizes)) == 3
    journal.append(Step.PLANNED, 301, LONG_AGO, {"text": "x" * 300_000})
    journal.close()
    assert [line.number for line in read_journal(path)] == list(range(1, 302))


def test_a_journal_that_was_killed_is_gone_on_with_behind_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    killed(path)
    again = Journal.open(path)
    assert again.lines == 3
    again.append(Step.PLANNED, 4, LONG_AGO, {})
    again.close()
    assert [line.number for line in read_journal(path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("unwritten", [{0}, {1}, {0, 1}, {1, 2}, {0, 2}, {3}, {0, 1, 2, 3}])
def test_k1_a_line_of_which_sectors_were_not_written_never_happened(
    tmp_path: Path, unwritten: set[int]
) -> None:
    """What a lost power supply leaves: a disk writes sectors, in any order."""
    path = tmp_path / "journal.jsonl"
    content = killed(path)
    used = len(content.rstrip(b"\0"))
    begins = content.rindex(b"\n", 0, used - 1) + 1
    edges = [begins, *range((begins // 512 + 1) * 512, used, 512), used]
    pieces = list(pairwise(edges))
    assert len(pieces) >= 4
    for number in unwritten:
        start, end = pieces[number]
        content[start:end] = bytes(end - start)
    path.write_bytes(content)
    reading = Reading(path)
    assert [line.number for line in reading] == [1, 2]
    assert reading.is_torn == (len(unwritten) < len(pieces))
    journal = Journal.open(path)
    journal.append(Step.PLANNED, 3, LONG_AGO, {})
    journal.close()
    assert [line.number for line in read_journal(path)] == [1, 2, 3]


@pytest.mark.parametrize("place", ["in the last line", "its end", "behind it"])
def test_zero_bytes_that_no_torn_line_has_are_damage(tmp_path: Path, place: str) -> None:
    path = tmp_path / "journal.jsonl"
    content = killed(path)
    used = len(content.rstrip(b"\0"))
    begins = content.rindex(b"\n", 0, used - 1) + 1
    if place == "in the last line":
        content[used - 100] = 0
    elif place == "its end":
        content[begins - 1] = 0
    else:
        content[-5] = 7
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"journal\.jsonl:\d is damaged: zero bytes"):
        list(read_journal(path))
    with pytest.raises(DataError):
        Journal.open(path)
    assert path.read_bytes() == content


def test_a_journal_of_another_version_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.jsonl")
    path.write_bytes(path.read_bytes().replace(b'{"sum":', b'{"hash":'))
    with pytest.raises(
        DataError, match=r"journal\.jsonl:1 is damaged: it is no line of causal.soak_journal/2"
    ):
        list(read_journal(path))


def test_nan_cannot_be_written(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl")
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.append(Step.PLANNED, 1, LONG_AGO, {"value": float("nan")})
    journal.close()
    assert list(read_journal(tmp_path / "journal.jsonl")) == []


def test_a_journal_that_is_not_there_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        list(read_journal(tmp_path / "journal.jsonl"))
