"""Damaged stores: moved aside whole, once, and never deleted."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_causal.errors import StoreCorruptError, StoreError
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.location import examine
from pytest_causal.store.opening import open_store
from pytest_causal.store.quarantine import holding, quarantined, set_aside

NOW_US = 1_763_716_000_123_456
PAGE_BYTES = 4096


def put_aside(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if ".corrupt-" in each.name}


@pytest.mark.fault
@pytest.mark.parametrize("size", [1, 15, 100, 4096, 100_000])
def test_p5_random_bytes_are_set_aside_and_a_new_store_begun(store_path, make, size):
    store_path.parent.mkdir()
    content = b"\0" + random.Random(size).randbytes(size - 1)
    store_path.write_bytes(content)
    store = open_store(str(store_path), now_us=lambda: NOW_US)
    make.session(store, [make.run()])
    (notice,) = store.notices
    target = store_path.with_name("history.db.corrupt-20251121T090640.123456Z")
    assert f"{target} and a new one begun" in notice
    assert put_aside(store_path.parent) == {target.name: content}
    assert store.health().quarantined == (str(target),)
    assert store.health(deep=True).problems == store.notices
    store.close()
    again = open_store(str(store_path))
    assert (again.notices, len(again.sessions())) == ((), 1)
    again.close()


def test_p5_what_lies_beside_a_damaged_store_goes_with_it(store_path):
    store_path.parent.mkdir()
    content = {end: b"\0\xff" + end.encode() for end in ("", "-wal", "-shm", "-journal")}
    for end, each in content.items():
        Path(f"{store_path}{end}").write_bytes(each)
    open_store(str(store_path), now_us=lambda: NOW_US).close()
    assert sorted(put_aside(store_path.parent).values()) == sorted(content.values())


def test_p5_a_reader_says_so_and_moves_nothing(store_path):
    store_path.parent.mkdir()
    store_path.write_bytes(b"\0\xff" * 5000)
    with pytest.raises(StoreCorruptError, match="is damaged"):
        open_store(str(store_path), readonly=True)
    assert [each.name for each in store_path.parent.iterdir()] == ["history.db"]


@pytest.mark.fault
def test_p5_eight_processes_set_one_file_aside_once(store_path, child):
    store_path.parent.mkdir()
    store_path.write_bytes(b"\0\xff" * 5000)
    processes = [child("sessions.py", store_path, name, 2, 3) for name in range(8)]
    for process in processes:
        process.stdin.close()
        process.stdin = None
    told = [process.communicate(timeout=60) for process in processes]
    assert [complaint for _, complaint in told] == [""] * 8
    assert sum("was set aside" in said for said, _ in told) == 1
    assert list(put_aside(store_path.parent).values()) == [b"\0\xff" * 5000]
    store = open_store(str(store_path))
    assert len(store.sessions()) == 16
    assert store.health(deep=True).problems == ()
    store.close()


def use(store: HistoryStore, make) -> None:
    """Read and write all of a store."""
    number, tallies = make.session(store, [make.run(str(place), nodeid=f"n{place}") for place in range(300)])
    with store.amending() as ledger:
        ledger.put_evidence("k", [make.evidence(tally) for tally in tallies])
    list(store.all_evidence())
    store.outcome_counts(number)


@pytest.mark.fault
def test_p6_an_overwritten_page_is_found_and_never_taken_for_good(tmp_path, make):
    whole = tmp_path / "whole.db"
    store = open_store(str(whole))
    for _ in range(3):
        use(store, make)
    store.close()
    pages = whole.stat().st_size // PAGE_BYTES
    assert pages > 40
    found = set()
    for page in range(pages):
        path = tmp_path / f"{page}.db"
        content = bytearray(whole.read_bytes())
        content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = random.Random(page).randbytes(PAGE_BYTES)
        path.write_bytes(content)
        how = how_found(path, make)
        found.add(how)
        kept = [each for each in quarantined(path) if not each.name.endswith(("-wal", "-shm"))]
        assert len(kept) == (how != "when checked")
        assert how != "when opened" or kept[0].read_bytes() == content
        for each in tmp_path.glob(f"{page}.db*"):
            each.unlink()
    assert found == {"when opened", "when used", "when checked"}


def how_found(path: Path, make) -> str:
    store = open_store(str(path))
    try:
        if store.notices:
            use(store, make)
            assert store.health(deep=True).problems == store.notices
            return "when opened"
        with suppress(StoreCorruptError):
            use(store, make)
            assert store.health(deep=True).problems, f"page of {path.name} was taken for good"
            return "when checked"
        assert Path(store.set_aside()).exists()
        store = open_store(str(path))
        use(store, make)
        assert store.health(deep=True).problems == ()
        return "when used"
    finally:
        store.close()


def test_of_two_that_find_damage_one_sets_aside_and_the_other_goes_on(store_path, make):
    one, other = open_store(str(store_path)), open_store(str(store_path))
    moved = one.set_aside()
    assert Path(moved).exists()
    begun = open_store(str(store_path))
    make.session(begun, [make.run()])
    assert other.set_aside() == ""
    assert {each.name.removesuffix("-wal").removesuffix("-shm") for each in quarantined(store_path)} == {
        Path(moved).name
    }
    assert len(begun.sessions()) == 1
    begun.close()


def test_names_given_in_one_moment_stay_apart(tmp_path):
    names = []
    for content in (b"1", b"2", b"3"):
        path = tmp_path / "h.db"
        path.write_bytes(content)
        with holding(tmp_path, busy_seconds=1.0):
            moved = set_aside(path, examine(path), NOW_US)
        assert moved is not None
        names.append(moved.name)
    assert names == ["h.db.corrupt-20251121T090640.123456Z" + end for end in ("", ".2", ".3")]
    assert sorted(put_aside(tmp_path).values()) == [b"1", b"2", b"3"]


def test_only_the_file_that_was_examined_is_moved(tmp_path):
    path = tmp_path / "h.db"
    path.write_bytes(b"damaged")
    examined = examine(path)
    path.rename(tmp_path / "moved by another")
    path.write_bytes(b"new and whole")
    assert set_aside(path, examined, NOW_US) is None
    assert path.read_bytes() == b"new and whole"


def test_a_folder_that_is_gone_is_an_error_of_the_store(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened"), holding(tmp_path / "gone", busy_seconds=0.0):
        pass
