"""Telling a process that records from one that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_causal.store.liveness import is_alive, process_identity


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def identity_of(pid: int) -> str:
    return f"{pid}:{Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[19]}"


def test_this_process_is_alive():
    pid, start = process_identity().split(":")
    assert int(pid) == os.getpid()
    assert is_alive(process_identity())
    assert is_alive(f"{pid}:0")  # where the system does not tell the start
    if sys.platform == "linux":
        assert int(start) > 0
        assert not is_alive(f"{pid}:{int(start) + 1}")  # the number was given out again


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_zombie_is_dead_and_a_stopped_process_is_not(sleeper):
    identity = identity_of(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert is_alive(identity)
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert os.path.exists(f"/proc/{sleeper.pid}")
    assert not is_alive(identity)
    sleeper.wait()
    assert not is_alive(identity)


@pytest.mark.parametrize("identity", ["", "x", "12", ":", "-1:5", "0:0", "1:x", "²:1"])
def test_an_identity_that_cannot_be_read_counts_as_alive(identity):
    assert is_alive(identity)


def test_a_process_id_out_of_range_is_dead():
    assert not is_alive(f"{2**70}:1")


def test_another_users_process_is_alive():
    assert is_alive("1:0")
