"""What the doctor says of promotions: drift, acts that were cut short, the audit, and rules that cannot work."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from pytest_causal.actions import act
from tests.cli.worlds import POLICY, RULE, commands_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.worlds import Commands


def problems(commands: Commands, code: int = 1) -> str:
    found = commands.json("doctor", schema="doctor", code=code)["problems"]
    return "\n".join(f"{each['what']}; {each['remedy']}" for each in found)


@pytest.fixture
def promoted(commands: Commands) -> Commands:
    """Give a world in which one change was made."""
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows")
    return commands


def test_all_is_well(promoted: Commands) -> None:
    assert problems(promoted, code=0) == ""


def test_drift(promoted: Commands) -> None:
    promoted.edit_overrides("limits.rows", 700)
    found = problems(promoted)
    assert found.count("edited by hand") == 1
    assert "causal reconcile" in found


def test_an_override_file_that_cannot_be_read_is_one_problem(promoted: Commands) -> None:
    promoted.world.context.overrides_path.write_text("{")
    assert problems(promoted).count("runtime_overrides.json:1") == 1


def test_an_act_that_was_cut_short(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    commands.sessions(2, repeats=15)
    with monkeypatch.context() as patch:
        patch.setattr(act, "project", lambda store, path: (_ for _ in ()).throw(KeyboardInterrupt))
        commands.causal("promote", "more-rows", code=130)
    assert "revision 1 is decided and not yet written" in problems(commands)


def test_an_audit_that_was_tampered_with(promoted: Commands) -> None:
    with sqlite3.connect(promoted.root / ".causal" / "history.db") as connection:
        connection.execute("UPDATE audit SET document = replace(document, 'ada', 'bob')")
    connection.close()
    assert "the audit: row 1 is not what was written" in problems(promoted)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('["load"]', '["load", "lode*"]', "no scenario that has run is called 'lode*'"),
        ('["load"]', '["load", "idle"]', "idle never read a value that it changes"),
        ("max = 0.2", "max = 1.0", "a rate is not above 1"),
        ("{max = 0.2}", "{max_increase = 0.5}", "watch_sessions is 2"),
        ("{failure_rate", "{speed", "no run reported speed"),
        ('"limits.rows" = 800', '"limits.rows" = 9000', "out of bounds"),
        ('"limits.rows" = 800', '"limits.rowz" = 800', "did you mean 'limits.rows'?"),
        ("watch_sessions = 2", "watch = 2", "unknown key 'watch'"),
    ],
)
def test_what_can_never_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, words: str
) -> None:
    with commands_in(tmp_path / "world", monkeypatch) as commands:
        commands.sessions(1)
        config = (RULE % "propose").replace(before, after)
        (commands.root / "causal.toml").write_text(POLICY + config)
        found = problems(commands)
        assert words in found
        assert "causal.toml:" in found


def test_auto_without_a_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with commands_in(
        tmp_path / "world", monkeypatch, "review = false\n" + POLICY + RULE % "auto"
    ) as commands:
        commands.sessions(1)
        assert "no session is reviewed" in problems(commands)


def test_before_the_first_run_nothing_is_known_to_be_wrong(commands: Commands) -> None:
    assert problems(commands, code=0) == ""
