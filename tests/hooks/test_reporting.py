"""What the terminal shows of a session: little, what matters first, and nothing under -q that needs no attention."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise

import pytest

PASSING = "def test_it(): pass\n"
MANY = "\n".join(f"def test_{number:02}(): pass" for number in range(30))
ONCE_FAILING = """
    import pathlib
    def test_flaky():
        mark = pathlib.Path(__file__).with_name("mark")
        if not mark.exists():
            mark.touch()
            raise ValueError("only at first")
"""
RERUN = ("-p", "rerunfailures", "--reruns=1")


def section(output: str) -> list[str]:
    """The lines between our rule and the next."""
    lines = output.splitlines()
    (begin,) = [place for place, line in enumerate(lines) if re.search(r"=+ causal =+", line)]
    rest = lines[begin + 1 :]
    return rest[: next(place for place, line in enumerate(rest) if line.startswith("="))]


def ours(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("causal: ")]


def test_one_header_line_says_where_it_is_recorded(inner) -> None:
    inner.write(test_it=PASSING)
    result = inner.run("--causal-store=elsewhere.db")
    header = result.stdout.partition("collected")[0]
    assert [line for line in header.splitlines() if "causal: " in line] == [
        f"causal: recording to {inner.root / 'elsewhere.db'}"
    ]


def test_the_header_escapes_what_a_terminal_would_obey(inner) -> None:
    inner.write(test_it=PASSING)
    assert "\x1b" not in inner.run("--causal-store=evil\x1b[31m.db").stdout


def test_a_clean_session_says_nothing_under_q(inner) -> None:
    inner.write(test_it=PASSING)
    result = inner.run("-q")
    assert result.returncode == 0
    assert ours(result.stdout + result.stderr) == []
    assert len(inner.runs()) == 1


def test_by_default_at_most_so_many_scenarios_are_named(inner) -> None:
    inner.write(test_it=MANY)
    shown = section(inner.run("--causal-summary-lines=3").stdout)
    assert shown[0].startswith("recorded session 1 in ")
    assert shown[0].endswith("30 runs (30 passed)")
    assert shown[1] == "verdicts: 30 not yet"
    assert [line.split()[3] for line in shown if line.startswith("* ")] == [
        f"test_it.py::test_{number:02}" for number in range(3)
    ]
    assert shown[-1] == "... and 27 more scenarios (-v shows all, or: causal status)"
    default = section(inner.run().stdout)
    assert len(default) <= 2 + 2 * 12 + 1


def test_v_names_all_of_them(inner) -> None:
    inner.write(test_it=MANY)
    shown = section(inner.run("-v", "--causal-summary-lines=3").stdout)
    assert sum("test_it.py::test_" in line for line in shown) == 30
    assert "more scenario" not in "\n".join(shown)


def test_the_worst_come_first(inner) -> None:
    inner.write(test_it=MANY + "\ndef test_zz(): assert False\n")
    for _ in range(8):
        output = inner.run("--causal-summary-lines=2").stdout
    assert "rejected" in section(output)[1]
    assert "rejected     test_it.py::test_zz" in section(output)[2]


def test_a_newly_rejected_scenario_is_told_under_q_and_once(inner) -> None:
    inner.write(test_it="def test_bad(): assert False\ndef test_good(): pass\n")
    told = [ours(inner.run("-q").stdout) for _ in range(12)]
    assert told.count(["causal: rejected: test_it.py::test_bad"]) == 1
    assert told.count([]) == 11


def test_a_newly_flaky_scenario_is_named_with_its_commit_and_told_under_q_once(inner) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-C", str(inner.root)]
    inner.write(test_it=ONCE_FAILING)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    quiet = inner.run("-q", *RERUN)
    assert quiet.returncode == 0, quiet.stdout
    assert ours(quiet.stdout) == ["causal: flaky: test_it.py::test_flaky"]
    assert ours(inner.run("-q", *RERUN).stdout) == []
    assert f"flaky 1x since commit {commit[:10]}" in "\n".join(section(inner.run().stdout))


def test_outside_a_repository_the_session_stands_for_the_commit(inner) -> None:
    inner.write(test_it=PASSING)
    inner.run("-q")
    inner.write(test_it=ONCE_FAILING)
    inner.run("-q", *RERUN)
    assert "flaky 1x since session 2" in "\n".join(section(inner.run().stdout))


def test_an_unfinished_session_is_told_under_q(inner) -> None:
    inner.write(test_it="import pytest\ndef test_it(): pytest.exit('enough')\n")
    result = inner.run("-q")
    assert result.returncode == 2
    assert ours(result.stdout) == [
        "causal: this session did not finish: its failures count, its passes do not"
    ]


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def coloured(output: str) -> list[str]:
    """Our coloured rows."""
    return [line for line in output.splitlines() if COLOUR.search(line) and "test_it.py::" in line]


def test_colours_are_pytests_and_can_be_turned_off(inner) -> None:
    inner.write(test_it="def test_bad(): assert False\n")
    for _ in range(8):
        inner.run("-q")
    summary = "rejected     test_it.py::test_bad"
    (row,) = [line for line in coloured(inner.run("--color=yes").stdout) if "rejected" in line]
    assert row == f"\x1b[31m\x1b[1m  {summary}\x1b[0m"
    for args, env in (
        (("--color=no",), {}),
        ((), {"NO_COLOR": "1", "FORCE_COLOR": "1", "PY_COLORS": ""}),
        ((), {"PY_COLORS": "0", "FORCE_COLOR": "1"}),
        ((), {}),
    ):
        output = inner.run(*args, **env).stdout
        assert summary in output
        assert not COLOUR.search(output)
    assert any("rejected" in line for line in coloured(inner.run(FORCE_COLOR="1", PY_COLORS="").stdout))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_names_and_places_are_cut_to_the_width_of_the_terminal(inner, columns: int) -> None:
    inner.write(test_it=f"def test_{'x' * 300}(): pass\n")
    shown = section(inner.run(COLUMNS=str(columns)).stdout)
    (name,) = [line for line in shown if line.startswith("* ")]
    assert len(name) <= columns
    assert ("x" * 300 in name) == (columns > 300)
    place = shown[0].partition(" in ")[2].partition(": 1 run")[0]
    assert len(place) <= columns // 2


def test_lines_of_one_scenario_stay_together(inner) -> None:
    inner.write(test_it=MANY)
    shown = section(inner.run("-v").stdout)[2:]
    rows = [line for line in shown if line.startswith(("* ", "  ")) and "::" in line]
    assert all(a in rows and b.startswith(" " * 15) for a, b in pairwise(shown) if "::" in a)


def broken_store(inner) -> str:
    (inner.root / "store.db").mkdir()
    return "--causal-store=store.db"


@pytest.mark.parametrize("quiet", [(), ("-q",), ("-v",)])
def test_a_problem_is_told_once_in_the_terminal(inner, quiet) -> None:
    inner.write(test_it=PASSING)
    result = inner.run(broken_store(inner), *quiet)
    assert result.returncode == 0
    told = [line for line in ours(result.stdout) if "recording to" not in line]
    (line,) = told
    assert line.startswith("causal: ")
    assert str(inner.root / "store.db") in line
    assert ours(result.stderr) == []


def test_p30_without_a_terminal_it_is_told_on_standard_error(inner) -> None:
    inner.write(test_it=PASSING)
    result = inner.run(broken_store(inner), "-p", "no:terminal")
    assert result.returncode == 0
    (line,) = ours(result.stderr)
    assert str(inner.root / "store.db") in line
    assert [line for line in ours(result.stdout) if "recording to" not in line] == []


def test_a_bug_in_the_summary_is_told_and_lets_go_of_the_store(suite) -> None:
    suite.write(
        test_it=PASSING,
        conftest="""
        from pytest_causal.actions.recording import Recording
        from pytest_causal.hooks.reporting import Reporter
        close = Recording.close
        def closing(self):
            print("CLOSED")
            close(self)
        Recording.close = closing
        def broken(*args): raise ZeroDivisionError("planted")
        Reporter._row = broken
        """,
    )
    result = suite.run("-s")
    assert result.returncode == 0
    assert result.stdout.count("internal error: ZeroDivisionError: planted at broken") == 1
    assert "CLOSED" in result.stdout
    assert suite.outcomes() == {"test_it": "passed"}


def test_collecting_only_says_nothing(inner) -> None:
    inner.write(test_it=PASSING)
    result = inner.run("--collect-only")
    assert [line for line in ours(result.stdout + result.stderr) if "recording to" not in line] == []
