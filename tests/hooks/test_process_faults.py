"""Tests that fork, spawn, report nonsense or turn the clock; names and disks that are worse: the record stays right."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_causal.model.run import MetricKind
from pytest_causal.model.session import SessionState

HOUR_US = 3_600_000_000
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None or os.geteuid() != 0, reason="injecting I/O errors needs strace and root"
)


def test_p21_every_sort_of_metric_is_stored_by_rule_and_written_as_strict_json(suite) -> None:
    suite.write(
        test_it="""
        from decimal import Decimal
        from fractions import Fraction
        class Scalar:
            # What a scalar of numpy looks like from outside.
            def __init__(self, number): self.number = number
            def __float__(self): return float(self.number)
        class Hostile:
            def __float__(self): raise ZeroDivisionError
        VALUES = {
            "nan": float("nan"), "inf": float("inf"), "minus_inf": float("-inf"), "minus_zero": -0.0,
            "large": 1e308, "whole": 2**63, "beyond": 10**400, "decimal": Decimal("0.25"),
            "decimal_nan": Decimal("NaN"), "fraction": Fraction(1, 4), "switch": True, "text": "12",
            "nothing": None, "list": [1], "bytes": b"12", "scalar": Scalar(0.25), "scalar_nan": Scalar("nan"),
            "hostile": Hostile(), "complex": 1j,
        }
        def test_it(causal_metric):
            for name, value in VALUES.items():
                causal_metric(name, value)
        """
    )
    assert suite.run().returncode == 0
    found = {metric.name: (metric.value, metric.kind) for metric in suite.by_test()["test_it"].metrics}
    number, other = MetricKind.NUMBER, (None, MetricKind.OTHER)
    assert found == {
        "nan": (None, MetricKind.NAN),
        "inf": (None, MetricKind.POSITIVE_INFINITY),
        "minus_inf": (None, MetricKind.NEGATIVE_INFINITY),
        "minus_zero": (0.0, number),
        "large": (1e308, number),
        "whole": (2.0**63, number),
        "beyond": (None, MetricKind.POSITIVE_INFINITY),
        "decimal": (0.25, number),
        "decimal_nan": (None, MetricKind.NAN),
        "fraction": (0.25, number),
        "switch": (1.0, number),
        "text": other,
        "nothing": other,
        "list": other,
        "bytes": other,
        "scalar": (0.25, number),
        "scalar_nan": (None, MetricKind.NAN),
        "hostile": other,
        "complex": other,
    }
    assert math.copysign(1, found["minus_zero"][0]) == 1
    (line,) = suite.causal("history", "--json").splitlines()
    written = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert written["metrics"]["nan"] is None
    assert written["metric_kinds"]["nan"] == "nan"
    assert written["metrics"]["decimal"] == 0.25


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_p24_processes_that_a_test_starts_write_nothing(suite, method: str) -> None:
    suite.write(
        work="""
        def child(queue):
            import sys
            queue.put("pytest_causal.store.sqlite" in sys.modules)
        """,
        test_it=f"""
        import multiprocessing, warnings
        import work
        def test_processes(causal_metric):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context = multiprocessing.get_context("{method}")
                queue = context.Queue()
                children = [context.Process(target=work.child, args=(queue,)) for _ in range(2)]
                for child in children: child.start()
                answers = [queue.get(timeout=30) for _ in children]
                for child in children: child.join(30)
            assert [child.exitcode for child in children] == [0, 0]
            assert set(answers) == {{{method == "fork"}}}
            causal_metric("children", len(answers))
        def test_after(): pass
        """,
    )
    (suite.root / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    result = suite.run()
    assert result.returncode == 0, result.stdout
    assert suite.outcomes() == {"test_processes": "passed", "test_after": "passed"}
    assert [metric.value for metric in suite.by_test()["test_processes"].metrics] == [2]
    assert suite.session().ending.state is SessionState.FINISHED


CLOCK = """
    import _pytest.timing
    from pytest_causal import clock
    skew = [0]
    wall, pytests = clock._wall_ns, _pytest.timing.time
    clock._wall_ns = lambda: wall() + skew[0] * 10**9
    _pytest.timing.time = lambda: pytests() + skew[0]
    def pytest_runtest_logfinish(nodeid):
        skew[0] += {"test_b": -3600, "test_c": 10 * 365 * 86400}.get(nodeid.rpartition("::")[2], 0)
"""


def test_p28_a_clock_that_is_turned_changes_neither_order_nor_durations(suite) -> None:
    suite.write(conftest=CLOCK, test_it="\n".join(f"def test_{name}(): pass" for name in "abcd"))
    assert suite.run().returncode == 0
    runs = suite.runs()
    assert [run.nodeid[-1] for run in runs] == ["a", "b", "c", "d"], "the order is that of the runs"
    a, b, c, d = (run.started_us for run in runs)
    assert c < a <= b < d, "the clock was not turned"
    assert all(0 <= phase < 60 for run in runs for phase in run[5:8])
    first = suite.session()
    assert first.ending.finished_us > first.facts.started_us + 9 * 365 * 24 * HOUR_US
    assert first.ending.state is SessionState.FINISHED
    (suite.root / "conftest.py").unlink()
    assert suite.run().returncode == 0
    newest, oldest = suite.sessions()
    assert newest.ending.finished_us < oldest.ending.finished_us
    assert newest.order > oldest.order, "the later session is later whatever its clock says"
    evidence = suite.evidence()["test_it.py::test_a"]
    assert (evidence.units, evidence.last_session) == (2, newest.number)


def test_p20_a_file_whose_name_is_no_text_is_recorded_and_found_again(suite) -> None:
    name = os.fsencode(suite.root) + b"/test_\xff\x1b[31m\n.py"
    with open(name, "w") as file:
        file.write("def test_it(): pass\n")
    bare = suite.run("-q", causal=False)
    for _ in range(2):
        assert suite.run("-q").returncode == bare.returncode
    runs = suite.runs()
    assert len({run.nodeid for run in runs}) == 1
    assert os.fsencode(runs[0].nodeid) == b"test_\xff\x1b[31m\n.py::test_it"
    shown = suite.causal("history")
    assert "test_" in shown
    assert "\x1b" not in shown
    assert "\udcff" not in shown


def test_p20_a_project_in_a_folder_whose_name_is_no_text(suite) -> None:
    suite.root = Path(os.fsdecode(os.fsencode(suite.root) + b"/\xfe"))
    suite.root.mkdir()
    suite.write(test_it="def test_it(): pass\n")
    (suite.root / "pytest.ini").write_text("[pytest]\n")
    bare = suite.run(causal=False)
    recorded = suite.run()
    assert recorded.returncode == bare.returncode == 0, recorded.stdout
    assert "internal error" not in recorded.stdout + recorded.stderr
    assert suite.outcomes() == {"test_it": "passed"}


@pytest.mark.fault
@needs_strace
@pytest.mark.parametrize(
    ("call", "when"),
    [("pwrite64", "1"), ("pwrite64", "3"), ("pwrite64", "1+"), ("pwrite64", "4+"), ("fdatasync", "1+")],
)
def test_s2_an_input_output_error_changes_nothing_and_harms_no_earlier_run(
    suite, tmp_path, call, when
) -> None:
    suite.write(test_it="import time\n" + "\n".join(f"def test_{n}(): time.sleep(.03)" for n in range(8)))
    suite.run("-q")
    log = tmp_path / "strace.txt"
    command = [
        *("strace", "-f", "--seccomp-bpf", "-o", str(log), "-e", f"trace={call}"),
        *("-e", f"inject={call}:error=EIO:when={when}"),
        *(f"-P{suite.store}{suffix}" for suffix in ("", "-wal")),
        *suite.command("-q", "--causal-busy-seconds=1"),
    ]
    result = subprocess.run(
        command, cwd=suite.root, env=suite.env(), capture_output=True, text=True, timeout=120, check=False
    )
    assert "(INJECTED)" in log.read_text(), "no call failed, so this shows nothing"
    assert result.returncode == 0, result.stdout + result.stderr
    assert "8 passed" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    told = [line for line in result.stdout.splitlines() if line.startswith("causal: ")]
    whole = [session for session in suite.sessions() if session.runs == 8]
    assert told or len(whole) == 2, "what is not stored is told"
    assert not [line for line in told if "internal error" in line]
    assert whole, "the runs of the session before are there"
    assert suite.run("-q").stdout.count("causal: ") == 0
    newest = suite.sessions()[0]
    assert (newest.runs, newest.ending.state) == (8, SessionState.FINISHED)
    assert re.search(rf"^\d+ +{call}\(", log.read_text(), flags=re.MULTILINE)
