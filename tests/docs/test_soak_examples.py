"""The workloads in ``examples/`` are soaked for real: the query service, pgbench, HTTP and locust."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ExitCode
from tools.soak.verify import verify

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CAUSAL = str(Path(sysconfig.get_path("scripts")) / "causal")


class Soaked:
    """A run that came to its end: how, what it said, and its files."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path) -> None:
        self.code = done.returncode
        self.said = done.stderr
        self.folder = folder

    @property
    def summaries(self) -> list[dict[str, Any]]:
        files = sorted(
            self.folder.glob("ITER_SUMMARY_*.json"), key=lambda path: int(path.stem.split("_")[-1])
        )
        return [json.loads(path.read_text("utf-8")) for path in files]

    def metric(self, name: str) -> list[float]:
        return [summary["metrics"][name]["value"] for summary in self.summaries]


def soak(example: str, out: Path, *words: str) -> Soaked:
    done = subprocess.run(
        [CAUSAL, "soak", "run", "--out", str(out), "--run-id", "it", "--no-history", *words],
        cwd=EXAMPLES / example,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Soaked(done, out / "it")


@pytest.fixture
def in_examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXAMPLES)])
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("pgbench", "web_load")]:
        del sys.modules[name]


@pytest.mark.slow
def test_the_rush_is_tuned_and_follows_the_length_of_its_queue(tmp_path: Path) -> None:
    run = soak(
        "query_service", tmp_path, "--profile", "evening_rush", "--kpi-set", "production", "--iterations", "4",
        "--auto-tune", "--rules", "rush_rules.json",
        "--", sys.executable, "-m", "query_service.rush", "--waves", "3",
    )  # fmt: skip
    assert run.code == ExitCode.OK, run.said
    limits = [summary["values"]["pool.queue_limit"] for summary in run.summaries]
    assert limits == [8, 16, 24, 32]
    assert run.metric("taken_ratio") == sorted(run.metric("taken_ratio"))
    assert run.metric("taken_ratio")[-1] >= 2 * run.metric("taken_ratio")[0]
    assert all(after["tuning"]["credited"] == ["pool.queue_limit"] for after in run.summaries[1:])
    assert verify(run.folder).found == ()


@pytest.mark.slow
def test_pgbench_measures_a_server_that_really_has_the_values(tmp_path: Path, in_examples: None) -> None:
    run = soak(
        "pgbench", tmp_path, "--profile", "small_server", "--iterations", "1", "--set",
        "database.commit_delay_us=300", "--", sys.executable, "pgbench_soak.py", "--seconds", "1",
    )  # fmt: skip
    try:
        importlib.import_module("pgbench.pgbench_soak").find_programs()
    except SystemExit:
        assert run.code == ExitCode.INCONCLUSIVE
        assert "apt install postgresql" in run.said
        return
    assert run.code == ExitCode.OK, run.said
    assert run.metric("transactions_per_second")[0] > 1
    reads = {read["path"]: read for read in run.summaries[0]["reads"]}
    assert (reads["database.commit_delay_us"]["value"], reads["database.commit_delay_us"]["how"]) == (
        "300",
        "observed",
    )
    assert reads["database.shared_buffers_kib"]["value"] == "32768"


def test_without_postgresql_it_is_said_what_to_install(
    tmp_path: Path, in_examples: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = importlib.import_module("pgbench.pgbench_soak")
    monkeypatch.setattr(program, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        program.find_programs()
    assert ended.value.code == 69
    assert "apt install postgresql" in capsys.readouterr().err


@pytest.fixture
def site() -> Iterator[str]:
    """Serve the query service over HTTP; return where."""
    with subprocess.Popen(
        [sys.executable, "-m", "query_service.web", "--port", "0"],
        cwd=EXAMPLES / "query_service", env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.slow
def test_http_asks_the_service_and_notes_the_values_it_uses(tmp_path: Path, site: str) -> None:
    run = soak(
        "query_service", tmp_path, "--workload", "http", "--profile", "web", "--url", f"{site}/card?customer=3",
        "--policy-url", f"{site}/policy", "--rate", "20", "--window", "1", "--iterations", "1",
    )  # fmt: skip
    assert run.code == ExitCode.OK, run.said
    assert run.metric("failure_ratio") == [0]
    reads = {read["path"]: read["value"] for read in run.summaries[0]["reads"]}
    assert reads["light.max_rows"] == "200"
    assert "deep.max_rows" not in reads


@pytest.mark.slow
def test_locust_is_run_with_the_users_of_the_policy(tmp_path: Path, site: str) -> None:
    run = soak(
        "web_load", tmp_path, "--profile", "web_load", "--iterations", "1", "--set", "load.users=3",
        "--", sys.executable, "locust_soak.py", "--host", site, "--seconds", "1",
    )  # fmt: skip
    assert run.code == ExitCode.OK, run.said
    assert run.metric("requests")[0] > 10
    assert run.metric("failure_ratio") == [0]
    reads = {read["path"]: read["value"] for read in run.summaries[0]["reads"]}
    assert reads == {"load.users": "3", "load.wait_ms": "20"}


def test_what_locust_reports_becomes_metrics(in_examples: None) -> None:
    adapter = importlib.import_module("web_load.locust_soak")
    entry = {
        "num_requests": 20, "num_failures": 5, "response_times": {"10": 18, "200": 2}, "start_time": 100.0,
        "last_request_timestamp": 105.0,
    }  # fmt: skip
    assert adapter.metrics_of([entry]) == {
        "requests": 20, "failure_ratio": 0.25, "answers_per_second": 3.0,
        "p50_latency_ms": 10.0, "p95_latency_ms": 200.0, "p99_latency_ms": 200.0,
    }  # fmt: skip
    assert adapter.percentile(Counter({1: 95, 2: 5}), 0.95) == 1
    with pytest.raises(SystemExit, match="made no request"):
        adapter.metrics_of([])
