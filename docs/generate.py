"""The parts of the documents that repeat the code. Blocks in the documents call these functions: ``make docs``."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path

import click

from pytest_causal.cli.commands import OURS
from pytest_causal.cli.main import causal
from pytest_causal.errors import ExitCode
from pytest_causal.hooks import specs
from pytest_causal.settings.table import SETTINGS, Setting

BESIDE = ("soak",)
"""Commands that come with the wheel by an entry point of their own."""
PACKAGE = Path(__file__).parents[1] / "pytest_causal"

_MEANINGS = {
    ExitCode.OK: "all is well, or nothing was to do",
    ExitCode.FAIL: "the verdict is bad, or problems were found",
    ExitCode.ACTED: "something was changed",
    ExitCode.INCONCLUSIVE: "there is no evidence, or too little",
    ExitCode.LOCKED: "a safety stop that a person must lift",
    ExitCode.USAGE: "a wrong flag or argument",
    ExitCode.BAD_DATA: "data that cannot be used: damaged, or of something else",
    ExitCode.NO_INPUT: "what was asked for is not there",
    ExitCode.INTERNAL: "a bug; please report it",
    ExitCode.IO_ERROR: "reading or writing failed",
    ExitCode.BUSY: "another process holds it; try again",
    ExitCode.BAD_CONFIG: "a setting, a profile or a policy value is wrong",
}


def settings_reference() -> str:
    """Return a table of all settings, from the one table in the code."""
    return _table(
        ("flag", "file key", "value", "default", "meaning"),
        ((f"`{each.flag}`", f"`{each.key}`", _values(each), _default(each), each.help) for each in SETTINGS),
    )


def commands_reference() -> str:
    """Return a section for each command: its usage, what it says of itself, and its options."""
    context = click.Context(causal, info_name="causal")
    contexts = (
        click.Context(command, info_name=name, parent=context)
        for name in sorted([*OURS, *BESIDE])
        if (command := causal.get_command(context, name)) is not None
    )
    return "\n".join(section for each in contexts for section in _sections(each))


def hooks_reference() -> str:
    """Return a section for each hook that others may implement: its parameters, and what it says of itself."""
    return "\n".join(
        f"### `{name}({', '.join(inspect.signature(hook).parameters)})`\n\n"
        + "\n".join(_hook_paragraphs(hook))
        for name, hook in vars(specs).items()
        if name.startswith("pytest_causal_")
    )


def exit_codes() -> str:
    """Return a table of the exit codes of every command."""
    return _table(("code", "meaning"), ((str(code.value), _MEANINGS[code]) for code in ExitCode))


def floors(*names: str) -> str:
    """Return what the packages of these floors hold: the first line of each, and its modules."""
    lines = []
    for name in names:
        path = PACKAGE / name
        if path.is_file():
            lines.append(f"- **{name}**: {_first_line(path)}\n")
        else:
            modules = sorted(each.stem for each in path.glob("*.py") if each.stem != "__init__")
            listed = f" ({', '.join(modules)})" if modules else ""
            lines.append(f"- **{name}/**: {_first_line(path / '__init__.py')}{listed}\n")
    return "".join(lines)


def _first_line(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`")


def _values(setting: Setting) -> str:
    if setting.choices:
        return " or ".join(f"`{choice}`" for choice in setting.choices)
    return " ".join(filter(None, (setting.kind.value, setting.interval and f"in {setting.interval}")))


def _default(setting: Setting) -> str:
    match setting.default:
        case bool() as is_on:
            return "yes" if is_on else "no"
        case "" | ():
            return ""
        case value:
            return f"`{value}`"


def _sections(context: click.Context) -> Iterator[str]:
    """Yield the section of a command, and those of the commands in it."""
    command = context.command
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    options = [each for each in command.params if isinstance(each, click.Option)]
    rows = ((_spelling(each), each.help or "") for each in options)
    table = _table(("option", "meaning"), rows) if options else ""
    yield "\n".join(filter(None, (f"### `{usage}`\n", *_paragraphs(cleandoc(command.help or "")), table)))
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _sections(click.Context(inner, info_name=name, parent=context))


def _hook_paragraphs(hook: object) -> Iterator[str]:
    yield from (f"{each}\n" for each in cleandoc(hook.__doc__ or "").replace("``", "`").split("\n\n"))


def _spelling(option: click.Option) -> str:
    words = ", ".join((*option.opts, *option.secondary_opts))
    if isinstance(option.type, click.Choice):
        return f"`{words}` " + ", ".join(f"`{str(choice).lower()}`" for choice in option.type.choices)
    return f"`{words} {option.metavar}`" if option.metavar else f"`{words}`"


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a command's help; what click is told not to wrap stays as it is."""
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith("\b"):
            yield f"```text\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```\n"
        else:
            yield f"{paragraph}\n"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
