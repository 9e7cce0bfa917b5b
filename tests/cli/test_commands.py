from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_causal.cli.commands import GROUP, OURS

if TYPE_CHECKING:
    from tests.cli.conftest import Project

ENTRY_POINTS = f"""\
[{GROUP}]
hello = foreign_commands:hello
absent = no_such_module:command
breaks = foreign_breaks:command
number = foreign_commands:number
status = foreign_commands:status
"""
MODULE = """\
import click

@click.command()
def hello():
    "Greet."
    click.echo("hello from afar")

@click.command()
def status():
    raise SystemExit("taken over")

number = 3
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution that adds commands, some of which cannot be used."""
    site = tmp_path / "site"
    facts = site / "foreign-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "foreign_commands.py").write_text(MODULE)
    (site / "foreign_breaks.py").write_text("raise LookupError('half \\x1b installed')\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "foreign_commands", raising=False)


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_ours_has_help(project: Project, name: str) -> None:
    result = project.causal(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: causal {name}")
    assert "xit codes" in result.stdout
    assert name in project.causal("--help").stdout


@pytest.mark.usefixtures("foreign")
class TestForeignCommands:
    def test_a_foreign_command_is_found_and_listed(self, project: Project) -> None:
        assert project.causal("hello").stdout == "hello from afar\n"
        assert "Greet." in project.causal("--help").stdout

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("absent", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("breaks", "LookupError: half \\x1b installed"),
            ("number", "is no click command"),
        ],
    )
    def test_a_broken_one_is_told_where_it_is_asked_for(
        self, project: Project, name: str, words: str
    ) -> None:
        result = project.causal(name)
        assert (result.exit_code, result.stdout) == (78, "")
        assert words in result.stderr
        assert result.stderr.count("\n") == 1

    def test_a_broken_one_takes_no_other_down(self, project: Project) -> None:
        listed = project.causal("--help")
        assert listed.exit_code == 0
        assert listed.stdout.count("(broken: ") == 3
        for name in OURS:
            assert f"  {name} " in listed.stdout
        assert project.causal("status").exit_code == 3

    def test_a_foreign_command_cannot_take_the_place_of_ours(self, project: Project) -> None:
        assert "taken over" not in project.causal("status").output

    def test_a_foreign_command_is_not_imported_before_it_is_needed(self, project: Project) -> None:
        project.causal("status")
        assert "foreign_commands" not in sys.modules
        project.causal("hello")
        assert "foreign_commands" in sys.modules

    def test_a_foreign_command_is_suggested_as_ours_are(self, project: Project) -> None:
        assert "did you mean 'hello'?" in project.causal("helo").stderr
