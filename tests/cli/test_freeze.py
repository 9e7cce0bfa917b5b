from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.worlds import Commands


@pytest.fixture
def switch(commands: Commands) -> Path:
    """Return the file that freezes."""
    return commands.root / ".causal" / "FROZEN"


def test_it_freezes_with_who_when_and_why_and_lifts(commands: Commands, switch: Path) -> None:
    commands.sessions(2, repeats=15)
    assert "person ada: a release is out" in commands.said("freeze", "--reason", "a release is out")
    assert switch.read_text().endswith(" person ada: a release is out\n")
    commands.said("promote", "more-rows", code=4)
    commands.sessions(1, reviewed=True)
    assert "a release is out" in commands.said("freeze", "--lift")
    assert not switch.exists()
    commands.said("promote", "more-rows", code=0)


def test_a_second_freeze_keeps_the_first_reason(commands: Commands, switch: Path) -> None:
    commands.said("freeze", "--reason", "first")
    assert "frozen already" in commands.said("freeze", "--reason", "second")
    assert "first" in switch.read_text()


def test_a_file_that_a_hand_has_made_freezes_and_lifts(commands: Commands, switch: Path) -> None:
    switch.touch()
    assert "frozen already" in commands.said("freeze")
    commands.said("freeze", "--lift")
    assert not switch.exists()


def test_lifting_what_is_not_frozen_does_nothing(commands: Commands) -> None:
    assert "it was not frozen" in commands.said("freeze", "--lift")


def test_what_the_setting_freezes_is_not_lifted(commands: Commands, switch: Path) -> None:
    commands.said("freeze")
    config = commands.root / "causal.toml"
    config.write_text("[guards]\nfreeze = true\n" + config.read_text())
    assert "causal.toml:2" in commands.said("freeze", "--lift", code=4)
    assert not switch.exists()


def test_a_directory_in_its_place_freezes_and_is_left_to_a_person(commands: Commands, switch: Path) -> None:
    switch.mkdir()
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows", code=4)
    assert "remove it by hand" in commands.said("freeze", "--lift", code=74)


def test_what_the_file_says_is_escaped(commands: Commands, switch: Path) -> None:
    switch.write_text("\x1b]0;title\x07")
    said = commands.said("freeze")
    assert "\x1b" not in said
    assert "\\x1b" in said


def test_lifting_takes_no_reason(commands: Commands) -> None:
    commands.said("freeze", "--lift", "--reason", "x", code=64)
