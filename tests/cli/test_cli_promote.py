from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_causal.actions import promote as action
from pytest_causal.actions.decision_record import replay
from pytest_causal.model.promotion import State
from tests.cli.worlds import POLICY, RULE, commands_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.worlds import Commands

LADDER = (
    """
ladder = ["calm", "bold"]
profile = "calm"
"""
    + POLICY
)


@pytest.fixture
def earned(commands: Commands) -> Commands:
    """Give a world in which the evidence has earned the change."""
    commands.sessions(25)
    return commands


def test_it_is_said_what_will_change_and_then_done(earned: Commands) -> None:
    said = earned.said("promote", "more-rows", "--reason", "the evidence is in").splitlines()
    assert said == [
        "promote more-rows",
        "  limits.rows: 500 -> 800",
        f"  written to {earned.root}/.causal/runtime_overrides.json",
        "  watched for 2 sessions that read it; taken back when failure_rate above 0.2",
        "P-1 is made, and watched: revision 1",
    ]
    assert earned.value("limits.rows") == 800
    assert earned.promotion().state is State.PROVISIONAL
    (row,) = earned.rows()
    assert (row["actor"], row["reason"], row["state_after"]) == (
        "person ada",
        "the evidence is in",
        "provisional",
    )


def test_a_dry_run_says_the_same_and_changes_nothing(earned: Commands) -> None:
    said = earned.said("promote", "more-rows", "--dry-run").splitlines()
    assert said[1] == "  limits.rows: 500 -> 800"
    assert said[-1] == "nothing was changed (--dry-run)"
    document = earned.json("promote", "more-rows", "--dry-run", schema="promotion")
    assert (document["is_done"], document["is_dry_run"], document["revision"]) == (False, True, None)
    assert earned.value("limits.rows") == 500
    assert earned.world.store.promotions() == []
    assert list(earned.world.store.audit()) == []


def test_the_document_holds_what_was_decided_from(earned: Commands) -> None:
    document = earned.json("promote", "more-rows", schema="promotion")
    assert (document["is_done"], document["revision"], document["promotion"]["id"]) == (True, 1, "P-1")
    assert document["change"] == [{"path": "limits.rows", "from": 500, "to": 800}]
    assert replay(document["decision"]) == document["decision"]["verdict"]


def test_a_change_toward_the_safer_end_is_called_constrain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = POLICY.replace("max = 5000", 'max = 5000, safer = "min"') + (RULE % "propose").replace(
        "= 800", "= 100"
    )
    with commands_in(tmp_path / "safer", monkeypatch, config) as commands:
        commands.sessions(25)
        assert commands.json("promote", "more-rows", schema="promotion")["action"] == "constrain"


def test_what_is_in_force_is_not_promoted_again(earned: Commands) -> None:
    earned.said("promote", "more-rows")
    assert "its values are in force" in earned.said("promote", "more-rows", code=0)
    assert len(earned.rows()) == 1


def test_what_is_not_earned_is_not_made_and_it_is_said_what_is_missing(commands: Commands) -> None:
    commands.sessions(3)
    said = commands.said("promote", "more-rows", code=3)
    assert "22 more clean sessions" in said
    assert "nothing was changed" in said
    document = commands.json("promote", "more-rows", schema="promotion", code=3)
    assert not document["is_done"]
    assert document["promotion"]["verdict"] == "not_yet"
    assert commands.value("limits.rows") == 500
    assert list(commands.world.store.audit()) == []


def test_a_rejected_change_exits_1(commands: Commands) -> None:
    commands.breaks_above = 600
    commands.sessions(4, repeats=5)
    assert "rejected" in commands.said("promote", "more-rows", code=1)


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_nothing_is_made_while_frozen(earned: Commands, arguments: tuple[str, ...]) -> None:
    (earned.root / ".causal" / "FROZEN").touch()
    assert "frozen by" in earned.said("promote", "more-rows", *arguments, code=4)
    assert earned.value("limits.rows") == 500


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_m3_nothing_is_made_over_an_edited_file(earned: Commands, arguments: tuple[str, ...]) -> None:
    earned.said("promote", "more-rows")
    earned.edit_overrides("limits.rows", 700)
    config = earned.root / "causal.toml"
    config.write_text(config.read_text().replace("= 800", "= 900"))
    assert "edited by hand" in earned.said("promote", "more-rows", *arguments, code=4)
    assert earned.value("limits.rows") == 700


def test_an_act_that_came_in_between_is_told(earned: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process promotes while this one has decided and not yet acted: exactly one of the two wins."""
    check = action.checked_live

    def late(context):
        monkeypatch.setattr(action, "checked_live", check)
        earned.said("promote", "more-rows")
        return check(context)

    monkeypatch.setattr(action, "checked_live", late)
    assert "revision 1" in earned.said("promote", "more-rows", code=75)
    assert [each.state for each in earned.world.store.promotions()] == [State.PROVISIONAL]
    assert earned.said("audit", "--verify", code=0)


def test_a_promotion_on_its_way_goes_on_and_one_of_another_change_is_closed(commands: Commands) -> None:
    commands.sessions(3, reviewed=True)
    config = commands.root / "causal.toml"
    config.write_text(config.read_text().replace("= 800", "= 900"))
    commands.sessions(25)
    commands.said("promote", "more-rows")
    assert {each.label: each.state for each in commands.world.store.promotions()} == {
        "P-1": State.SUPERSEDED,
        "P-2": State.PROVISIONAL,
    }
    commands.said("audit", "--verify", code=0)


def test_a_veto_of_a_plugin_holds_it(earned: Commands) -> None:
    (earned.root / "our_rules.py").write_text(
        "def pytest_causal_decision(decision):\n    return f'not on a Friday: {decision.name}'\n"
    )
    config = earned.root / "causal.toml"
    config.write_text('plugins = ["our_rules"]\n' + config.read_text())
    assert "vetoed: our_rules: not on a Friday: more-rows" in earned.said("promote", "more-rows", code=3)
    assert earned.value("limits.rows") == 500


@pytest.fixture(autouse=True)
def _plugins_are_imported_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("our_rules", None)


def hooks(commands: Commands, text: str) -> None:
    (commands.root / "our_rules.py").write_text(text)
    config = commands.root / "causal.toml"
    config.write_text('plugins = ["our_rules"]\n' + config.read_text())


TOLD = """
def noted(*words):
    with open("told.txt", "a") as file: print(*words, file=file)
def pytest_causal_apply(change): noted("apply", change.after)
def pytest_causal_revert(change): noted("revert", change.after)
def pytest_causal_transition(promotion, before, after): noted(promotion.name, before, after)
"""


def test_targets_and_listeners_of_plugins_follow_all_that_is_done(earned: Commands) -> None:
    hooks(earned, TOLD)
    earned.said("promote", "more-rows")
    earned.said("revert")
    earned.sessions_under(30, limits__rows=600)
    earned.said("promote", "--set", "limits.rows=600")
    earned.edit_overrides("limits.rows", 700)
    earned.said("reconcile", "--file")
    assert (earned.root / "told.txt").read_text().splitlines() == [
        "more-rows eligible provisional",
        "apply {'limits.rows': 800}",
        "more-rows provisional reverted",
        "revert {'limits.rows': 500}",
        "by hand eligible provisional",
        "apply {'limits.rows': 600}",
        "by hand provisional superseded",
    ]


def test_a_dry_run_tells_nobody(earned: Commands) -> None:
    hooks(earned, TOLD)
    earned.said("promote", "more-rows", "--dry-run")
    assert not (earned.root / "told.txt").exists()


def test_a_target_that_cannot_be_reached_has_the_change_taken_back_and_says_so(earned: Commands) -> None:
    hooks(earned, "def pytest_causal_apply(change): raise OSError('nobody listens')\n")
    said = earned.said("promote", "more-rows", code=74)
    assert (
        "a target refused the change of P-1: our_rules could not apply P-1: OSError: nobody listens" in said
    )
    assert "it was taken back; mend the target" in said
    assert (earned.value("limits.rows"), earned.states()) == (500, {"more-rows": State.REVERTED})
    assert earned.world.store.lessons() == []


def test_where_the_target_cannot_be_taken_back_either_both_are_said(earned: Commands) -> None:
    hooks(
        earned,
        "def pytest_causal_apply(change): raise OSError('nobody listens')\n"
        "def pytest_causal_revert(change): raise OSError('still nobody')\n",
    )
    said = earned.said("promote", "more-rows", code=74)
    assert "could not apply P-1: OSError: nobody listens" in said
    assert (
        "P-1 was not taken back everywhere: our_rules: OSError: still nobody; take it back there by hand"
        in said
    )
    assert (earned.value("limits.rows"), earned.states()) == (500, {"more-rows": State.REVERTED})


def test_a_listener_that_fails_is_told_and_changes_nothing(earned: Commands) -> None:
    hooks(earned, "def pytest_causal_transition(after): raise OSError('no logbook')\n")
    for arguments in (("promote", "more-rows"), ("revert",)):
        said = earned.said(*arguments)
        assert "our_rules: pytest_causal_transition failed: OSError: no logbook" in said
    assert earned.states() == {"more-rows": State.REVERTED}


class TestByHand:
    """A change that is given as values, without a rule."""

    def test_all_that_reads_the_value_must_vouch(self, commands: Commands) -> None:
        commands.sessions(1, shadow=False)
        said = commands.said("promote", "--set", "limits.rows=600", code=3)
        assert "load: inert" in said
        assert "idle" not in said
        assert "pytest -p causal --causal-set limits.rows=..." in said

    def test_runs_under_the_value_earn_it(self, commands: Commands) -> None:
        commands.sessions_under(30, limits__rows=600)
        document = commands.json("promote", "--set", "limits.rows=600", schema="promotion")
        assert document["is_done"]
        assert document["promotion"]["name"] == "by hand"
        assert document["promotion"]["triggers"][0]["max"] == 0.15
        assert commands.value("limits.rows") == 600

    def test_it_is_watched_and_taken_back_as_any_other(self, commands: Commands) -> None:
        commands.sessions_under(30, limits__rows=600)
        commands.said("promote", "--set", "limits.rows=600")
        commands.breaks_above = 550
        commands.sessions(1, reviewed=True, shadow=False)
        assert commands.promotion("by hand").state is State.REVERTED
        assert commands.value("limits.rows") == 500

    def test_a_value_that_nobody_reads_is_inconclusive(self, commands: Commands) -> None:
        commands.sessions(30)
        said = commands.said("promote", "--set", "limits.wait_ms=300", code=3)
        assert "no scenario that has run reads a changed value" in said

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("limits.rowz=1", "did you mean 'limits.rows'?"),
            ("limits.rows", "write it as PATH=VALUE"),
            ("limits.rows=many", "expected a whole number"),
            ("limits.rows=9999", "out of bounds"),
        ],
    )
    def test_what_cannot_be_set_is_a_usage_error(self, commands: Commands, text: str, words: str) -> None:
        commands.sessions(1)
        assert words in commands.said("promote", "--set", text, code=64)

    def test_a_value_given_twice_is_a_usage_error(self, commands: Commands) -> None:
        commands.sessions(1)
        both = ("--set", "limits.rows=600", "--set", "limits.rows=700")
        assert "set twice" in commands.said("promote", *both, code=64)


class TestToProfile:
    """A change to the next rung of the ladder."""

    @pytest.fixture
    def ladder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
        with commands_in(tmp_path / "ladder", monkeypatch, "") as commands:
            (commands.root / "profiles").mkdir()
            for name, rows in (("calm", 500), ("bold", 800), ("bolder", 900)):
                values = {"limits": {"rows": rows, "wait_ms": 200}}
                (commands.root / "profiles" / f"{name}.json").write_text(json.dumps(values))
            config = LADDER.replace('"bold"]', '"bold", "bolder"]')
            (commands.root / "causal.toml").write_text(config)
            yield commands

    def test_the_next_rung_is_promoted(self, ladder: Commands) -> None:
        ladder.sessions_under(30, limits__rows=800)
        document = ladder.json("promote", "--to", "bold", schema="promotion")
        assert document["is_done"]
        assert document["change"] == [{"path": "limits.rows", "from": 500, "to": 800}]
        assert ladder.value("limits.rows") == 800

    def test_a_rung_is_not_left_out(self, ladder: Commands) -> None:
        ladder.sessions_under(30, limits__rows=900)
        assert "take bold first" in ladder.said("promote", "--to", "bolder", code=78)

    def test_a_profile_that_is_no_rung(self, ladder: Commands) -> None:
        ladder.sessions(1)
        (ladder.root / "profiles" / "odd.json").write_text('{"limits": {"rows": 1}}')
        assert "no rung of the ladder" in ladder.said("promote", "--to", "odd", code=78)


@pytest.mark.parametrize(
    "arguments", [(), ("more-rows", "--to", "bold"), ("--to", "bold", "--set", "limits.rows=1")]
)
def test_one_thing_is_promoted_at_a_time(commands: Commands, arguments: tuple[str, ...]) -> None:
    assert "give one of" in commands.said("promote", *arguments, code=64)


def test_without_a_record_there_is_nothing_to_promote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with commands_in(tmp_path / "gone", monkeypatch) as commands:
        commands.world.store.close()
        (commands.root / ".causal" / "history.db").unlink()
        assert "pytest -p causal" in commands.said("promote", "more-rows", code=3)
        assert not (commands.root / ".causal" / "history.db").exists()
