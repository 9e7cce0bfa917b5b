from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import pytest_causal
from pytest_causal.cli import main as cli_main
from pytest_causal.errors import CausalError, ExitCode, StoreBusyError
from pytest_causal.model.run import Outcome

if TYPE_CHECKING:
    from tests.cli.conftest import Project

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "causal")
PASSED, FAILED = Outcome.PASSED, Outcome.FAILED
HOSTILE = [
    "esc \x1b[31mred\x1b[0m",
    "osc \x1b]0;title\x07",
    "c1 \x9b31m",
    "bell\x07 and\rreturn",
    "two\nlines",
    "nul\x00byte",
    "bidi \u202e\u2066txet",
    "half of a pair \ud800",
    "not utf-8 \udcff",
    "[bold]markup[/bold] [link=http://x]y[/link]",
    ":smile: emoji code",
    "::error::workflow command",
    "  blanks  ",
    "ünïcödé 試験 🧪",
]


def invoke_fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make every command raise an error."""

    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli_main.causal, "get_command", lambda context, name: fail)


@pytest.mark.parametrize("error_type", [*CausalError.__subclasses__(), StoreBusyError])
def test_an_expected_error_is_one_line_and_its_exit_code(
    project: Project, monkeypatch: pytest.MonkeyPatch, error_type: type[CausalError]
) -> None:
    invoke_fails(monkeypatch, error_type("it is\x1b wrong", "mend it"))
    result = project.causal("fail")
    assert (result.exit_code, result.stdout) == (int(error_type.exit_code), "")
    assert result.stderr == "error: it is\\x1b wrong; mend it\n"


def test_a_bug_keeps_its_traceback_and_exits_70(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke_fails(monkeypatch, ZeroDivisionError("by \x1b[31m"))
    result = project.causal("fail")
    assert (result.exit_code, result.stdout) == (70, "")
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: by \\x1b[31m\n" in result.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_exits_130_quietly(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    invoke_fails(monkeypatch, error)
    result = project.causal("fail")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "")


def test_ctrl_c_in_the_middle_of_the_output(project: Project) -> None:
    project.record({f"s{number}": PASSED for number in range(3000)})
    # A job in the background ignores Ctrl-C, and passes that on to what it starts.
    listen = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", listen, SCRIPT, "history", "--json"]
    with subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"{")  # more than a pipe holds is still to come
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"")
    assert rest.count(b"\n") < 2999


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-flag"],
        ["status", "--no-such-flag"],
        ["status", "a", "b"],
        ["status", "--limit", "-1"],
        ["status", "--limit", "many"],
        ["status", "--verdict", "good"],
        ["history", "--outcome", "fine"],
        ["statsu"],
        [],
    ],
)
def test_usage_errors_exit_64_with_nothing_on_stdout(project: Project, arguments: list[str]) -> None:
    result = project.causal(*arguments)
    assert (result.exit_code, result.stdout) == (64, "")
    assert result.stderr


def test_a_usage_error_is_one_line_that_says_where_help_is(project: Project) -> None:
    assert project.causal("status", "--limt").stderr.count("\n") == 1
    assert "see: causal status --help" in project.causal("status", "--limt").stderr
    assert "did you mean 'status'?" in project.causal("statsu").stderr


def test_version(project: Project) -> None:
    assert pytest_causal.__version__ in project.causal("--version").stdout


def test_the_version_needs_neither_rich_nor_a_store_nor_the_list_of_distributions() -> None:
    code = (
        "import sys\nsys.argv[1:] = ['--version']\nimport atexit\n"
        "heavy = ['rich', 'sqlite3', 'pytest', 'importlib.metadata']\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules]))\n"
        "from pytest_causal.cli.main import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_exit_code_is_in_the_help(project: Project) -> None:
    said = {int(number) for number in re.findall(r"\b(\d+)\s+[a-zI]", project.causal("--help").stdout)}
    assert said == set(map(int, ExitCode))


class TestO8BrokenPipe:
    """A reader that goes away ends the writing, quietly, and is no failure."""

    def start(self, project: Project, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [SCRIPT, *arguments], cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def test_o8_while_writing(self, project: Project) -> None:
        project.record({f"s{number}": PASSED for number in range(3000)})
        process = self.start(project, "history", "--json")
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout as stdout, process.stderr as stderr:
            assert stdout.readline().startswith(b"{")
            stdout.close()  # more than a pipe holds is still to come
            assert (stderr.read(), process.wait(timeout=60)) == (b"", 0)

    @pytest.mark.parametrize(
        ("arguments", "code"), [(["status"], 0), (["--help"], 0), (["doctor"], 1), (["doctor", "--json"], 1)]
    )
    def test_o8_before_writing_the_exit_code_is_kept(
        self, project: Project, arguments: list[str], code: int
    ) -> None:
        project.record({"x": PASSED})
        project.store.with_name("history.db.corrupt-20260101T000000.000000Z").touch()  # a problem to be found
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [SCRIPT, *arguments],
            cwd=project.root,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (code, b"")


def test_a_full_disk_under_the_output_exits_74(project: Project) -> None:
    project.record({f"s{number}": PASSED for number in range(500)})
    for arguments in (["status"], ["history", "--json"], ["status", "--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [SCRIPT, *arguments],
                cwd=project.root,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 74
        assert done.stderr.startswith("error: the output cannot be written")
        assert done.stderr.count("\n") == 1


def test_p30_closed_streams(project: Project) -> None:
    project.record({"x": PASSED})
    done = project.start_command(
        "sh", "-c", '"$0" status >&- 2>&-; echo $?; "$0" nonsense >&- 2>&-; echo $?', SCRIPT
    )
    assert (done.stdout, done.stderr) == ("0\n64\n", "")


class TestP20HostileNames:
    """Names may hold anything; a terminal and a reader of JSON get them safely."""

    @pytest.fixture(autouse=True)
    def recorded(self, project: Project) -> None:
        message_of = project.a_run("messages", FAILED).cause
        assert message_of is not None
        runs = {name: project.a_run(name, FAILED, worker=name, nodeid=name) for name in HOSTILE}
        project.record(runs, commit="\x1b[31m", branch="\x1b[32m")

    @pytest.mark.parametrize("command", ["status", "history", "doctor"])
    def test_p20_the_terminal_obeys_nothing(self, project: Project, command: str) -> None:
        shown = project.causal(command, "--store", "./.causal/history.db").stdout
        assert [character for character in shown.replace("\n", "") if not character.isprintable()] == []
        assert not any(line.startswith("::") for line in shown.splitlines())

    @pytest.mark.parametrize("command", ["status", "history"])
    def test_p20_every_name_is_shown_whole(
        self, project: Project, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "500")
        shown = project.causal(command).stdout
        assert "esc \\x1b[31mred\\x1b[0m" in shown
        assert "two\\x0alines" in shown
        assert "half of a pair \\ud800" in shown
        assert "[bold]markup[/bold] [link=http://x]y[/link]" in shown
        assert ":smile: emoji code" in shown
        assert "試験 🧪" in shown

    def test_p20_json_brings_every_name_back(self, project: Project) -> None:
        assert {each["scenario"] for each in project.json("status")["scenarios"]} == set(HOSTILE)
        assert {line["nodeid"] for line in project.lines()} == set(HOSTILE)

    @pytest.mark.parametrize(
        "name", [name for name in HOSTILE if "\x00" not in name and "\ud800" not in name]
    )
    def test_p20_a_name_given_on_the_command_line_is_found(self, project: Project, name: str) -> None:
        done = project.start("history", "--json", "--", name)
        assert done.returncode == 0, done.stderr
        assert project.parsed(done.stdout)["scenario"] == name

    def test_p20_an_unknown_name_is_escaped_in_the_error(self, project: Project) -> None:
        result = project.causal("history", "\x1b[31mnot there\n::error::")
        assert result.exit_code == 66
        assert "\x1b" not in result.stderr
        assert result.stderr.count("\n") == 1


class TestS8:
    """Odd surroundings: few file descriptors, an old locale, paths with every character."""

    def test_s8_a_locale_without_unicode(self, project: Project) -> None:
        project.record({"試験": FAILED})
        old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        probe = project.start_command(
            "sh", "-c", 'exec "${0%/*}/python" -c "import sys; print(sys.stdout.encoding)"', SCRIPT, **old
        )
        assert "utf" not in probe.stdout.lower()
        for command in ("status", "history", "doctor"):
            done = project.start(command, **old)
            assert (done.returncode, done.stderr) == (0, "")
        assert "\\u8a66\\u9a13" in project.start("status", **old).stdout

    def test_s8_few_file_descriptors(self, project: Project) -> None:
        project.record({"x": PASSED})
        for command in ("status", "history", "doctor"):
            done = project.start_command("sh", "-c", 'ulimit -n 32; exec "$0" "$@"', SCRIPT, command)
            assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        "folder", ["with blank", "it's", '"quoted"', "100%", "a?b#c", "%20", "ü", "-x", "n" * 255]
    )
    def test_s8_paths(self, project: Project, folder: str) -> None:
        project.record({"x": PASSED})
        place = project.root / folder
        project.store.parent.rename(place)
        store = f"./{folder}/history.db"
        for command in ("status", "history", "doctor"):
            assert project.causal(command, "--store", store).exit_code == 0, command
        assert project.json("status", "--store", store)["scenarios"][0]["runs"] == 1
        assert sorted(path.name for path in project.root.iterdir()) == sorted([folder, "pytest.ini"])


class TestTerminal:
    """On a terminal there are colours, unless they are not wanted; elsewhere there are none."""

    def on_a_terminal(self, project: Project, *arguments: str, **env: str) -> str:
        controller, terminal = pty.openpty()
        wanted = {"TERM": "xterm-256color", "COLUMNS": "100"} | env
        process = subprocess.Popen(
            [SCRIPT, *arguments], cwd=project.root, stdout=terminal, stderr=terminal, env=os.environ | wanted
        )
        os.close(terminal)
        seen = b""
        try:
            while part := os.read(controller, 65536):
                seen += part
        except OSError:  # what Linux says when the other end was closed
            pass
        finally:
            os.close(controller)
        assert process.wait(timeout=60) == 0
        return seen.decode()

    @pytest.fixture(autouse=True)
    def recorded(self, project: Project) -> None:
        for _ in range(3):
            project.record({"good": PASSED, "bad": FAILED})

    @pytest.mark.parametrize("command", ["status", "history"])
    def test_colours(self, project: Project, command: str) -> None:
        assert re.search("\x1b\\[[0-9;]*31m", self.on_a_terminal(project, command))

    @pytest.mark.parametrize("command", ["status", "history"])
    def test_no_color(self, project: Project, command: str) -> None:
        shown = self.on_a_terminal(project, command, NO_COLOR="1")
        assert "bad" in shown
        assert not re.search("\x1b\\[[0-9;]*3[0-7]m", shown)

    def test_a_dumb_terminal_gets_no_escape_sequence(self, project: Project) -> None:
        assert "\x1b" not in self.on_a_terminal(project, "status", TERM="dumb")

    @pytest.mark.parametrize("command", ["status", "history", "doctor"])
    def test_a_pipe_gets_plain_text_that_is_not_cut(self, project: Project, command: str) -> None:
        name = "tests/test_of_some_length.py::test_with_a_name_that_is_longer_than_a_line" * 2
        project.record({name: FAILED})
        env = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
        done = subprocess.run(
            [SCRIPT, command], cwd=project.root, env=env, capture_output=True, text=True, check=True
        )
        assert "\x1b" not in done.stdout
        assert name in done.stdout or command == "doctor"

    @pytest.mark.parametrize("width", [40, 60, 80, 132])
    @pytest.mark.parametrize("command", ["status", "history", "doctor"])
    def test_tables_fit_the_terminal(self, project: Project, command: str, width: int) -> None:
        project.record({"tests/test_of_some_length.py::test_with_a_name_that_is_longer[than-a-line]": FAILED})
        lines = self.on_a_terminal(project, command, COLUMNS=str(width), NO_COLOR="1").splitlines()
        plain = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines]
        assert max(map(len, plain)) <= width

    def test_the_deep_check_shows_that_it_works(self, project: Project) -> None:
        assert "reading every page" in self.on_a_terminal(project, "doctor", "--deep")
        assert "reading every page" not in project.causal("doctor", "--deep").stderr
