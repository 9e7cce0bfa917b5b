from __future__ import annotations

from pathlib import Path

import pytest

from pytest_causal.actions.kill_switch import StillFrozenError, freeze, lift, read_freeze
from pytest_causal.errors import StoreError
from pytest_causal.settings.sources import Settings, resolve_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return resolve_settings(flags={}, env={}, root=tmp_path)


def test_it_is_on_while_its_file_is_there(settings: Settings) -> None:
    assert read_freeze(settings) is None
    made, is_new = freeze(settings, "person ada", 1_763_700_000_000_000, "a release")
    assert is_new
    assert made.words == "2025-11-21T04:40:00Z person ada: a release"
    assert read_freeze(settings) == made
    assert lift(settings) == made
    assert read_freeze(settings) is None
    assert lift(settings) is None


def test_who_froze_first_is_not_overwritten(settings: Settings) -> None:
    first, _ = freeze(settings, "person ada", 1, "a release")
    assert freeze(settings, "person bob", 2, "another") == (first, False)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", ""), (b"two\nlines ", "two lines"), (b"\xff", "\ufffd"), (b"x" * 9000, "x" * 2000)],
)
def test_whatever_a_hand_put_there_freezes(settings: Settings, content: bytes, words: str) -> None:
    path = Path(settings.freeze_file)
    path.parent.mkdir()
    path.write_bytes(content)
    found = read_freeze(settings)
    assert found is not None
    assert found.words == words


def test_a_directory_and_a_link_that_leads_nowhere_freeze_too(settings: Settings, tmp_path: Path) -> None:
    path = Path(settings.freeze_file)
    path.mkdir(parents=True)
    assert read_freeze(settings) is not None
    with pytest.raises(StoreError, match="remove it by hand"):
        lift(settings)
    path.rmdir()
    path.symlink_to(tmp_path / "nowhere")
    assert read_freeze(settings) is not None
    lift(settings)
    assert read_freeze(settings) is None


def test_lifting_says_that_the_setting_freezes_all_the_same(tmp_path: Path) -> None:
    settings = resolve_settings(flags={}, env={"CAUSAL_FREEZE": "1"}, root=tmp_path)
    freeze(settings, "person ada", 1, "")
    with pytest.raises(StillFrozenError, match="frozen by CAUSAL_FREEZE"):
        lift(settings)
    assert read_freeze(settings) is None


def test_where_it_cannot_be_made_that_is_said(tmp_path: Path) -> None:
    (tmp_path / ".causal").write_text("a file in the way")
    settings = resolve_settings(flags={}, env={}, root=tmp_path)
    with pytest.raises(StoreError, match="cannot make"):
        freeze(settings, "person ada", 1, "")
