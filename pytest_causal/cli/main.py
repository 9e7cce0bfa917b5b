"""The command line ``causal``: one group, one table of exit codes, one way to show errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click

from pytest_causal import __version__
from pytest_causal.cli.commands import Commands
from pytest_causal.cli.output import finish, let_go_of_stdout, note
from pytest_causal.errors import CausalError, ExitCode

KILLED_BY_CTRL_C = 130


class CausalGroup(Commands):
    """The group behind ``causal``: whichever way it is called, it exits with a code of our table."""

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *others: Any, **extra: Any
    ) -> Any:
        """Run one command line and exit; click's own ways to end a command are not used."""
        _prepare_streams()
        code = self._run(list(sys.argv[1:] if args is None else args), prog_name or "causal")
        sys.exit(code)

    def _run(self, arguments: list[str], prog_name: str) -> int:
        try:
            code = self._invoked(arguments, prog_name)
            finish()
            return code
        except click.ClickException as error:
            return _tell(
                _with_hint(error), ExitCode.NO_INPUT if isinstance(error, click.FileError) else ExitCode.USAGE
            )
        except CausalError as error:
            return _tell(str(error), error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            return KILLED_BY_CTRL_C
        except BrokenPipeError:
            let_go_of_stdout()
            return ExitCode.OK
        except Exception:  # noqa: BLE001 - what gets here is a bug: it is shown whole, under the table's exit code
            return _tell_bug()

    def _invoked(self, arguments: list[str], prog_name: str) -> int:
        try:
            with self.make_context(prog_name, arguments) as context:
                return int(self.invoke(context) or ExitCode.OK)
        except click.exceptions.Exit as request:
            return request.exit_code


@click.group(
    cls=CausalGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit codes: 0 ok, 1 fail, 2 acted, 3 inconclusive (no data), 4 locked; 64 usage error, 65 bad data, "
        "66 missing input, 70 internal error, 74 I/O error, 75 busy, 78 bad configuration."
    ),
)
@click.version_option(__version__, prog_name="causal")
@click.pass_context
def causal(context: click.Context) -> None:
    """Show and act on what stress and soak suites have proven.

    Sessions are recorded by pytest: pytest -p causal
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(ExitCode.USAGE)


def main() -> None:
    """Run the command line of this process."""
    causal.main()


def _prepare_streams() -> None:
    """Make output that cannot fail: a closed stream swallows it, and what its encoding lacks is escaped."""
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - lives as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _with_hint(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; see: {context.command_path} --help" if context is not None else message


def _tell(message: str, code: ExitCode) -> int:
    note(f"error: {message}")
    return code


def _tell_bug() -> int:
    import traceback

    # A message of an exception may hold what a scenario's name holds: lines are kept, the rest is escaped.
    for line in traceback.format_exc().splitlines():
        note(line)
    note("error: this is a bug in pytest-causal; please report it with the lines above")
    return ExitCode.INTERNAL
