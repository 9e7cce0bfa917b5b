"""The soak runner's own cost: null iterations under a simulated clock, beside what peers take for the same nothing.

Each program does one kind of null iteration and times it itself, after a warm-up, because a whole process would mostly
measure imports. They take turns.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.environments import clean_environment
from bench.measuring import run_process, say, spread
from bench.report import Section

WARM_UP = 50

SOAK = """
import json, sys, time
from pathlib import Path
from tools.soak.journal import NAME, read_journal
from tools.soak.kpi import Sample
from tools.soak.measurement import Measurement
from tools.soak.plan import Plan
from tools.soak.run import World, begin
from tools.soak.simulation import SimulatedClock
from tools.soak.surroundings import Surroundings

folder, iterations, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
GOOD = {"risk_ratio": 0.3, "net_bps": 3.0, "maker_taker_ratio": 0.95, "p95_latency_ms": 300.0}
ANSWER = Measurement(metrics={name: Sample.of(value) for name, value in GOOD.items()}, covered_seconds=1.0)

class Null:
    def measure(self, task):
        return ANSWER

class Watch:
    marks = {}
    def waiting(self, progress, seconds): pass
    def running(self, progress): pass
    def iterated(self, progress):
        done = progress.iteration
        if done in (WARM_UP, iterations // 10, iterations):
            own = progress.done["own"]["resident_bytes"]
            self.marks[done] = (time.perf_counter(), time.process_time(), own)

given = {} if "unsynced" not in how else {"sync": lambda descriptor: None}
world = World(
    watcher=Watch(), surroundings=Surroundings(clock=SimulatedClock(), **given), workload=lambda plan: Null()
)
plan = Plan(run="a", version="", workload="mock", options={"mode": "calm", "seed": 1}, iterations=iterations,
            auto_tune="tuned" in how, kpi_set="smoke", profile="steady_safe", keep_summaries=100, has_history=False)
assert begin(plan, folder, world).exit_code == 0
begun, tenth, ended = (Watch.marks[at] for at in (WARM_UP, iterations // 10, iterations))
after = iterations - WARM_UP
print(json.dumps({
    "wall_ms": 1e3 * (ended[0] - begun[0]) / after,
    "cpu_ms": 1e3 * (ended[1] - begun[1]) / after,
    "grown_bytes": (ended[2] or 0) - (tenth[2] or 0),
}))
""".replace("WARM_UP", str(WARM_UP))
"""Iterations of the runner as they are, with every artifact; ``keep_summaries`` only spares the disk."""

DISK = """
import json, os, sys, time
from pathlib import Path

folder, iterations = Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
descriptor = os.open(folder / "lines", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
began, cpu = time.perf_counter(), time.process_time()
for _ in range(iterations):
    for _ in range(6):
        os.write(descriptor, b"x" * 600)
        os.fsync(descriptor)
print(json.dumps({
    "wall_ms": 1e3 * (time.perf_counter() - began) / iterations,
    "cpu_ms": 1e3 * (time.process_time() - cpu) / iterations,
}))
"""
"""The floor: six lines an iteration, each synced."""

LOCUST = """
import gevent.monkey
gevent.monkey.patch_all()
import json, sys, time
from locust import User, constant, task
from locust.env import Environment

iterations = int(sys.argv[2])

class Null(User):
    wait_time = constant(0)
    done = 0

    @task
    def nothing(self):
        self.environment.events.request.fire(
            request_type="null", name="null", response_time=0, response_length=0, exception=None, context={}
        )
        Null.done += 1
        if Null.done >= iterations:
            self.environment.runner.quit()

environment = Environment(user_classes=[Null])
runner = environment.create_local_runner()
began, cpu = time.perf_counter(), time.process_time()
runner.start(1, spawn_rate=1)
runner.greenlet.join()
done = environment.stats.total.num_requests
assert done >= iterations
print(json.dumps({
    "wall_ms": 1e3 * (time.perf_counter() - began) / done,
    "cpu_ms": 1e3 * (time.process_time() - cpu) / done,
}))
"""
"""A user that does nothing and reports it; statistics are kept in memory, nothing is on the disk."""

PYTEST_BENCHMARK = """
import json, sys, time
from pathlib import Path
import pytest

folder, iterations = Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
(folder / "pytest.ini").write_text("[pytest]\\n")
(folder / "test_null.py").write_text(
    "import json, time\\n"
    "def nothing(): pass\\n"
    "def test_it(benchmark):\\n"
    f"    began, cpu = time.perf_counter(), time.process_time()\\n"
    f"    benchmark.pedantic(nothing, rounds={iterations})\\n"
    f"    took = (time.perf_counter() - began, time.process_time() - cpu)\\n"
    f"    open('took', 'w').write(json.dumps(took))\\n"
)
import contextlib, io, os
os.chdir(folder)
with contextlib.redirect_stdout(io.StringIO()):
    assert pytest.main(["-q", "-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider", "test_null.py"]) == 0
wall, cpu = json.loads(Path("took").read_text())
print(json.dumps({"wall_ms": 1e3 * wall / iterations, "cpu_ms": 1e3 * cpu / iterations}))
"""
"""A round a null call, statistics in memory, nothing on the disk."""

CASES: Sequence[tuple[str, str, str]] = (
    ("six synced lines, nothing else (the floor)", DISK, "synced"),
    ("soak", SOAK, "synced"),
    ("soak, tuned live", SOAK, "synced, tuned"),
    ("soak, tuned live, journal not synced", SOAK, "unsynced, tuned"),
    ("locust, one user (in memory)", LOCUST, ""),
    ("pytest-benchmark, one round (in memory)", PYTEST_BENCHMARK, ""),
)


def measure_soak(python: Path, place: Path, *, iterations: int, long_iterations: int, rounds: int) -> Section:
    """Measure null iterations; ``long_iterations`` of them once, for what memory and an iteration are then."""
    took: dict[str, list[dict[str, float]]] = {name: [] for name, _, _ in CASES}
    for number in range(1, rounds + 1):
        for name, program, how in CASES:
            took[name].append(_run(python, place, program, iterations, how))
        say(f"  round {number} of {rounds}")
    long = _run(python, place, SOAK, long_iterations, "unsynced, tuned")
    return Section(
        title="Soak: a null iteration of the runner",
        text=(
            f"{iterations:,} iterations under a simulated clock, {rounds} rounds; a synced journal line for each of "
            "six steps, a summary, its own footprint. Aims: at most 5 ms, 1 ms of it CPU. The peers keep nothing on "
            f"the disk. Of {long_iterations:,} tuned iterations each took {long['cpu_ms']:.2f} ms CPU, and the process "
            f"grew by {long['grown_bytes'] / 2**20:.1f} MiB after the first tenth."
        ),
        columns=("program", "wall, ms an iteration", "CPU, ms an iteration"),
        rows=[
            (name, *(spread([each[unit] for each in took[name]], ".3f") for unit in ("wall_ms", "cpu_ms")))
            for name, _, _ in CASES
        ],
    )


def _run(python: Path, place: Path, program: str, iterations: int, how: str) -> dict[str, float]:
    folder = place / "soak"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "log"
    command = [str(python), "-c", program, str(folder / "out"), str(iterations), how]
    run_process(command, folder=folder, environment=clean_environment(autoload=False), log=log)
    lines = log.read_text("utf-8").strip().splitlines()
    shutil.rmtree(folder)
    try:
        figures: dict[str, float] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise RuntimeError("\n".join(lines)) from None
    return figures
