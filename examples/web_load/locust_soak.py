"""Runs a locustfile as an iteration of a soak, and turns what locust reports into the soak's metrics.

``load.users`` and ``load.wait_ms`` of the policy say how hard it asks. What goes back as used is what locust really
did: the users that its history counted. Everything behind ``--`` goes to locust.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HISTORY = "run_stats_history.csv"
START_SECONDS = 60.0
SOME_REQUESTS_FAILED = 1
"""Locust's exit code for a run in which a request failed: that is a metric here, and no fault."""


def metrics_of(stats: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the metrics of what ``locust --json-file`` writes; from 100 ms on its latencies have two digits."""
    latencies_ms: Counter[int] = Counter()
    for entry in stats:
        latencies_ms.update({int(took): count for took, count in entry["response_times"].items()})
    requests = sum(entry["num_requests"] for entry in stats)
    if not requests or not latencies_ms:
        raise SystemExit("locust ran, and made no request")
    began = min(entry["start_time"] for entry in stats)
    ended = max(entry["last_request_timestamp"] for entry in stats)
    failures = sum(entry["num_failures"] for entry in stats)
    return {
        "requests": requests,
        "failure_ratio": failures / requests,
        "answers_per_second": (requests - failures) / max(ended - began, 0.001),
        "p50_latency_ms": percentile(latencies_ms, 0.50),
        "p95_latency_ms": percentile(latencies_ms, 0.95),
        "p99_latency_ms": percentile(latencies_ms, 0.99),
    }


def percentile(counts: Counter[int], share: float) -> float:
    """Return the nearest-rank percentile of values that were counted."""
    rank = max(1, math.ceil(share * counts.total()))
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return float(value)
    raise ValueError("nothing was counted")


def most_users(history: Path) -> int:
    """Return the largest number of users at once that locust's own history tells of; 0 before it has begun."""
    if not history.exists():
        return 0
    with history.open(encoding="utf-8", newline="") as file:
        counts = [row["User Count"] for row in csv.DictReader(file)]
    return max((int(count) for count in counts if count), default=0)


def ask(words: Sequence[str], env: Mapping[str, str], folder: Path, *, users: int, seconds: float) -> None:
    """Run locust until all its users have asked for so long; its reports are in the folder then.

    Its own ``--run-time`` counts from when it was started, and on a busy machine can be over before the first request.
    """
    log = folder / "locust.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*words, "--json-file", str(folder / "stats"), "--csv", str(folder / "run")],
            env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            until = time.monotonic() + START_SECONDS
            while (
                process.poll() is None and most_users(folder / HISTORY) < users and time.monotonic() < until
            ):
                time.sleep(0.1)
            if process.poll() is None:
                time.sleep(seconds)
        finally:
            process.terminate()
            code = process.wait()
    if code not in (0, SOME_REQUESTS_FAILED) or not (folder / "stats.json").exists():
        raise SystemExit(f"locust failed: {log.read_text('utf-8', 'replace').strip().rpartition(chr(10))[2]}")


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description="One iteration of a locustfile.")
    parser.add_argument("--host", required=True, help="where the service is, as http://127.0.0.1:8765")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--locustfile", default=str(Path(__file__).with_name("locustfile.py")))
    parser.add_argument("more", nargs="*", help="further words for locust, behind --")
    options = parser.parse_args()
    beside = Path(sys.executable).with_name("locust")
    locust = str(beside) if beside.exists() else shutil.which("locust")
    if locust is None:
        print("locust is not installed: pip install locust", file=sys.stderr)
        raise SystemExit(69)
    load = json.loads(Path(os.environ["CAUSAL_POLICY_FILE"]).read_text("utf-8"))["load"]
    users, wait_ms = load["users"], load["wait_ms"]
    words = (
        *(locust, "--headless", "--only-summary", "--locustfile", options.locustfile, "--host", options.host),
        *("--users", str(users), "--spawn-rate", str(users), *options.more),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ask(words, {**os.environ, "WAIT_MS": str(wait_ms)}, folder, users=users, seconds=options.seconds)
        metrics = metrics_of(json.loads((folder / "stats.json").read_text("utf-8")))
        used = {"load.users": most_users(folder / HISTORY), "load.wait_ms": wait_ms}
    Path(os.environ["CAUSAL_RESULT_FILE"]).write_text(
        json.dumps({"metrics": metrics, "policy": used}), "utf-8"
    )


if __name__ == "__main__":
    main()
