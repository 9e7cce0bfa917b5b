from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_causal.actions import act
from pytest_causal.model.promotion import State

if TYPE_CHECKING:
    from tests.cli.worlds import Commands


@pytest.fixture
def promoted(commands: Commands) -> Commands:
    """Give a world in which one change was made."""
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows")
    return commands


@pytest.fixture
def edited(promoted: Commands) -> Commands:
    """Give a world in which a hand has changed the override file."""
    promoted.edit_overrides("limits.rows", 700)
    promoted.edit_overrides("limits.wait_ms", 250)
    return promoted


def test_where_they_agree_nothing_is_done(promoted: Commands) -> None:
    assert "holds what was audited" in promoted.said("reconcile")
    document = promoted.json("reconcile", "--audit", schema="reconcile")
    assert (document["drift"], document["is_settled"], document["differences"]) == (None, False, [])
    assert len(promoted.rows()) == 1


def test_a_difference_is_shown_with_what_each_side_would_do_and_left(edited: Commands) -> None:
    said = edited.said("reconcile", code=4)
    assert "limits.rows: 700 in the file, 800 audited" in said
    assert "limits.wait_ms: 250 in the file, - audited" in said
    assert (
        "causal reconcile --file   keeps the values of the file, as yours; 1 promotion superseded: P-1"
        in said
    )
    assert "causal reconcile --audit" in said
    assert edited.json("reconcile", schema="reconcile", code=4)["superseded_by_file"] == ["P-1"]
    assert edited.value("limits.rows") == 700
    assert len(edited.rows()) == 1


def test_the_file_is_made_true(edited: Commands) -> None:
    said = edited.said("reconcile", "--file", "--reason", "I meant it")
    assert "the file is true" in said
    assert edited.promotion().state is State.SUPERSEDED
    assert [edited.value(f"limits.{key}") for key in ("rows", "wait_ms")] == [700, 250]
    row = edited.rows()[-1]
    assert (row["action"], row["side"], row["actor"], row["reason"]) == (
        "reconcile",
        "file",
        "person ada",
        "I meant it",
    )
    assert "limits.rows: 700 in the file, 800 audited" in edited.said("audit")
    edited.said("audit", "--verify", code=0)
    edited.said("reconcile", code=0)


def test_the_audit_is_made_true(edited: Commands) -> None:
    document = edited.json("reconcile", "--audit", schema="reconcile")
    assert (document["side"], document["is_settled"]) == ("audit", True)
    assert edited.promotion().state is State.PROVISIONAL
    assert [edited.value(f"limits.{key}") for key in ("rows", "wait_ms")] == [800, 200]
    edited.said("audit", "--verify", code=0)


@pytest.mark.parametrize("side", ["--file", "--audit"])
def test_a_dry_run_changes_nothing(edited: Commands, side: str) -> None:
    assert "would be true" in edited.said("reconcile", side, "--dry-run", code=4)
    assert edited.value("limits.rows") == 700
    assert len(edited.rows()) == 1


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_file_whose_values_are_out_of_bounds_is_not_made_true(
    edited: Commands, arguments: tuple[str, ...]
) -> None:
    edited.edit_overrides("limits.rows", 9000)
    assert "out of bounds" in edited.said("reconcile", "--file", *arguments, code=78)
    assert len(edited.rows()) == 1
    assert "written anew" in edited.said("reconcile", "--audit")
    assert edited.value("limits.rows") == 800


def test_a_file_that_cannot_be_read_is_kept_aside_and_written_anew(promoted: Commands) -> None:
    file = promoted.world.context.overrides_path
    file.write_text('{"values": {"limits": ')
    said = promoted.said("reconcile", code=4)
    assert "--audit" in said
    assert "--file" not in said
    promoted.said("reconcile", "--file", code=78)
    document = promoted.json("reconcile", "--audit", schema="reconcile")
    assert (document["is_damaged"], document["is_settled"]) == (True, True)
    assert promoted.value("limits.rows") == 800
    (aside,) = file.parent.glob("*.damaged-*")
    assert aside.read_text() == '{"values": {"limits": '


def test_a_file_that_is_gone_is_written_anew(promoted: Commands) -> None:
    promoted.said("revert")
    promoted.world.context.overrides_path.unlink()
    assert "is gone" in promoted.said("reconcile", code=4)
    promoted.said("reconcile", "--audit")
    promoted.said("audit", "--verify", code=0)


def test_m2_an_act_that_was_cut_short_is_finished(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands.sessions(2, repeats=15)
    with monkeypatch.context() as patch:
        patch.setattr(act, "project", lambda store, path: (_ for _ in ()).throw(KeyboardInterrupt))
        assert commands.causal("promote", "more-rows").exit_code == 130
    assert commands.value("limits.rows") == 500
    assert "would be written" in commands.said("reconcile", "--dry-run", code=0)
    assert commands.value("limits.rows") == 500
    assert "is written now" in commands.said("reconcile")
    assert commands.value("limits.rows") == 800
    assert [row["actor"] for row in commands.rows()] == ["person ada", "recovery"]
    commands.said("audit", "--verify", code=0)


def test_both_sides_cannot_be_true(edited: Commands) -> None:
    assert "give one of them" in edited.said("reconcile", "--file", "--audit", code=64)
