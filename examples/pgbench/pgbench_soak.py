"""A PostgreSQL server of its own under pgbench: the program that a soak runs in each iteration.

The server is made in a temporary directory with the values of the policy, asked which values it really uses, loaded
by pgbench through a Unix socket, and removed. Nothing listens on the network. PostgreSQL refuses to run as root, so
root hands it to the user ``postgres`` or ``nobody``. Needs PostgreSQL's server programs and pgbench, 14 or newer.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("initdb", "postgres", "pg_isready", "psql", "pgbench")
HOW_TO_INSTALL = (
    "install PostgreSQL (Debian and Ubuntu: apt install postgresql), or name its programs in PGBIN"
)
SETTINGS = {
    "database.shared_buffers_kib": ("shared_buffers", "kB"),
    "database.wal_buffers_kib": ("wal_buffers", "kB"),
    "database.commit_delay_us": ("commit_delay", ""),
}
"""Path of the policy -> the server's setting, and the unit in which it is given."""
DEBIAN = Path("/usr/lib/postgresql")
_BYTES = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2}
_START_SECONDS = 30.0


def find_programs() -> Path:
    """Return the directory of PostgreSQL's programs. Exits 69 (unavailable), saying what to install."""
    found = shutil.which("postgres")
    places = [
        Path(os.environ.get("PGBIN", "/nonexistent")),
        *sorted(DEBIAN.glob("*/bin"), key=lambda path: path.parent.name, reverse=True),
        *([Path(found).resolve().parent] if found else []),
    ]
    for place in places:
        if all((place / name).exists() for name in PROGRAMS):
            return place
    print(f"no PostgreSQL with {', '.join(PROGRAMS)} was found; {HOW_TO_INSTALL}", file=sys.stderr)
    raise SystemExit(69)


def server_user() -> dict[str, Any]:
    """Return what a child process needs so that it is not root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise SystemExit("PostgreSQL does not run as root, and there is no user postgres or nobody")


class Server:
    """A running server: its programs, its folder, and who runs it."""

    def __init__(self, programs: Path, folder: Path, user: Mapping[str, Any]) -> None:
        self.folder = folder
        self._programs = programs
        self._user = user
        self._env = {
            "PATH": os.environ["PATH"], "LC_ALL": "C",
            "PGHOST": str(folder), "PGUSER": "soak", "PGDATABASE": "postgres",
        }  # fmt: skip

    def run(self, program: str, *words: str) -> str:
        """Run one of PostgreSQL's programs and return what it printed. Exits with its words where it fails."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [self._programs / program, *words], cwd=self.folder, env=self._env, capture_output=True, text=True,
            check=False, **self._user,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{program} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def start(self, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the server as a child, with its log in ``server.log``."""
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("wb") as log:
            return subprocess.Popen(
                [self._programs / "postgres", "-D", "data", "-k", str(self.folder), *options],
                cwd=self.folder, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._user,
            )  # fmt: skip

    def is_ready(self) -> bool:
        """Return whether it answers."""
        asked = subprocess.run(
            [self._programs / "pg_isready", "-q"], cwd=self.folder, env=self._env, check=False, **self._user
        )
        return asked.returncode == 0

    def setting(self, name: str) -> int:
        """Return what the server uses: bytes where the setting is a size."""
        text = self.run("psql", "-XAtc", f"SELECT setting, unit FROM pg_settings WHERE name = '{name}'")
        value, _, unit = text.strip().partition("|")
        return int(value) * _BYTES.get(unit, 1)


@contextmanager
def serving(programs: Path, policy: Mapping[str, Any]) -> Iterator[Server]:
    """Make a server with the values of the policy, and remove it afterwards."""
    user = server_user()
    with tempfile.TemporaryDirectory(prefix="pgbench-soak-") as name:
        folder = Path(name)
        if user:
            os.chown(folder, user["user"], user["group"])
        server = Server(programs, folder, user)
        server.run("initdb", "-D", "data", "-U", "soak", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = {setting: f"{value_at(policy, path)}{unit}" for path, (setting, unit) in SETTINGS.items()}
        process = server.start({"listen_addresses": "", "fsync": "on", **settings})
        try:
            _wait(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # its "fast" shutdown
            process.wait()


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > until:
            log = (server.folder / "server.log").read_text("utf-8", "replace").strip()
            raise SystemExit(f"the server did not start: {log.rpartition(chr(10))[2]}")
        time.sleep(0.05)


def value_at(policy: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path."""
    value: Any = policy
    for key in path.split("."):
        value = value[key]
    return value


def load(server: Server, *, clients: int, seconds: int, seed: int) -> dict[str, float]:
    """Run pgbench's own transactions and return what its log says of each."""
    server.run("pgbench", "--initialize", "--quiet", "--scale=1")
    server.run(
        "pgbench", "--no-vacuum", f"--client={clients}", f"--time={seconds}", f"--random-seed={seed}", "--log",
        "--log-prefix=transactions",
    )  # fmt: skip
    latencies_ms: list[float] = []
    failed = 0
    for log in server.folder.glob("transactions.*"):
        for line in log.read_text("ascii").splitlines():
            took = line.split()[2]
            if took.isdecimal():
                latencies_ms.append(int(took) / 1000)
            else:
                failed += 1  # "failed", "skipped"
    if not latencies_ms:
        raise SystemExit("pgbench ran, and no transaction came to its end")
    ordered = sorted(latencies_ms)
    return {
        "transactions_per_second": len(ordered) / seconds,
        "p50_latency_ms": ordered[max(0, math.ceil(0.50 * len(ordered)) - 1)],
        "p95_latency_ms": ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)],
        "failed_ratio": failed / (failed + len(ordered)),
    }


def in_force(server: Server, path: str) -> int:
    """Return what the server says it uses, in the unit of the policy."""
    setting, unit = SETTINGS[path]
    return server.setting(setting) // _BYTES.get(unit, 1)


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description="One iteration of pgbench against a server of its own.")
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    programs = find_programs()
    policy = json.loads(Path(os.environ["CAUSAL_POLICY_FILE"]).read_text("utf-8"))
    clients = value_at(policy, "load.clients")
    seed = int(os.environ.get("SOAK_SEED", "1"))
    with serving(programs, policy) as server:
        used = {path: in_force(server, path) for path in SETTINGS}
        metrics = load(server, clients=clients, seconds=options.seconds, seed=seed)
    answer = {"metrics": metrics, "policy": {**used, "load.clients": clients}}
    Path(os.environ["CAUSAL_RESULT_FILE"]).write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main()
