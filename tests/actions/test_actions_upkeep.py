from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_causal import clock
from pytest_causal.actions.upkeep import keep_up
from pytest_causal.model.artifact import Rotation
from pytest_causal.model.session import SessionFacts
from pytest_causal.settings.sources import Settings, resolve_settings
from pytest_causal.store.opening import open_store

DAY_US = 86_400_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "causal.toml").write_text(
        '[artifacts]\nroots = ["one", "two", "missing"]\nquarantine_days = 30\n'
    )
    for name in ("one", "two"):
        path = tmp_path / name / "a.jsonl"
        path.parent.mkdir()
        path.write_text("line\n" * 30_000)
        then = time.time() - 8 * 86_400
        os.utime(path, (then, then))
    found = resolve_settings(flags={}, env={}, root=tmp_path)
    with closing(open_store(found.store)):
        return found


def told(settings: Settings) -> list[object]:
    return list(keep_up(settings, now_us=clock.now_us()))


def test_each_root_that_is_there_is_rotated(settings: Settings, tmp_path: Path) -> None:
    found = told(settings)
    assert [each[0] for each in found if isinstance(each, tuple)] == [tmp_path / "one", tmp_path / "two"]
    assert all(isinstance(each, tuple) and isinstance(each[1], Rotation) for each in found)
    assert (tmp_path / "two" / "a.jsonl.zst").exists()


def test_a_root_that_fails_is_told_and_the_next_is_rotated(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "one" / "rotation").write_text("in the way")
    first, second = told(settings)
    assert isinstance(first, str)
    assert first.startswith(f"{tmp_path / 'one'} was not rotated: ")
    assert isinstance(second, tuple)


def test_stores_set_aside_long_ago_are_deleted_and_younger_ones_stay(settings: Settings) -> None:
    store = Path(settings.store)
    now = clock.now_us()
    aged = {days: f"{clock.at(now - days * DAY_US):%Y%m%dT%H%M%S}.000000Z" for days in (29, 31)}
    for stamp in (*aged.values(), "odd"):
        store.with_name(f"{store.name}.corrupt-{stamp}").write_text("damaged")
    lines = [each for each in told(settings) if isinstance(each, str)]
    assert len(lines) == 1
    assert aged[31] in lines[0]
    left = {path.name for path in store.parent.glob("*.corrupt-*")}
    assert left == {f"{store.name}.corrupt-{stamp}" for stamp in (aged[29], "odd")}


def test_without_a_number_of_days_nothing_set_aside_is_deleted(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "causal.toml").write_text("[artifacts]\nafter_session = true\n")
    old = Path(settings.store + ".corrupt-20200101T000000.000000Z")
    old.write_text("damaged")
    assert told(resolve_settings(flags={}, env={}, root=tmp_path)) == []
    assert old.exists()


def test_what_killed_writers_of_the_overrides_left_is_removed(settings: Settings, tmp_path: Path) -> None:
    stray = tmp_path / ".causal" / ".runtime_overrides.json.tmp-0123456789abcdef"
    other = tmp_path / ".causal" / ".other.tmp-0123456789abcdef"
    stray.write_text("half")
    other.write_text("another's")
    told(settings)
    assert not stray.exists()
    assert other.exists()


def test_the_log_of_the_store_is_written_back(settings: Settings, tmp_path: Path) -> None:
    with closing(
        open_store(settings.store)
    ) as held:  # while it is open, closing another does not write the log back
        held.begin_session(SessionFacts(uid="one", key="one", started_us=1))
        told(settings)
        (tmp_path / "copy.db").write_bytes(Path(settings.store).read_bytes())
    with closing(open_store(str(tmp_path / "copy.db"))) as copy:
        assert [session.facts.uid for session in copy.sessions()] == ["one"]


def test_without_a_store_there_is_nothing_to_tidy(settings: Settings) -> None:
    for path in Path(settings.store).parent.iterdir():
        path.unlink()
    assert all(isinstance(each, tuple) for each in told(settings))
    assert not Path(settings.store).exists()
