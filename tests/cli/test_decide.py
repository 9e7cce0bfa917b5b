from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_causal.actions.decision_record import replay
from pytest_causal.model.promotion import State
from tests.cli.worlds import POLICY, RULE, commands_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.worlds import Commands


def rule(commands: Commands, *, code: int) -> dict[str, Any]:
    document = commands.json("decide", schema="decision", code=code)
    (found,) = document["rules"]
    return found  # type: ignore[no-any-return] # parsed JSON


def test_a_scenario_that_never_ran_is_inconclusive_and_named(commands: Commands) -> None:
    assert "no scenario that has run is called load" in commands.said("decide", code=3)
    assert rule(commands, code=3)["decision"]["verdict"]["reasons"] == ["no_scenario"]


def test_runs_under_todays_values_are_inert_and_it_is_said_how_to_make_others(commands: Commands) -> None:
    commands.sessions(3, shadow=False)
    said = commands.said("decide", code=3)
    assert "more-rows: inert" in said
    assert "read none of the changed values" in said
    assert "pytest -p causal --causal-shadow" in said


def test_what_is_said_to_be_missing_is_enough_and_not_too_much(commands: Commands) -> None:
    commands.sessions(3)
    said = commands.said("decide", code=3)
    assert "limits.rows: 500 -> 800" in said
    assert "read limits.rows (tracked)" in said
    missing = int(said.partition(" more clean sessions")[0].rpartition(" ")[2])
    commands.sessions(missing - 1)
    assert "1 more clean session" in commands.said("decide", code=3)
    commands.sessions(1)
    assert "to make the change: causal promote more-rows" in commands.said("decide", code=0)


def test_nothing_is_written(commands: Commands) -> None:
    commands.sessions(3)
    commands.said("decide", code=3)
    assert commands.world.store.promotions() == []
    assert list(commands.world.store.audit()) == []


def test_what_is_decided_can_be_decided_again_from_the_document(commands: Commands) -> None:
    commands.sessions(25)
    decision = rule(commands, code=0)["decision"]
    assert decision["verdict"]["verdict"] == "eligible"
    assert replay(decision) == decision["verdict"]
    decision["case"]["scenarios"][0]["evidence"]["wealth"] = [1.0] * 7
    assert replay(decision) != decision["verdict"]


def test_a_change_that_fails_is_rejected(commands: Commands) -> None:
    commands.breaks_above = 600
    commands.sessions(4, repeats=5)
    said = commands.said("decide", code=1)
    assert "more-rows: rejected" in said
    assert "proven to fail more often than 15 %" in said


def test_a_lesson_locks_it(commands: Commands) -> None:
    commands.sessions(25)
    commands.causal("promote", "more-rows", code=0)
    commands.causal("revert", code=0)
    document = rule(commands, code=4)
    assert document["state"] == "locked"
    assert [each["guard"] for each in document["guards"]] == ["lockout", "cooldown"]
    said = commands.said("decide", code=4)
    assert "load_regression (lesson L-1): inert" in said
    assert "in the way: lesson L-1 was learned" in said


def test_a_guard_that_refuses_says_when_it_could_pass(commands: Commands) -> None:
    commands.sessions(25)
    commands.causal("promote", "more-rows", code=0)
    config = commands.root / "causal.toml"
    config.write_text(config.read_text().replace("= 800", "= 900"))
    commands.sessions(2, repeats=15)
    (commands.root / "causal.toml").write_text("[guards]\ncooldown_hours = 100\n" + config.read_text())
    document = rule(commands, code=3)
    (guard,) = document["guards"]
    assert (document["state"], guard["guard"], guard["subject"]) == ("held", "cooldown", "limits.rows")
    assert guard["could_pass_at"] is not None
    assert "limits.rows was changed a short while ago; could pass 20" in commands.said("decide", code=3)


def test_freezing_stops_it(commands: Commands) -> None:
    commands.sessions(25)
    (commands.root / ".causal" / "FROZEN").touch()
    assert "a person must lift it" in commands.said("decide", code=4)
    document = commands.json("decide", schema="decision", code=4)
    assert document["frozen_by"].endswith("FROZEN")


def test_an_edited_override_file_stops_it(commands: Commands) -> None:
    commands.sessions(25)
    commands.causal("promote", "more-rows", code=0)
    commands.edit_overrides("limits.rows", 700)
    assert "edited by hand" in commands.said("decide", code=4)
    assert "edited by hand" in commands.json("decide", schema="decision", code=4)["drift"]


def test_values_in_force_are_said_with_what_made_them(commands: Commands) -> None:
    commands.sessions(25)
    commands.causal("promote", "more-rows", code=0)
    assert "P-1 more-rows: made, and watched (0 of 2 sessions)" in commands.said("decide", code=0)
    document = rule(commands, code=0)
    assert (document["state"], document["promotion"], document["decision"]) == ("in_force", "P-1", None)


def test_values_in_force_that_nothing_promoted(commands: Commands) -> None:
    commands.sessions(1)
    config = commands.root / "causal.toml"
    config.write_text(config.read_text().replace("rows = 500", "rows = 800"))
    assert "its values are in force" in commands.said("decide", code=0)


def test_assumed_evidence_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = POLICY + (RULE % "propose").replace("mode", 'evidence = "control"\nmode')
    with commands_in(tmp_path / "assumed", monkeypatch, config) as commands:
        commands.sessions(25, shadow=False)
        assert "assumed (evidence = " in commands.said("decide", code=0)
        assert rule(commands, code=0)["decision"]["verdict"]["is_assumed"]


def test_a_metric_beyond_its_limit_is_said_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = POLICY + (RULE % "propose").replace(
        "mode", "metrics = {rows = {max = 700}, taken = {min = 1}}\nmode"
    )
    with commands_in(tmp_path / "metrics", monkeypatch, config) as commands:
        commands.sessions(25)
        said = commands.said("decide", code=3)
        assert "rows 800 on average of 25 runs, limit at most 700" in said
        assert "no run that counts reported taken" in said


def test_of_several_rules_the_worst_gives_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = (RULE % "propose").replace("more-rows", "less-rows").replace("= 800", "= 400")
    with commands_in(tmp_path / "several", monkeypatch, POLICY + RULE % "propose" + second) as commands:
        commands.breaks_above = 600
        commands.sessions(4, repeats=10)
        found = {
            each["name"]: each["state"]
            for each in commands.json("decide", schema="decision", code=1)["rules"]
        }
        assert found == {"more-rows": "rejected", "less-rows": "eligible"}
        assert commands.causal("decide", "less-rows").exit_code == 0


def test_an_open_promotion_is_continued_and_one_of_another_change_is_not(commands: Commands) -> None:
    commands.sessions(3, reviewed=True)
    assert rule(commands, code=3)["promotion"] == "P-1"
    config = commands.root / "causal.toml"
    config.write_text(config.read_text().replace("= 800", "= 900"))
    assert rule(commands, code=3)["promotion"] is None
    assert commands.states() == {"more-rows": State.PROPOSED}


def test_without_rules_there_is_nothing_to_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with commands_in(tmp_path / "bare", monkeypatch, POLICY) as commands:
        assert "add a [[promotion]]" in commands.said("decide", code=3)
        assert commands.json("decide", schema="decision", code=3)["rules"] == []


def test_an_unknown_rule_is_told_the_nearest(commands: Commands) -> None:
    assert "did you mean 'more-rows'?" in commands.said("decide", "more-row", code=78)


def test_a_project_without_a_store_says_how_to_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with commands_in(tmp_path / "gone", monkeypatch) as commands:
        commands.world.store.close()
        (commands.root / ".causal" / "history.db").unlink()
        assert "pytest -p causal" in commands.said("decide", code=3)
