"""Whatever is done to the rows of an audit afterwards, verifying it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.actions.audit import verify_audit
from pytest_causal.model.audit import AuditRow, Live
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.promotions import chained
from tests.actions.loaded import Loaded

Rows = list[AuditRow]


class Snapshot(NamedTuple):
    """What a store held after one of its acts. It is a store, as far as verifying asks for one."""

    rows: Rows
    values: Live

    def audit(self) -> Iterator[AuditRow]:
        """Yield the rows."""
        yield from self.rows

    def live(self) -> Live:
        """Return the values."""
        return self.values


def problems(snapshot: Snapshot) -> tuple[str, ...]:
    store: HistoryStore = snapshot  # type: ignore[assignment]
    return verify_audit(store, None).problems


def history(root: Path) -> list[Snapshot]:
    """Return every state that the audit of one history went through, from the first rows on."""
    world = Loaded(root, {"more": {"a": 2}, "other": {"b": 2}})
    found: list[Snapshot] = []
    for bears in (9, 9, 9, 1, 9, 9):
        world.load.bears = bears
        world.session(repeats=40)
        rows = list(world.store.audit())
        if not found or rows != found[-1].rows:
            found.append(Snapshot(rows, world.store.live()))
    world.store.close()
    return found


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> list[Snapshot]:
    """Give a history that no test changes."""
    return history(tmp_path_factory.mktemp("history"))


def test_an_audit_that_nobody_touched_is_whole(snapshots: list[Snapshot]) -> None:
    assert len(snapshots) >= 3
    assert len(snapshots[-1].rows) >= 10
    assert [problems(each) for each in snapshots] == [()] * len(snapshots)


def changed(rows: Rows, data: st.DataObject) -> Rows:
    """Change one character, or put one in, in the document or the hash of one row."""
    place = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(("document", "hash")))
    text = getattr(rows[place], field)
    at = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.sampled_from((at, at + 1)))
    made = text[:at] + data.draw(st.sampled_from('0a" ,}')) + text[end:]
    return [*rows[:place], rows[place]._replace(**{field: made}), *rows[place + 1 :]]


def removed(rows: Rows, data: st.DataObject) -> Rows:
    """Remove rows that stand together, at the beginning, in the middle or at the end."""
    first = data.draw(st.integers(0, len(rows) - 1))
    return rows[:first] + rows[data.draw(st.integers(first + 1, len(rows))) :]


def reordered(rows: Rows, data: st.DataObject) -> Rows:
    """Put rows elsewhere, with their numbers or without."""
    order = data.draw(st.permutations(range(len(rows))))
    moved = [rows[place] for place in order]
    if data.draw(st.booleans()):
        return moved
    return [AuditRow(row.number, *old[1:]) for row, old in zip(rows, moved, strict=True)]


def repeated(rows: Rows, data: st.DataObject) -> Rows:
    """Add a row that was there already."""
    row = data.draw(st.sampled_from(rows))
    return [*rows, row._replace(number=len(rows) + 1)]


def chained_anew(rows: Rows, data: st.DataObject) -> Rows:
    """Change a row and compute every hash from there on again, as one would who knows how they are made."""
    made, before = [], ""
    for row in changed(rows, data):
        before = chained(before, row.document)
        made.append(row._replace(hash=before))
    return made


@pytest.mark.parametrize(
    "damage", [changed, removed, reordered, repeated, chained_anew], ids=lambda each: each.__name__
)
@given(data=st.data())
def test_t4_whatever_is_done_to_the_rows_is_noticed(
    snapshots: list[Snapshot], damage: Callable[[Rows, st.DataObject], Rows], data: st.DataObject
) -> None:
    snapshot = data.draw(st.sampled_from(snapshots))
    made = damage(snapshot.rows, data)
    assert bool(problems(snapshot._replace(rows=made))) is (made != snapshot.rows)


def test_t4_one_row_that_is_forged_with_its_own_hash_is_noticed(snapshots: list[Snapshot]) -> None:
    rows = list(snapshots[-1].rows)
    document = rows[1].document.replace('"actor":"session 0"', '"actor":"session 9"')
    assert document != rows[1].document
    rows[1] = AuditRow(2, document, chained(rows[0].hash, document))
    assert "row 3 is not what was written, or not where it was written" in problems(
        snapshots[-1]._replace(rows=rows)
    )


def test_t4_a_last_row_that_changed_no_value_is_missed(tmp_path: Path) -> None:
    world = Loaded(tmp_path / "project", {"more": {"a": 2}})
    for bears in (9, 9, 1):
        world.load.bears = bears
        world.session(repeats=40)
    *rows, last = world.store.audit()
    assert '"action":"observe"' in last.document
    with world.store.acting() as ledger:
        ledger._connection.execute("DELETE FROM audit WHERE number = ?", (last.number,))
    assert verify_audit(world.store, None).problems == (
        f"rows are missing at the end: {last.number} were written, {len(rows)} are there",
    )
    world.store.close()
