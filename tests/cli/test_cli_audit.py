from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.cli.worlds import POLICY, RULE, commands_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Project
    from tests.cli.worlds import Commands


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Give a world that went the whole way: earned, made, harmful after all, taken back, remembered."""
    with commands_in(tmp_path / "story", monkeypatch, POLICY + RULE % "auto") as commands:
        commands.sessions(2, reviewed=True, repeats=15)
        commands.breaks_above = 600
        commands.sessions(1, reviewed=True)
        yield commands


def test_the_table_tells_the_story(story: Commands) -> None:
    told = story.said("audit")
    for words in (
        "P-1 more-rows: new -> proposed",
        "P-1 more-rows: proposed -> eligible",
        "P-1 more-rows: eligible -> provisional",
        "limits.rows: 500 -> 800",
        "P-1 more-rows: provisional -> reverted",
        "limits.rows: 800 -> 500",
        "learned: L-1",
        "failure_rate 1 is beyond max 0.2",
        "P-2 more-rows: new -> locked",
    ):
        assert words in told
        told = told[told.index(words) :]  # in this order


def test_the_newest_rows_are_shown_and_all_on_demand(story: Commands) -> None:
    everything = story.rows()
    assert [row["number"] for row in everything] == list(range(1, len(everything) + 1))
    assert story.rows("--limit", "2") == everything[-2:]
    assert story.rows("--limit", "0") == everything
    shown = story.said("audit", "--limit", "1")
    assert "new -> locked" in shown
    assert "provisional" not in shown


def test_the_chain_can_be_recomputed_from_what_is_written(story: Commands) -> None:
    before = ""
    for row in story.rows():
        stated = row.pop("hash")
        text = json.dumps(row, sort_keys=True, separators=(",", ":"))
        before = hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
        assert before == stated


class TestVerify:
    """Whatever is changed in the record is noticed."""

    def test_a_whole_record(self, story: Commands) -> None:
        assert "the chain is whole" in story.said("audit", "--verify")
        document = story.json("audit", "--verify", schema="verification")
        assert document["problems"] == []
        assert (document["rows"], document["decisions"]) == (len(story.rows()), 5)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE audit SET document = replace(document, 'more-rows', 'less-rows') WHERE number = 2",
            "DELETE FROM audit WHERE number = 3",
            "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)",
            "UPDATE audit SET number = -number WHERE number = 2",
        ],
        ids=["changed", "removed", "truncated", "moved"],
    )
    def test_a_record_that_was_tampered_with(self, story: Commands, change: str) -> None:
        with sqlite3.connect(story.root / ".causal" / "history.db") as connection:
            assert connection.execute(change).rowcount == 1
        connection.close()
        assert "problem" in story.said("audit", "--verify", code=1)
        assert story.json("audit", "--verify", schema="verification", code=1)["problems"]

    def test_m3_values_that_a_hand_has_set(self, story: Commands) -> None:
        story.edit_overrides("limits.rows", 700)
        assert "edited by hand" in story.said("audit", "--verify", code=1)

    def test_an_override_file_that_cannot_be_read(self, story: Commands) -> None:
        story.world.context.overrides_path.write_text("{")
        assert "runtime_overrides.json:1" in story.said("audit", "--verify", code=1)


def test_a_row_that_is_damaged_is_shown_as_such(story: Commands) -> None:
    with sqlite3.connect(story.root / ".causal" / "history.db") as connection:
        connection.execute("UPDATE audit SET document = 'gone' WHERE number = 2")
    connection.close()
    shown = story.said("audit")
    assert "cannot be read" in shown
    assert "learned: L-1" in shown
    assert "row 2 of the audit cannot be read" in story.said("audit", "--json", code=65)


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = 'secrets = ["limits.rows"]\n' + POLICY + (RULE % "propose").replace("800", "4321")
    with commands_in(tmp_path / "secret", monkeypatch, config) as commands:
        commands.world.tests["load"] = lambda policy, metric: policy["limits"]["rows"]
        commands.sessions(2, repeats=15)
        said = (
            commands.said("decide") + commands.said("promote", "more-rows", "--json") + commands.said("audit")
        )
        said += (
            commands.said("audit", "--json") + commands.said("revert", "--dry-run") + commands.said("status")
        )
        assert "***" in said
        assert re.search(r"\b4321\b", said) is None


def test_nothing_was_decided_yet(commands: Commands) -> None:
    commands.sessions(1)
    assert "nothing was decided or done yet" in commands.said("audit", code=3)
    assert commands.causal("audit", "--json", code=3).stdout == ""


def test_without_a_store(project: Project) -> None:
    result = project.causal("audit")
    assert (result.exit_code, result.stdout) == (3, "")
