from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_causal.policy.lesson_file import read_lessons

if TYPE_CHECKING:
    from tests.cli.worlds import Commands


@pytest.fixture
def taught(commands: Commands) -> Commands:
    """Give a world in which a change was taken back, and its scenario was learned from."""
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows")
    commands.said("revert", "--reason", "a bad night")
    return commands


def test_a_lesson_says_what_it_is_about_and_what_it_asks(taught: Commands) -> None:
    said = taught.said("lessons")
    assert "L-1 load: limits.rows: 500 -> 800" in said
    assert "from P-1: a bad night" in said
    assert "load_regression has to show 50 runs, at most 5.0 % failed" in said


def test_the_document(taught: Commands) -> None:
    (lesson,) = taught.json("lessons", schema="lesson_list")["lessons"]
    assert (lesson["id"], lesson["regression"], lesson["before"], lesson["after"]) == (
        "L-1",
        "load_regression",
        500,
        800,
    )
    assert lesson["retired_at"] is None


def test_lessons_are_written_as_a_file_that_pytest_collects(taught: Commands) -> None:
    said = taught.said("lessons", "--write", "learned")
    (kept,) = read_lessons(taught.root / "learned.lessons.json")
    assert kept.lesson.label == "L-1"
    assert "1 written to" in said


def test_a_lesson_whose_tests_are_not_known_is_told(taught: Commands) -> None:
    """The world's scenarios have no node ids of tests."""
    assert "L-1: no test of load is known" in taught.said("lessons", "--write", "learned.lessons.json")


def test_a_lesson_that_is_retired_gates_nothing_and_the_audit_says_why(taught: Commands) -> None:
    assert "L-1 is retired" in taught.said("lessons", "--retire", "L-1", "--reason", "the pump was mended")
    row = taught.rows()[-1]
    assert (row["action"], row["retired"], row["reason"], row["actor"]) == (
        "observe",
        "L-1",
        "the pump was mended",
        "person ada",
    )
    assert "L-1 retired" in taught.said("audit")
    taught.said("audit", "--verify", code=0)
    assert "it gates nothing" in taught.said("lessons")
    taught.sessions(2, repeats=15)
    taught.said("decide", code=0)
    assert "nothing is written" in taught.said("lessons", "--write", "learned", code=3)


def test_a_lesson_is_retired_once(taught: Commands) -> None:
    taught.said("lessons", "--retire", "1", "--reason", "mended")
    rows = len(taught.rows())
    assert "L-1 was retired on 20" in taught.said("lessons", "--retire", "L-1", "--reason", "again", code=1)
    assert len(taught.rows()) == rows


@pytest.mark.parametrize(
    "arguments",
    [
        ("--retire", "L-1"),
        ("--reason", "x"),
        ("--retire", "L-1", "--reason", "x", "--json"),
        ("--write", "x", "--json"),
    ],
)
def test_options_that_do_not_go_together(taught: Commands, arguments: tuple[str, ...]) -> None:
    taught.said("lessons", *arguments, code=64)
    assert taught.world.store.lessons()[0].retired_us == 0


def test_a_lesson_that_is_not_there(taught: Commands) -> None:
    assert "there is no lesson 'L-9'" in taught.said("lessons", "--retire", "L-9", "--reason", "x", code=66)


def test_nothing_was_learned_yet(commands: Commands) -> None:
    commands.sessions(1)
    assert "nothing was learned yet" in commands.said("lessons", code=3)
    assert commands.json("lessons", schema="lesson_list", code=3)["lessons"] == []
