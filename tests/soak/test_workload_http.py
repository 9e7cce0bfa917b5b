"""Servers as they come, on this host: each case is a real connection."""

from __future__ import annotations

import gzip
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_causal.model.run import Read, ReadHow
from tools.soak import workload_http
from tools.soak.http_ask import MAX_BODY_BYTES, look_up, split_url, url_of
from tools.soak.interruption import Interruption
from tools.soak.measurement import Measurement
from tools.soak.workload_http import PAUSE_SECONDS, HttpWorkload
from tools.soak.workloads import Task


class Handler(BaseHTTPRequestHandler):
    """Answers by path; counts what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.strip("/").partition("?")[0]
        getattr(self, f"on_{name}", self.on_ok)()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def on_ok(self) -> None:
        self.answer(200, b"ok")

    def on_slow(self) -> None:
        time.sleep(0.2)
        self.answer(200, b"ok")

    def on_busy(self) -> None:
        self.answer(429)

    def on_loop(self) -> None:
        self.answer(302, Location="/loop")

    def on_moved(self) -> None:
        self.answer(302, Location="/ok")

    def on_file(self) -> None:
        self.answer(302, Location="file:///etc/passwd")

    def on_metadata(self) -> None:
        self.answer(302, Location="http://169.254.169.254/latest/meta-data/")

    def on_neighbour(self) -> None:
        self.answer(
            302, Location=f"http://127.0.0.1:{cast(tuple[str, int], self.server.server_address)[1] + 1}/"
        )

    def on_nowhere(self) -> None:
        self.answer(302)

    def on_drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                self.wfile.write(b"X-A: b\r\n")
                time.sleep(0.05)
        except OSError:
            return

    def on_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            return

    def on_bomb(self) -> None:
        self.answer(200, gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")

    def on_junk(self) -> None:
        self.wfile.write(b"\xff\xfenot http at all\r\n\r\n")

    def on_policy(self) -> None:
        self.answer(200, json.dumps({"policy": {"pool": {"size": 4}}}).encode())

    def on_badpolicy(self) -> None:
        self.answer(200, b"[1]")

    def log_message(self, *words: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("Own", (Handler,), {"asked": []})
    found = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    found.daemon_threads = True
    found.asked = handler.asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.fixture
def measure(server: ThreadingHTTPServer, tmp_path: Path) -> Callable[..., Measurement]:
    def run(path: str, *, rate: float = 50.0, window: float = 0.2, **changes: Any) -> Measurement:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        policy = changes.pop("policy", "")
        workload = HttpWorkload(
            url=path if "://" in path else f"{address}{path}",
            rate=rate,
            window_seconds=window,
            policy_url=f"{address}{policy}" if policy else "",
        )
        given: dict[str, Any] = {
            "run": "a", "iteration": 1, "seed": 1, "values": {}, "folder": tmp_path / "a",
            "timeout_seconds": 30.0, "interruption": Interruption(),
        }  # fmt: skip
        return workload.measure(Task(**{**given, **changes}))

    return run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload_http, "ASK_SECONDS", 0.5)


def value(found: Measurement, name: str) -> float | None:
    return found.metrics[name].value


def test_a_server_is_asked_at_the_rate_and_its_latency_measured(measure, server) -> None:
    found = measure("/slow", rate=50, window=0.4)
    assert (found.problem, found.disturbed) == ("", 0)
    assert len(server.asked) == found.metrics["p50_latency_ms"].samples == 20
    assert value(found, "failure_ratio") == 0
    for name in ("p50", "p95", "p99"):
        assert (value(found, f"{name}_latency_ms") or 0) >= 190


def test_latency_counts_from_when_a_question_was_due(measure, monkeypatch) -> None:
    """With one thread and 200 ms an answer, the tenth question of 20 ms apart waits for about 1.8 s."""
    monkeypatch.setattr(workload_http, "THREADS", 1)
    found = measure("/slow", rate=50, window=0.2)
    assert (value(found, "p99_latency_ms") or 0) > 1500


def test_the_service_tells_which_values_it_uses(measure) -> None:
    found = measure("/ok", policy="/policy")
    assert found.reads == (Read("pool.size", "4", ReadHow.OBSERVED),)
    assert measure("/ok", policy="/badpolicy").problem


@pytest.mark.parametrize(
    "path", ["/busy", "/loop", "/file", "/metadata", "/neighbour", "/nowhere", "/endless", "/junk"]
)
@pytest.mark.usefixtures("impatient")
def test_k17_what_is_no_answer_is_a_failure(measure, path: str) -> None:
    found = measure(path, rate=20)
    assert value(found, "failure_ratio") == 1
    assert value(found, "p95_latency_ms") is None, "no answer has no latency, and not 0"


@pytest.mark.parametrize("path", ["/file", "/metadata", "/neighbour", "/loop"])
def test_k17_no_redirect_leads_elsewhere_or_goes_on_for_ever(measure, server, path: str, monkeypatch) -> None:
    reached: list[Any] = []
    real = socket.create_connection

    def noting(address: Any, *others: Any, **more: Any) -> socket.socket:
        reached.append(address)
        return real(address, *others, **more)

    monkeypatch.setattr(socket, "create_connection", noting)
    measure(path, rate=10, window=0.1)
    assert set(reached) == {("127.0.0.1", server.server_address[1])}
    assert len(server.asked) <= 6


def test_a_redirect_on_the_same_server_is_followed(measure, server) -> None:
    assert value(measure("/moved", rate=10, window=0.1), "failure_ratio") == 0
    assert server.asked == ["/moved", "/ok"]


@pytest.mark.usefixtures("impatient")
def test_k17_a_server_that_drips_is_cut_off(measure) -> None:
    began = time.monotonic()
    found = measure("/drip", rate=10, window=0.1)
    assert value(found, "failure_ratio") == 1
    assert time.monotonic() - began < 20


def test_k17_a_bomb_is_not_unpacked(measure) -> None:
    assert len(gzip.compress(b"\0" * 50_000_000)) < MAX_BODY_BYTES
    assert value(measure("/bomb", rate=10, window=0.1), "failure_ratio") == 0


def test_k17_a_server_that_refuses_or_is_unknown(measure) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert value(measure(f"http://127.0.0.1:{port}/", rate=10), "failure_ratio") == 1
    assert "no-such-host.invalid" in measure("http://no-such-host.invalid/").problem


def test_k17_a_server_without_tls_is_a_failure(measure, server) -> None:
    found = measure(f"https://127.0.0.1:{server.server_address[1]}/", rate=10, window=0.1)
    assert value(found, "failure_ratio") == 1


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://host/", "gopher://host/", "http://", "http://a:b@host/", "http://host/a b",
     "http://host/\r\nX: y", "//host/", ""],
)  # fmt: skip
def test_k17_other_urls_are_refused(measure, url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|blanks"):
        split_url(url)
    if "://" in url:
        assert measure(url).problem


def test_urls_come_back_as_they_were() -> None:
    for url in ("http://host:80/a?b=c", "https://[::1]:8443/", "http://127.0.0.1:9/x"):
        assert url_of(*split_url(url)) == url


def test_a_name_is_looked_up_once(monkeypatch) -> None:
    origin, _ = split_url("http://localhost:1/")
    asking = look_up(origin)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **more: pytest.fail("looked up again"))
    assert asking.address in ("127.0.0.1", "::1")


PAUSED = """
import json, sys
from pathlib import Path
from tools.soak.interruption import Interruption
from tools.soak.workload_http import PAUSE_SECONDS, HttpWorkload
from tools.soak.workloads import Task
task = Task(run="a", iteration=1, seed=1, values={}, folder=Path("."), timeout_seconds=60.0,
            interruption=Interruption())
workload = HttpWorkload(url=sys.argv[1], rate=50.0, window_seconds=4.0)
print("ready", flush=True)
print(json.dumps(workload.measure(task).to_json()))
"""


@pytest.mark.parametrize("stands_still", [0.0, 2 * PAUSE_SECONDS])
def test_k18_standing_still_between_two_sleeps_is_noticed(server, monkeypatch, stands_still) -> None:
    late, dispatcher = 0.0, threading.get_ident()

    class Slow(queue.SimpleQueue[Any]):
        def put(self, *due: Any) -> None:  # the dispatcher is at work, and not asleep
            nonlocal late
            if server.asked and threading.get_ident() == dispatcher:
                late = stands_still
            super().put(*due)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late, sleep=time.sleep)
    monkeypatch.setattr(workload_http, "time", clock)
    monkeypatch.setattr(workload_http, "queue", SimpleNamespace(SimpleQueue=Slow, Empty=queue.Empty))
    workload = HttpWorkload(
        url=f"http://127.0.0.1:{server.server_address[1]}/ok", rate=50.0, window_seconds=2.0
    )
    measured = workload.measure(
        Task(
            run="a",
            iteration=1,
            seed=1,
            values={},
            folder=Path(),
            timeout_seconds=60.0,
            interruption=Interruption(),
        )
    )
    assert (measured.disturbed > 0) == (stands_still > 0)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_k18_time_in_which_we_stood_still_is_no_latency(server) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}/ok"
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", PAUSED, url],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    until = time.monotonic() + 30
    while len(server.asked) < 20 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    process.send_signal(signal.SIGCONT)
    found = json.loads(process.communicate(timeout=60)[0])
    assert found["disturbed"] > 20, "the fault bit: questions fell due meanwhile"
    slowest_ms = Measurement.from_json(found).metrics["p99_latency_ms"].value
    assert slowest_ms is not None
    assert slowest_ms < 1000
