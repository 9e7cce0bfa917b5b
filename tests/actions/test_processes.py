"""Programs that hang, die, flood or leave children behind: they are bounded, and nothing of them runs on."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_causal.actions.processes import GRACE_SECONDS, OUTPUT_BYTES, Ended, run_program
from pytest_causal.store.liveness import is_alive


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ended]:
    def start(
        code: str, timeout_seconds: float = 30.0, is_stopped: Callable[[], bool] = lambda: False
    ) -> Ended:
        return run_program(
            [sys.executable, "-c", code],
            directory=tmp_path,
            env=os.environ,
            timeout_seconds=timeout_seconds,
            is_stopped=is_stopped,
        )

    return start


def pids_in(path: Path) -> list[int]:
    return [int(word) for word in path.read_text().split()]


def assert_gone(pids: list[int]) -> None:
    """Wait for what was killed to be reaped by init, and hold that nothing of it runs."""
    assert pids
    until = time.monotonic() + 10
    while any(is_alive(f"{pid}:0") for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    assert [pid for pid in pids if is_alive(f"{pid}:0")] == []


def test_an_ordinary_end_has_no_words(run: Callable[..., Ended]) -> None:
    ended = run("print('done')")
    assert (ended.status, ended.words, ended.output, ended.complaint) == (0, "", b"done\n", "done")


def test_k15_an_exit_status_is_told_with_the_last_error(run: Callable[..., Ended]) -> None:
    ended = run("import sys; print('an ERROR'); print('later'); sys.exit(3)")
    assert (ended.status, ended.words, ended.complaint) == (3, "exit status 3", "an ERROR")


@pytest.mark.parametrize(("number", "words"), [(9, "killed by SIGKILL"), (36, "killed by signal 36")])
def test_k15_death_by_a_signal_is_told(run: Callable[..., Ended], number: int, words: str) -> None:
    ended = run(f"import os; os.kill(os.getpid(), {number})")
    assert (ended.status, ended.words) == (-number, words)
    assert not ended.is_timed_out


@pytest.mark.fault
def test_m10_k15_a_program_that_hangs_is_ended_with_all_its_children(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(600)"
    )
    ended = run(code, timeout_seconds=2.0)
    assert ended.is_timed_out
    assert ended.words.startswith("not done in")
    assert ended.seconds < 2 + 2 * GRACE_SECONDS
    assert_gone(pids_in(tmp_path / "pids"))


@pytest.mark.fault
def test_n6_a_program_that_ignores_being_asked_is_killed(run: Callable[..., Ended], tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda number, frame: open('asked', 'w').close())\n"
        "open('pids', 'w').write(str(os.getpid()))\n"
        "while True: time.sleep(600)"
    )
    ended = run(code, timeout_seconds=1.0)
    assert (tmp_path / "asked").exists()
    assert (ended.status, ended.is_timed_out) == (-signal.SIGKILL, True)
    assert_gone(pids_in(tmp_path / "pids"))


@pytest.mark.fault
def test_k15_a_daemon_that_left_the_group_is_found_and_ended(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    open('pids', 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        "while not os.path.exists('pids') or not open('pids').read(): time.sleep(0.01)"
    )
    ended = run(code)
    assert (ended.status, ended.is_timed_out, ended.strays) == (0, False, 1)
    assert_gone(pids_in(tmp_path / "pids"))


def test_k15_a_flood_of_output_is_read_and_forgotten(run: Callable[..., Ended]) -> None:
    ended = run("import sys\nfor _ in range(200): sys.stdout.write('x' * 1_000_000)\nprint('the end')")
    assert ended.status == 0
    assert len(ended.output) == OUTPUT_BYTES
    assert ended.output.endswith(b"xthe end\n")


def test_k15_output_that_is_no_text_is_bounded_words(run: Callable[..., Ended]) -> None:
    ended = run("import os; os.write(1, bytes(range(256)) * 40)")
    assert ended.status == 0
    assert 0 < len(ended.complaint) <= 300


def test_k15_a_program_that_closes_its_output_is_waited_for(run: Callable[..., Ended]) -> None:
    ended = run("import os, sys, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(7)")
    assert (ended.status, ended.seconds >= 0.3) == (7, True)


def test_k15_there_is_no_input_and_no_terminal(run: Callable[..., Ended]) -> None:
    ended = run("import os, sys\nprint(sys.stdin.read() == '', os.isatty(0), os.isatty(1))\nopen('/dev/tty')")
    assert b"True False False" in ended.output
    assert ended.status == 1  # there is no /dev/tty to open


def test_k15_a_program_that_deletes_its_directory_is_a_program_that_ended(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    command = [sys.executable, "-c", "import os, shutil; shutil.rmtree(os.getcwd())"]
    ended = run_program(command, directory=place, env=os.environ, timeout_seconds=30)
    assert (ended.status, place.exists()) == (0, False)
    with pytest.raises(FileNotFoundError):
        run_program(command, directory=place, env=os.environ, timeout_seconds=30)


def test_a_caller_that_wants_to_stop_is_obeyed_at_once(run: Callable[..., Ended]) -> None:
    asked = iter([False, True, True])
    ended = run("import time; time.sleep(600)", is_stopped=lambda: next(asked))
    assert (ended.is_stopped, ended.is_timed_out, ended.words) == (True, False, "interrupted")


def test_a_program_that_is_not_there_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "none")], directory=tmp_path, env=os.environ, timeout_seconds=1)
