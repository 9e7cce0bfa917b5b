"""The workload ``http``: a URL is asked at a steady rate, whether or not the answers come in time (an open model).

Latency counts from when a question was due, not from when there was a thread to send it: a server that stalls delays
all that was due meanwhile, and each of them is counted (no coordinated omission). What was going on while this process
itself stood still says nothing about the server, and is left out and counted.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_causal.errors import CausalError
from pytest_causal.model.run import Read
from pytest_causal.policy.exchange import read_back, used_values
from tools.soak.histogram import Histogram
from tools.soak.http_ask import Answer, Asking, look_up, split_url
from tools.soak.kpi import Sample
from tools.soak.measurement import Measurement
from tools.soak.workloads import Task

THREADS = 64
ASK_SECONDS = 10.0
"""How long one question may take from being sent; a longer one is a failure."""
PAUSE_SECONDS = 0.5
"""How late the dispatcher may wake up; later than that, the machine or the process stood still."""
_TICK_SECONDS = 0.02


class _Flown(NamedTuple):
    """One question that was answered, or not: when it was due and over, on the monotonic clock."""

    due: float
    over: float
    problem: str


@dataclass(frozen=True, kw_only=True)
class HttpWorkload:
    """``rate`` questions a second for ``window_seconds``. ``policy_url`` tells which values the service uses."""

    url: str
    rate: float
    window_seconds: float
    policy_url: str = ""

    def measure(self, task: Task) -> Measurement:
        """Ask, and return ``p50/p95/p99_latency_ms``, ``failure_ratio`` and ``answers_per_second``."""
        try:
            origin, target = split_url(self.url)
            asking = look_up(origin)
        except (OSError, ValueError) as error:
            return Measurement(problem=f"{self.url}: {error}")
        flight = _Flight(asking, target)
        flight.fly(self, task)
        reads, problem = self._read_back(task)
        return flight.measurement(reads, problem)

    def _read_back(self, task: Task) -> tuple[tuple[Read, ...], str]:
        """Return the values that the service says it uses."""
        if not self.policy_url:
            return (), ""
        try:
            origin, target = split_url(self.policy_url)
            answer = look_up(origin).ask(target, ASK_SECONDS, lambda sock: None)
            if answer.problem:
                return (), f"{self.policy_url}: {answer.problem}"
            used = used_values(json.loads(answer.body)["policy"])
            return read_back(used, used, task.secrets).reads, ""  # what it was given is not for us to say
        except CausalError as error:
            return (), f"{self.policy_url}: {error.what}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            return (), f"{self.policy_url}: {error!r}"


@dataclass
class _Flight:
    """The questions of one iteration, and what is known of them, in memory that does not grow with their number."""

    asking: Asking
    target: str
    latencies: Histogram = field(default_factory=Histogram)
    problems: Counter[str] = field(default_factory=Counter)
    disturbed: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._due: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self._over: queue.SimpleQueue[_Flown] = queue.SimpleQueue()
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._pause_ended = 0.0
        self._looked_at = time.monotonic()

    def fly(self, workload: HttpWorkload, task: Task) -> None:
        """Send what is due when it is due, until the window is over and all is answered or given up."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        begun = self._looked_at = time.monotonic()
        until = begun + min(workload.window_seconds, task.timeout_seconds)
        sent = self._dispatch(begun, until, workload.rate, task)
        for _ in threads:
            self._due.put(None)
        give_up = time.monotonic() + ASK_SECONDS * 2
        while self._seen < sent and time.monotonic() < give_up and not task.interruption.is_asked_for:
            self._tick(time.monotonic() + _TICK_SECONDS)
        self._shut(everything=True)
        for thread in threads:
            thread.join(ASK_SECONDS)
        self._drain()
        self.problems["not answered in time"] += sent - self._seen
        self.seconds = time.monotonic() - begun

    @property
    def _seen(self) -> int:
        return self.latencies.count + self.problems.total() + self.disturbed

    def _dispatch(self, begun: float, until: float, rate: float, task: Task) -> int:
        sent = 0
        while not task.interruption.is_asked_for:
            due = begun + sent / rate
            if due >= until:
                break
            now = time.monotonic()
            if due > now:
                self._tick(min(due, now + _TICK_SECONDS))
                continue
            if due <= self._pause_ended:
                self.disturbed += 1  # sending all of it now would be a flood that nobody planned
            else:
                self._due.put(due)
            sent += 1
        return sent

    def _tick(self, wake_at: float) -> None:
        """Sleep, notice whether this process stood still, shut what is overdue, count what is over: in this order."""
        self._look(self._looked_at)
        time.sleep(max(0.0, wake_at - self._looked_at))
        self._look(wake_at)
        self._shut()
        self._drain()

    def _look(self, expected_at: float) -> None:
        """Look at the clock. Much later than expected, this process stood still, asleep or between two sleeps."""
        self._looked_at = time.monotonic()
        if self._looked_at - expected_at > PAUSE_SECONDS:
            self._pause_ended = self._looked_at

    def _shut(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            overdue = [sock for sock, deadline in self._open.items() if everything or deadline < now]
            for sock in overdue:
                del self._open[sock]
        for sock in overdue:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                flown = self._over.get_nowait()
                if flown.due <= self._pause_ended:
                    self.disturbed += 1
                elif flown.problem:
                    self.problems[flown.problem] += 1
                else:
                    self.latencies.add(flown.over - flown.due)

    def _work(self) -> None:
        """Ask what is due, one after the other, until there is no more."""
        while (due := self._due.get()) is not None:
            mine: list[socket.socket] = []
            answer = self._ask(mine)
            with self._lock:
                # What was shut down looks to its reader like an answer that ended early.
                is_shut = any(self._open.pop(sock, None) is None for sock in mine)
            problem = "not answered in time" if is_shut else answer.problem
            self._over.put(_Flown(due, time.monotonic(), problem))

    def _ask(self, mine: list[socket.socket]) -> Answer:
        def opened(sock: socket.socket) -> None:
            mine.append(sock)
            with self._lock:
                self._open[sock] = time.monotonic() + ASK_SECONDS

        return self.asking.ask(self.target, ASK_SECONDS, opened)

    def measurement(self, reads: tuple[Read, ...], problem: str) -> Measurement:
        """Return what was seen. Without any answer there is no latency: it is missing, not zero."""
        asked, failed = self.latencies.count + self.problems.total(), self.problems.total()
        if not asked:
            return Measurement(problem=problem or "nothing was asked", disturbed=self.disturbed)
        metrics = {
            "failure_ratio": Sample(value=failed / asked, samples=asked),
            "answers_per_second": Sample(value=self.latencies.count / self.seconds, samples=asked),
        }
        for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
            seconds = self.latencies.quantile(share)
            value = None if seconds is None else seconds * 1000
            metrics[f"{name}_latency_ms"] = Sample(value=value, samples=self.latencies.count)
        return Measurement(metrics=metrics, reads=reads, problem=problem, disturbed=self.disturbed)
