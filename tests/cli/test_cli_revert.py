from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_causal.model.promotion import State
from tests.cli.worlds import POLICY, RULE, commands_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_causal.policy.mapping import PolicyMapping
    from tests.cli.worlds import Commands


@pytest.fixture
def promoted(commands: Commands) -> Commands:
    """Give a world in which one change was made."""
    commands.sessions(25)
    commands.said("promote", "more-rows")
    return commands


def read_all(policy: PolicyMapping, metric: object) -> None:
    for key in ("rows", "wait_ms", "tries"):
        assert policy["limits"][key]


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Give a world in which two changes were made: P-1 of two values, P-2 of another."""
    first = (
        (RULE % "propose").replace("more-rows", "first").replace("= 800}", '= 800, "limits.wait_ms" = 300}')
    )
    second = (
        (RULE % "propose")
        .replace("more-rows", "second")
        .replace("limits.rows", "limits.tries")
        .replace("= 800", "= 9")
    )
    policy = POLICY.replace("wait_ms = 200", "wait_ms = 200\ntries = 3")
    with commands_in(tmp_path / "two", monkeypatch, policy + first + second) as commands:
        commands.world.tests["load"] = read_all
        commands.sessions(2, repeats=15)
        commands.said("promote", "first")
        commands.sessions(2, repeats=15)
        commands.said("promote", "second")
        yield commands


def test_it_is_said_what_will_change_and_then_done(promoted: Commands) -> None:
    said = promoted.said("revert", "--reason", "a bad night").splitlines()
    assert said[:3] == [
        "revert P-1 more-rows",
        "  limits.rows: 800 -> 500",
        f"  written to {promoted.root}/.causal/runtime_overrides.json",
    ]
    assert said[3].startswith("  teaches: load_regression has to show 50 runs, at most 5.0 % failed")
    assert said[-1] == "P-1 is taken back: revision 2"
    assert promoted.value("limits.rows") == 500
    row = promoted.rows()[-1]
    assert (row["action"], row["actor"], row["reason"], row["lessons"]) == (
        "revert",
        "person ada",
        "a bad night",
        ["L-1"],
    )


def test_a_dry_run_changes_nothing(promoted: Commands) -> None:
    assert "limits.rows: 800 -> 500" in promoted.said("revert", "P-1", "--dry-run")
    document = promoted.json("revert", "1", "--dry-run", schema="promotion")
    assert (document["is_done"], document["action"], document["lessons"]) == (
        False,
        "revert",
        ["load_regression"],
    )
    assert promoted.value("limits.rows") == 800
    assert promoted.world.store.lessons() == []


def test_the_document_says_what_was_set(promoted: Commands) -> None:
    document = promoted.json("revert", schema="promotion")
    assert document["change"] == [{"path": "limits.rows", "from": 800, "to": 500}]
    assert (document["is_done"], document["revision"], document["promotion"]["state"]) == (
        True,
        2,
        "reverted",
    )


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_m5_a_second_revert_is_refused_and_changes_nothing(
    promoted: Commands, arguments: tuple[str, ...]
) -> None:
    promoted.said("revert", "P-1")
    rows = len(promoted.rows())
    assert "P-1 is reverted; only a change that stands" in promoted.said("revert", "P-1", *arguments, code=1)
    assert len(promoted.rows()) == rows


def test_m6_without_a_change_there_is_nothing_to_take_back(commands: Commands) -> None:
    commands.sessions(1)
    assert "no change of the policy stands" in commands.said("revert", code=66)
    assert "there is no promotion 'P-9'" in commands.said("revert", "P-9", code=66)


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_nothing_is_taken_back_while_frozen(promoted: Commands, arguments: tuple[str, ...]) -> None:
    (promoted.root / ".causal" / "FROZEN").touch()
    assert "frozen by" in promoted.said("revert", *arguments, code=4)
    assert promoted.value("limits.rows") == 800


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_m3_a_value_that_a_hand_has_set_is_not_taken_back(
    promoted: Commands, arguments: tuple[str, ...]
) -> None:
    promoted.edit_overrides("limits.rows", 700)
    assert "edited by hand" in promoted.said("revert", *arguments, code=4)
    assert promoted.value("limits.rows") == 700


def test_m4_only_its_own_values_are_set(two: Commands) -> None:
    two.said("revert", "P-1")
    assert [two.value(f"limits.{key}") for key in ("rows", "wait_ms", "tries")] == [500, 200, 9]
    states = {each.label: each.state for each in two.world.store.promotions()}
    assert states == {"P-1": State.REVERTED, "P-2": State.PROVISIONAL}


def test_without_an_id_the_newest_is_taken_back(two: Commands) -> None:
    two.said("revert")
    assert [two.value(f"limits.{key}") for key in ("rows", "wait_ms", "tries")] == [800, 300, 3]


def test_m4_a_value_that_a_later_change_has_set_is_named(promoted: Commands) -> None:
    config = promoted.root / "causal.toml"
    config.write_text(config.read_text().replace("= 800", "= 900"))
    promoted.sessions(2, repeats=15)
    promoted.said("promote", "more-rows")
    said = promoted.said("revert", "P-1", code=1)
    assert "limits.rows is no longer what P-1 set (now set by promotion P-2); revert P-2 first" in said
    promoted.said("revert", "P-2")
    assert promoted.value("limits.rows") == 800
    promoted.said("revert", "P-1")
    assert promoted.value("limits.rows") == 500
    promoted.said("audit", "--verify", code=0)


def test_a_value_that_would_go_out_of_bounds_is_not_set(promoted: Commands) -> None:
    config = promoted.root / "causal.toml"
    config.write_text(config.read_text().replace("rows = 500", "rows = 700").replace("min = 10", "min = 600"))
    assert "out of bounds now (600 to 5000)" in promoted.said("revert", code=1)
    assert promoted.value("limits.rows") == 800
