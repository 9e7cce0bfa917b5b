from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_causal.errors import ExitCode
from tools.soak.lease import LeaseHeldError, is_held, lease

HOLDER = """
import sys
from pathlib import Path
from tools.soak.lease import lease
with lease(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""
ROOT = Path(__file__).parents[2]


def holding(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lease_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lease(path, "run a"):
        assert is_held(path)
        words = f"run a is in use by process {os.getpid()}"
        with pytest.raises(LeaseHeldError, match=words) as caught, lease(path, "run a"):
            pytest.fail("held twice")
    assert caught.value.exit_code == ExitCode.BUSY
    assert not is_held(path)


@pytest.mark.fault
def test_d24_k26_a_killed_holder_lets_go_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = holding(path)
    assert is_held(path)
    with pytest.raises(LeaseHeldError, match=f"process {process.pid}"), lease(path, "it"):
        pytest.fail("held twice")
    process.kill()
    process.communicate()
    with lease(path, "it"):
        assert is_held(path)


def test_k5_a_holder_of_another_boot_or_host_is_judged_by_the_lock_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "boot": "another"}), "utf-8")
    os.utime(path, (0, 0))
    with lease(path, "it"):
        held = json.loads(path.read_text("utf-8"))
    assert held["pid"] == os.getpid()
    path.write_text("no JSON", "utf-8")
    with lease(path, "it"), pytest.raises(LeaseHeldError), lease(path, "it"):
        pytest.fail("held twice")


def test_d24_of_many_racers_one_holds(tmp_path: Path) -> None:
    path, holders, most = tmp_path / "lock", 0, 0
    counting, begin = threading.Lock(), threading.Barrier(4)

    def race() -> None:
        nonlocal holders, most
        begin.wait()
        for _ in range(200):
            try:
                with lease(path, "it"):
                    with counting:
                        holders += 1
                        most = max(most, holders)
                    with counting:
                        holders -= 1
            except LeaseHeldError:
                continue

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
