"""``make bench`` measures everything into ``bench/RESULTS.md``; ``python -m bench CASE`` makes that case's part new."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.artifacts import measure_large, measure_planning, measure_small
from bench.environments import ROOT, Environments, make_environments, versions
from bench.history import measure_store
from bench.measuring import say
from bench.policy import measure_policy
from bench.recorders import BARE, CAUSAL, PEERS, SuiteRun, measure_pytest_history, measure_recorders
from bench.report import Section, part, updated
from bench.soak import measure_soak
from bench.startup import measure_idle, measure_startup
from bench.suites import write_suite

RESULTS = ROOT / "bench" / "RESULTS.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured. ``full`` is what the figures that are kept come from, ``quick`` tries the harness."""

    tests: int = 10_000
    tests_large: int = 100_000
    rounds: int = 3
    rounds_large: int = 2
    rounds_startup: int = 40
    rounds_store: int = 25
    sessions: int = 1_000
    scenarios: int = 10_000
    large_files: int = 50
    large_file_bytes: int = 20_000_000
    small_files: int = 10_000
    planned_files: int = 100_000
    iterations: int = 2_000
    iterations_long: int = 100_000


FULL = Extent()
QUICK = Extent(
    tests=500,
    tests_large=1_000,
    rounds=2,
    rounds_large=2,
    rounds_startup=5,
    rounds_store=2,
    sessions=20,
    scenarios=1_000,
    large_files=4,
    large_file_bytes=2_000_000,
    small_files=500,
    planned_files=2_000,
    iterations=200,
    iterations_long=2_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where and how much to measure."""

    place: Path
    environments: Environments
    extent: Extent

    def suite(self, tests: int) -> SuiteRun:
        return SuiteRun(
            place=self.place, suite=write_suite(self.place / f"suite-{tests}", tests=tests), tests=tests
        )


def recorders(at: Workplace) -> Section:
    run = at.suite(at.extent.tests)
    return measure_recorders(at.environments.peers, run, [BARE, CAUSAL, *PEERS], rounds=at.extent.rounds)


def recorders_xdist(at: Workplace) -> Section:
    run = at.suite(at.extent.tests)
    return measure_recorders(
        at.environments.peers, run, [BARE, CAUSAL, *PEERS], rounds=at.extent.rounds, workers=2
    )


def pytest_history(at: Workplace) -> Section:
    return measure_pytest_history(
        at.environments.pytest_history, at.suite(at.extent.tests), rounds=at.extent.rounds_large
    )


def large(at: Workplace) -> Section:
    run = at.suite(at.extent.tests_large)
    return measure_recorders(at.environments.peers, run, [BARE, CAUSAL], rounds=at.extent.rounds_large)


def startup(at: Workplace) -> Section:
    return measure_startup(at.environments, at.place, rounds=at.extent.rounds_startup)


def idle(at: Workplace) -> Section:
    return measure_idle(at.environments, at.suite(at.extent.tests), rounds=at.extent.rounds)


def store(at: Workplace) -> Section:
    extent = at.extent
    return measure_store(
        at.environments.installed,
        at.place,
        sessions=extent.sessions,
        scenarios=extent.scenarios,
        rounds=extent.rounds_store,
    )


def policy(at: Workplace) -> Section:
    return measure_policy(at.environments.peers, at.place, rounds=at.extent.rounds_startup)


def artifacts_large(at: Workplace) -> Section:
    extent = at.extent
    return measure_large(
        at.environments.peers,
        at.place,
        files=extent.large_files,
        file_bytes=extent.large_file_bytes,
        rounds=extent.rounds_large,
    )


def artifacts_small(at: Workplace) -> Section:
    return measure_small(
        at.environments.peers, at.place, files=at.extent.small_files, rounds=at.extent.rounds
    )


def artifacts_planning(at: Workplace) -> Section:
    return measure_planning(
        at.environments.peers, at.place, files=at.extent.planned_files, rounds=at.extent.rounds
    )


def soak(at: Workplace) -> Section:
    extent = at.extent
    return measure_soak(
        at.environments.peers,
        at.place,
        iterations=extent.iterations,
        long_iterations=extent.iterations_long,
        rounds=extent.rounds,
    )


CASES: dict[str, Callable[[Workplace], Section]] = {
    "recorders": recorders,
    "pytest-history": pytest_history,
    "recorders-xdist": recorders_xdist,
    "large": large,
    "startup": startup,
    "idle": idle,
    "store": store,
    "policy": policy,
    "artifacts-large": artifacts_large,
    "artifacts-small": artifacts_small,
    "artifacts-planning": artifacts_planning,
    "soak": soak,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all unless given")
    parser.add_argument(
        "--quick", action="store_true", help="a small trial of the harness; its figures mean nothing"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep environments, suites and filled stores for the next time"
    )
    given = parser.parse_args()
    if unknown := set(given.cases) - set(CASES):
        parser.error(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    place = ROOT / "build" / ("bench-quick" if given.quick else "bench")
    at = Workplace(place=place, environments=make_environments(place), extent=QUICK if given.quick else FULL)
    for name in given.cases or CASES:
        say(f"{name}:")
        started = time.monotonic()
        section = CASES[name](at)
        say(section.markdown() + "\n")
        if not given.quick:  # after each case: all of them take most of an hour
            new = {name: part(section, time.monotonic() - started)}
            page = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
            RESULTS.write_text(updated(page, new, list(CASES), versions(at.environments.peers)), "utf-8")
    if not given.keep:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
