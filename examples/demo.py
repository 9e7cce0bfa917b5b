"""The main job on a small real system: from the first recorded session to a change that is earned, and taken back.

Runs the suite of ``examples/query_service`` as its owner would, each session in processes of its own, and reads back
what was kept through the command line. What it claims at the end it has checked against what ``causal`` says to
programs, against the override file and against pytest's own counts; it exits 1 where a claim does not hold. The suite
runs in a copy, for a promotion changes files beside its configuration. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copytree, get_terminal_size, ignore_patterns
from typing import Any

SUITE = Path(__file__).parent / "query_service"
SESSIONS = 4
HARM = {"CAUSAL_POLICY__standard__max_wall_time_ms": "1"}
"""A policy value that does harm, as the environment variable that sets it."""
HARMED = "heavy-report"
"""A scenario that reads the value which is harmed."""
UNHARMED = ("customer-card", "data-is-seeded")
"""Scenarios that never read it: one reads other values, one reads none."""

CANDIDATE = "longer-queue"
"""The change of policy that the suite's causal.toml proposes."""
CHANGED = "pool.queue_limit"
GATE = "burst-of-cards"
"""The scenario that gates it."""
SLOW_DISK = {"SHOP_DISK_MS": "60"}
"""A change of the system itself: each answer takes 60 ms longer, so that the last in a long queue waits too long."""

PYTEST_RAN = (0, 1)
"""Exit codes of a pytest session that came to its end, whether all passed or some failed."""

LOCKED = 4
"""Exit code of ``causal`` where something must change before a retry helps."""

Status = dict[str, dict[str, Any]]
"""Scenario name -> its object in ``causal.status/1``."""


class DemoError(Exception):
    """A step could not be run at all."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A copy of the example's suite, with the store beside it, and variables of the environment."""

    suite: Path
    environment: dict[str, str] = field(default_factory=dict)

    def record(self, *options: str, is_shown: bool = False) -> int:
        """Run a session of the suite in two processes and return how many tests pytest itself counted."""
        words = ["-p", "causal", "-n", "2", *options]
        print(self._as_typed("pytest", words))
        said = self._run([sys.executable, "-m", "pytest", *words], PYTEST_RAN)
        closing = said.rstrip().splitlines()[-1].strip("= ")
        print(summary_of(said) if is_shown else f"  {closing}")
        return sum(map(int, re.findall(r"(\d+) (?:passed|failed|skipped|xfailed|xpassed|error)", closing)))

    def show(self, *words: str, expected: int = 0) -> None:
        """Run a command of ``causal``, show what it says, and hold it to its exit code."""
        print(self._as_typed("causal", words))
        print(self._causal(words, expected))

    def status(self) -> Status:
        """Return the status of every scenario, as programs read it."""
        scenarios = json.loads(self._causal(["status", "--json"]))["scenarios"]
        return {each["scenario"]: each for each in scenarios}

    def newest_reads(self, scenario: str) -> set[str]:
        """Return the paths of the policy values that the newest run of a scenario read."""
        run = json.loads(self._causal(["history", scenario, "--json", "--limit", "1"]))
        return {read["path"] for read in run["reads"]}

    def promotions(self) -> list[dict[str, Any]]:
        """Return the promotions there have been, the oldest first."""
        found: list[dict[str, Any]] = json.loads(self._causal(["status", "--json"]))["promotions"]
        return found

    def audit(self) -> list[dict[str, Any]]:
        """Return the rows of the audit."""
        return [json.loads(line) for line in self._causal(["audit", "--json"]).splitlines()]

    def overrides(self) -> dict[str, Any]:
        """Return the values of the override file, by section: what promotions have put in force."""
        file = self.suite / ".causal" / "runtime_overrides.json"
        values: dict[str, Any] = json.loads(file.read_text("utf-8"))["values"] if file.exists() else {}
        return values

    def _causal(self, words: Sequence[str], expected: int = 0) -> str:
        program = Path(sys.executable).with_name("causal")
        return self._run([str(program), *words], (expected,))

    def _run(self, command: Sequence[str], expected: Sequence[int]) -> str:
        """Run a program in the suite's directory and return its output, as wide as this terminal."""
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("CAUSAL_", "PYTEST_"))
        }
        env |= {"COLUMNS": str(get_terminal_size((100, 24)).columns), **self.environment}
        done = subprocess.run(
            command, cwd=self.suite, env=env, capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode not in expected:
            raise DemoError(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _as_typed(self, program: str, words: Sequence[str]) -> str:
        return " ".join(
            ["$", *(f"{name}={value}" for name, value in self.environment.items()), program, *words]
        )


@dataclass
class Claims:
    """What the demo says has happened, each statement checked."""

    broken: int = 0
    lines: list[str] = field(default_factory=list)

    def check(self, holds: bool, claim: str) -> None:
        """Note a claim and whether it holds."""
        self.broken += not holds
        self.lines.append(f"  {'ok   ' if holds else 'WRONG'} {claim}")


def gather(shop: Shop, claims: Claims) -> None:
    """Record a few ordinary sessions, and show what they come to."""
    say(
        f"1. Record. The suite in examples/query_service puts real load on a query service over SQLite.\n"
        f"   It runs {SESSIONS} times, as it would night after night. Pytest's own part is left out of the last."
    )
    counted = sum(shop.record(is_shown=number == SESSIONS) for number in range(1, SESSIONS + 1))
    say(
        "2. Look. Each scenario has a record, and a verdict on how strong its evidence is. Most need more sessions\n"
        "   before a failure rate of 15 % can be ruled out; customer-card declares its eight runs independent."
    )
    shop.show("status")
    shop.show("history", HARMED)
    status = shop.status()
    kept = sum(map(size, status.values()))
    claims.check(
        kept == counted, f"pytest counted {counted} tests in {SESSIONS} sessions, the store holds {kept}"
    )
    card, report = status["customer-card"], status[HARMED]
    claims.check(
        card["verdict"] == "eligible", f"customer-card is {card['verdict']} after {card['runs']} runs"
    )
    needed = report["clean_sessions_needed"]
    claims.check(
        report["verdict"] == "not_yet" and needed > 0,
        f"{HARMED} is {report['verdict']}: {needed} more clean sessions are needed",
    )


def harm(shop: Shop, claims: Claims) -> None:
    """Record sessions under a harmful value, and show which evidence that touches."""
    say(
        "3. Harm. Three sessions, two of them of the reports only, under a budget of 1 ms for standard queries."
    )
    bad = replace(shop, environment=HARM)
    before = shop.status()
    counted = bad.record()
    after = shop.status()
    for _ in range(2):
        bad.record("tests/test_standard.py")
    say(
        "4. Evidence follows what was read. The failures speak against the bad value and not against today's;\n"
        "   a scenario that never read it has one record under both."
    )
    shop.show("status", HARMED)
    bad.show("status", HARMED)
    bad.show("status", UNHARMED[0])
    under_harm = bad.status()
    readers = {name for name, each in after.items() if each["runs_under_other_policies"]}
    others = after.keys() - readers
    claims.check(
        HARMED in readers and others.issuperset(UNHARMED),
        f"{len(readers)} of {len(after)} scenarios read standard.max_wall_time_ms",
    )
    claims.check(
        all(under_harm[name]["failed"] == under_harm[name]["runs"] > 0 for name in readers),
        "each of them failed every time under the bad value",
    )
    claims.check(
        all(
            after[name][key] == before[name][key] for name in readers for key in ("runs", "failed", "verdict")
        ),
        "what they have shown about today's value is what it was",
    )
    gained = sum(size(after[name]) - size(before[name]) for name in others)
    claims.check(gained == counted - len(readers), f"the others gained the {gained} runs of that session")
    claims.check(
        all(size(under_harm[name]) == size(after[name]) for name in others),
        "and have the same record under both",
    )
    reads = shop.newest_reads(HARMED)
    claims.check(
        reads == {"standard.cache_kib", "standard.max_rows", "standard.max_wall_time_ms"},
        f"{HARMED} is known to have read {', '.join(sorted(reads))}",
    )
    report = under_harm[HARMED]
    claims.check(report["verdict"] == "rejected", f"under the bad value {HARMED} is {report['verdict']}")


def earn(shop: Shop, claims: Claims) -> None:
    """Let a candidate run in the shadow until it has earned promotion."""
    say(
        f"5. Earn. causal.toml proposes {CANDIDATE}: {CHANGED} 16 -> 48, gated by {GATE}. In the shadow each of its\n"
        "   tests runs once more under the new value. Three sessions are asked for; the third one makes the change."
    )
    for number in range(1, 4):
        shop.record("--causal-shadow", "tests/test_queue.py", is_shown=number == 3)
        state = shop.promotions()[0]["state"]
        claims.check(
            (state == "provisional") == (number == 3) and bool(shop.overrides()) == (number == 3),
            f"after {number} of 3 shadow sessions {CANDIDATE} is {state}",
        )
    shop.show("decide")
    (scenario,) = shop.promotions()[0]["evidence"]["scenarios"]
    claims.check(
        scenario["runs"] == 24 and [read["path"] for read in scenario["reads"]] == [CHANGED],
        f"it stands on {scenario['runs']} runs, all under the new value and known to have read it",
    )
    claims.check(shop.overrides() == {"pool": {"queue_limit": 48}}, f"{CHANGED} is 48 in the override file")


def degrade(shop: Shop, claims: Claims) -> None:
    """Make the system slower, see the change taken back, and try it again."""
    say(
        "6. Degrade. A session under the new value is well. Then the shop's disk becomes slow: with a long queue the\n"
        "   last customer waits too long, every test fails, and the change is taken back after that session."
    )
    shop.record("tests/test_queue.py")
    watched = shop.promotions()[0]
    claims.check(
        (watched["state"], watched["watched"]) == ("provisional", 1),
        f"after a session that is well it is {watched['state']}, {watched['watched']} of 2 sessions watched",
    )
    replace(shop, environment=SLOW_DISK).record("tests/test_queue.py", is_shown=True)
    state = shop.promotions()[0]["state"]
    claims.check(
        state == "reverted" and not shop.overrides(),
        f"after the session on a slow disk it is {state}, and the override file is empty",
    )
    say(
        "7. Learn. The failure is a scenario now, which the same change has to pass first. The disk is well again,\n"
        "   and the same candidate is tried once more: it is refused."
    )
    shop.record("--causal-shadow", "tests/test_queue.py")
    shop.show("lessons")
    shop.show("promote", CANDIDATE, expected=LOCKED)
    again = shop.promotions()[-1]
    claims.check(
        again["name"] == CANDIDATE and again["state"] == "locked" and not shop.overrides(),
        f"the same candidate is {again['state']}: a scenario that was learned gates it now",
    )
    say("8. Audit. Every step, who took it and why; each decision can be made again from what is written.")
    shop.show("audit")
    shop.show("audit", "--verify")
    told = [row["state_after"] for row in shop.audit()]
    claims.check(
        told == ["proposed", "eligible", "provisional", "reverted", "locked"],
        f"the audit tells: {', '.join(told)}; its chain is whole and each decision comes out the same",
    )


CHAPTERS: tuple[Callable[[Shop, Claims], None], ...] = (gather, harm, earn, degrade)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code: 0 if all it claims is so, 1 if not."""
    parser = argparse.ArgumentParser(
        description="Record a small real system's suite, and promote and take back a change of its policy."
    )
    parser.add_argument(
        "--keep",
        metavar="FOLDER",
        type=Path,
        help="run in this new folder and keep it, to look at afterwards",
    )
    kept: Path | None = parser.parse_args(arguments).keep
    if kept is not None and kept.exists():
        parser.error(f"{kept} exists; the demo begins in a new folder")
    started = time.monotonic()
    claims = Claims()
    with tempfile.TemporaryDirectory(prefix="causal-demo-") as folder:
        shop = Shop(suite=((kept or Path(folder)) / SUITE.name).absolute())
        copytree(SUITE, shop.suite, ignore=ignore_patterns("__pycache__", ".causal", ".pytest_cache"))
        try:
            for chapter in CHAPTERS:
                chapter(shop, claims)
        except DemoError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    say(f"What this has shown, checked ({time.monotonic() - started:.0f} s):")
    print("\n".join(claims.lines))
    return 1 if claims.broken else 0


def say(text: str) -> None:
    """Print a paragraph of the story."""
    print(f"\n{text}\n", flush=True)


def size(scenario: dict[str, Any]) -> int:
    """Return how many runs of a scenario are kept, those that say nothing included."""
    return int(scenario["runs"] + scenario["skipped"])


def summary_of(said: str) -> str:
    """Return pytest's output from the plugin's section on."""
    start = re.search(r"^=+ causal =+$", said, flags=re.MULTILINE)
    return said[start.start() :] if start else said


if __name__ == "__main__":
    sys.exit(main())
