"""Whatever is wrong with the store, a run ends as it would without the plugin, and one line says what is wrong."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pytest_causal.model.session import SessionState

SUITE = "\n".join(f"def test_{n}(): assert {n} != 3" for n in range(6))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


def closing_counts(output: str) -> str:
    lines = [line for line in output.splitlines() if re.search(r"(passed|failed).* in [\d.]+s", line)]
    return re.sub(r" in .*", "", lines[-1]).strip("= ")


def check_unharmed(suite, *args: str, warns: bool = True, **env: str):
    """Run bare and recorded; same exit code, same counts, no traceback of ours, and a line of warning."""
    suite.write(test_it=SUITE)
    bare = suite.run(causal=False)
    recorded = suite.run(*args, **env)
    output = recorded.stdout + recorded.stderr
    assert recorded.returncode == bare.returncode == 1, output
    assert closing_counts(recorded.stdout) == closing_counts(bare.stdout)
    assert "Traceback" not in output
    assert "internal error" not in output
    told = [
        line for line in output.splitlines() if line.startswith("causal: ") and "recording to" not in line
    ]
    assert bool(told) == warns, output
    return output


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 640 KiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(mount)], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.mark.fault
@needs_root
def test_p1_an_unwritable_place_warns_and_changes_nothing(inner, tmp_path: Path) -> None:
    mount = tmp_path / "ro"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(mount)], check=True)
    try:
        with pytest.raises(OSError, match="Read-only"):
            (mount / "proof").touch()
        output = check_unharmed(inner, f"--causal-store={mount}/history.db")
        assert str(mount) in output
        strict = inner.run(f"--causal-store={mount}/history.db", "--causal-strict")
        assert strict.returncode == 4
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_p2_no_home_is_no_problem(inner, tmp_path: Path) -> None:
    inner.write(test_it="def test_it(): pass\n")
    file = tmp_path / "file"
    file.touch()
    for home in ("", "/nonexistent/place", str(file)):
        assert inner.run(HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home).returncode == 0
    assert len(inner.sessions()) == 3


@pytest.mark.parametrize("kind", ["directory", "fifo", "device", "dangling link"])
def test_p3_what_is_no_regular_file_is_refused_without_blocking(inner, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "store.db"
    match kind:
        case "directory":
            place.mkdir()
        case "fifo":
            os.mkfifo(place)
        case "device":
            place = Path("/dev/null")
        case _:
            place.symlink_to(tmp_path / "nowhere")
    before = stat.S_IFMT(place.lstat().st_mode)
    check_unharmed(inner, f"--causal-store={place}")
    assert stat.S_IFMT(place.lstat().st_mode) == before
    assert not (tmp_path / "nowhere").exists()


def test_p4_an_empty_file_is_a_new_store(inner) -> None:
    inner.store.parent.mkdir()
    inner.store.touch()
    check_unharmed(inner, warns=False)
    assert len(inner.runs()) == 6


def test_p5_random_bytes_are_set_aside_and_never_deleted(inner) -> None:
    inner.store.parent.mkdir()
    rubbish = os.urandom(50_000)
    inner.store.write_bytes(rubbish)
    output = check_unharmed(inner)
    assert len(inner.runs()) == 6
    (aside,) = inner.store.parent.glob("history.db.corrupt-*")
    assert aside.read_bytes() == rubbish
    assert "corrupt" in output


def test_p6_a_damaged_page_is_noticed_and_the_store_set_aside(suite) -> None:
    suite.write(test_it=SUITE)
    for _ in range(3):
        suite.run()
    data = bytearray(suite.store.read_bytes())
    size = 4096
    assert len(data) > 3 * size
    for page in range(1, len(data) // size):
        data[page * size : (page + 1) * size] = b"\xa5" * size
    suite.store.write_bytes(data)
    with pytest.raises(sqlite3.DatabaseError), closing(sqlite3.connect(suite.store)) as proof:
        proof.execute("SELECT count(*), max(message) FROM causes").fetchall()
    output = check_unharmed(suite)
    assert list(suite.store.parent.glob("history.db.corrupt-*")), output
    check_unharmed(suite, warns=False)
    assert suite.sessions()


def test_p7_a_store_of_a_newer_version_is_left_alone(inner) -> None:
    inner.write(test_it=SUITE)
    inner.run()
    with sqlite3.connect(inner.store) as store:
        store.execute("PRAGMA user_version = 9000")
    store.close()
    before = inner.store.read_bytes()
    output = check_unharmed(inner)
    assert "newer" in output
    assert inner.store.read_bytes() == before


@pytest.mark.fault
@needs_root
def test_s1_a_full_disk_changes_nothing_and_recording_works_again_with_space(suite, small_disk: Path) -> None:
    suite.write(test_it=SUITE)
    store = small_disk / "history.db"
    assert suite.run(f"--causal-store={store}").returncode == 1
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(b"x" * 10_000_000)
    output = check_unharmed(suite, f"--causal-store={store}")
    assert "space" in output or "full" in output
    filler.unlink()
    check_unharmed(suite, f"--causal-store={store}", warns=False)
    with sqlite3.connect(store) as proof:
        assert proof.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert proof.execute("SELECT count(*) FROM runs").fetchone()[0] >= 12
    proof.close()


def test_s7_a_store_that_is_deleted_under_a_session_is_reported(suite) -> None:
    suite.write(
        test_it="""
        import pathlib, shutil
        def test_a(): pass
        def test_b(): shutil.rmtree(".causal")
        def test_c(): pass
        """
    )
    result = suite.run()
    assert result.returncode == 0, result.stdout
    assert "moved or deleted" in result.stdout


def test_s8_odd_places_for_a_store(suite, tmp_path: Path) -> None:
    suite.write(test_it="def test_it(): pass\n")
    for name in ("with space", "quote'\"", "per%20cent", "what?x=1", "hash#1", "n" * 240):
        place = tmp_path / name / "h.db"
        result = suite.run(f"--causal-store={place}", "-q", LC_ALL="C", PYTHONUTF8="0")
        assert result.returncode == 0, result.stdout + result.stderr
        assert place.exists(), name


def hold_the_store(store: Path, seconds: float) -> subprocess.Popen[str]:
    code = (
        "import sqlite3, sys, time\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); time.sleep(float(sys.argv[2]))\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(store), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_c2_a_writer_that_never_lets_go_is_waited_for_only_so_long(suite) -> None:
    suite.write(test_it=SUITE)
    suite.run()
    with hold_the_store(suite.store, 600) as holder:
        try:
            holder.send_signal(signal.SIGSTOP)
            output = check_unharmed(suite, "--causal-busy-seconds=1")
            assert "busy" in output or "held" in output or "locked" in output
        finally:
            holder.kill()
    check_unharmed(suite, warns=False)


def test_a_store_that_is_busy_for_a_while_loses_nothing(suite) -> None:
    suite.write(
        test_it="import time\ndef test_a(): time.sleep(.3)\ndef test_b(): time.sleep(.3)\ndef test_c(): pass\n"
    )
    suite.run("-k", "test_c")
    process = subprocess.Popen(
        suite.command(), cwd=suite.root, env=suite.env(), stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 20
    while len(suite.sessions()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    with hold_the_store(suite.store, 2) as holder:
        output, _ = process.communicate(timeout=60)
        holder.kill()
    assert process.returncode == 0, output
    assert sorted(run.nodeid.rpartition("_")[2] for run in suite.runs()) == ["a", "b", "c", "c"]
    assert suite.sessions()[0].ending.state is SessionState.FINISHED


@pytest.mark.slow
def test_c1_eight_sessions_at_once_lose_and_double_nothing(suite) -> None:
    suite.write(test_it=SUITE)
    processes = [
        subprocess.Popen(
            suite.command("-q"), cwd=suite.root, env=suite.env(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [1] * 8, outputs
    assert len(suite.sessions()) == 8
    assert len(suite.runs()) == 48
    assert {session.ending.state for session in suite.sessions()} == {SessionState.FINISHED}


@pytest.mark.slow
@pytest.mark.fault
def test_p9_a_killed_session_keeps_its_committed_runs_whole(suite) -> None:
    suite.write(
        test_it="import time\n" + "\n".join(f"def test_{n:03}(): time.sleep(.005)" for n in range(200))
    )
    kills = 0
    for trial in range(8):
        process = subprocess.Popen(
            suite.command("-q"),
            cwd=suite.root,
            env=suite.env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while trial == 0 and process.poll() is None and not suite.store.exists():
            time.sleep(0.01)
        time.sleep(0.1 + 0.13 * trial)
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
    assert kills >= 4
    with sqlite3.connect(suite.store) as proof:
        assert proof.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert proof.execute(
            "SELECT count(*) FROM causes WHERE run_id NOT IN (SELECT id FROM runs)"
        ).fetchone() == (0,)
    proof.close()
    assert suite.run("-q", "-k", "test_000").returncode == 0
    states = [session.ending.state for session in suite.sessions()]
    assert states.count(SessionState.RUNNING) == 0
    assert states.count(SessionState.ABANDONED) >= 1


def test_strict_fails_a_run_whose_record_is_not_whole(suite) -> None:
    suite.write(test_it="import shutil\ndef test_a(): pass\ndef test_b(): shutil.rmtree('.causal')\n")
    assert suite.run("--causal-strict").returncode == 74
