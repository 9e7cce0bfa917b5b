"""What the status says of the standing policy and of promotions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Project
    from tests.cli.worlds import Commands


def test_a_change_on_its_way_is_shown_with_what_it_lacks(commands: Commands) -> None:
    commands.sessions(3, reviewed=True)
    shown = commands.said("status")
    assert "P-1 more-rows: proposed, not earned yet: limits.rows: 500 -> 800" in shown
    assert "     22 more clean sessions" in shown
    (promotion,) = commands.json("status", schema="status")["promotions"]
    assert (promotion["id"], promotion["state"], promotion["verdict"]) == ("P-1", "proposed", "not_yet")
    assert promotion["reasons"] == ["too_few_runs", "not_proven"]
    (scenario,) = promotion["evidence"]["scenarios"]
    assert (scenario["runs"], scenario["reads"]) == (3, [{"path": "limits.rows", "how": "tracked"}])


def test_a_change_that_stands_is_shown_with_how_long_it_is_watched(commands: Commands) -> None:
    commands.sessions(2, repeats=15)
    before = commands.json("status", schema="status")["policy"]
    commands.said("promote", "more-rows")
    commands.sessions(1, reviewed=True)
    assert "P-1 more-rows: made, and watched (1 of 2 sessions): limits.rows: 500 -> 800" in commands.said(
        "status"
    )
    after = commands.json("status", schema="status")["policy"]
    assert (before["revision"], after["revision"]) == (0, 1)
    assert before["fingerprint"] != after["fingerprint"]


def test_what_has_ended_is_for_programs_alone(commands: Commands) -> None:
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows")
    commands.said("revert")
    assert "P-1" not in commands.said("status")
    assert [each["state"] for each in commands.json("status", schema="status")["promotions"]] == ["reverted"]


def test_what_stops_everything_is_shown(commands: Commands) -> None:
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows")
    commands.said("freeze", "--reason", "a release is out")
    commands.edit_overrides("limits.rows", 700)
    shown = " ".join(commands.said("status").split())
    assert "a release is out" in shown
    assert "edited by hand" in shown
    policy = commands.json("status", schema="status")["policy"]
    assert policy["frozen_by"].endswith("FROZEN")
    assert "edited by hand" in policy["drift"]


def test_where_nothing_is_recorded_nothing_is_said_of_the_policy(project: Project) -> None:
    document = project.json("status", code=3)
    assert (document["policy"], document["promotions"]) == (None, [])
