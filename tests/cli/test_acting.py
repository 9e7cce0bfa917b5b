from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

from pytest_causal.actions.act import DriftError
from pytest_causal.cli.acting import actor, check_live, context_of, drift_of, secrets_of, tell_problems
from pytest_causal.cli.place import find_place
from pytest_causal.errors import ConfigError
from pytest_causal.hooks.extensions import Extensions

if TYPE_CHECKING:
    from pytest_causal.actions.context import Context
    from tests.cli.worlds import Commands


def here(commands: Commands) -> Context:
    return context_of(find_place(), commands.world.store)


def test_a_person_is_named_and_one_without_a_name_is_a_person_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert actor() == "person ada"

    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert actor() == "person"


def test_plugins_are_loaded_where_there_are_any(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not isinstance(here(commands).extensions, Extensions)
    config = commands.root / "causal.toml"
    config.write_text('plugins = ["json"]\n' + config.read_text())
    made = here(commands)
    assert isinstance(made.extensions, Extensions)
    made.extensions.problems.append("something was raised")
    tell_problems(made)
    assert capsys.readouterr().err == "something was raised\n"
    config.write_text(config.read_text().replace('"json"', '"no_such_module"'))
    with pytest.raises(ConfigError, match="plugins: importing no_such_module failed"):
        here(commands)


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_nothing_acts_on_a_file_that_a_hand_has_edited(commands: Commands, is_dry_run: bool) -> None:
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows")
    check_live(here(commands), is_dry_run=is_dry_run)
    commands.edit_overrides("limits.rows", 700)
    assert "edited by hand" in drift_of(here(commands))
    with pytest.raises(DriftError, match="edited by hand"):
        check_live(here(commands), is_dry_run=is_dry_run)


def test_secrets_are_known_where_the_override_file_is_damaged(commands: Commands) -> None:
    config = commands.root / "causal.toml"
    config.write_text('secrets = ["limits.wait_ms"]\n' + config.read_text())
    commands.sessions(2, repeats=15)
    commands.said("promote", "more-rows")
    commands.world.context.overrides_path.write_text("{")
    assert secrets_of(here(commands)) == {"limits.wait_ms"}
