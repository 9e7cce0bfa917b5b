"""A project with a promotion, and a program that does what its words say: the ground of real trials."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from pytest_causal.actions.trial_arms import Ground
from pytest_causal.model.run import Run
from pytest_causal.model.trial import Kind, TrialPlan
from pytest_causal.policy.layers import resolve_policy
from pytest_causal.policy.promotion_rules import find_rule, proposed_change
from pytest_causal.settings.sources import resolve_settings
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store

CONFIG = """
[policy.pool]
size = 2
[policy.other]
rows = 10

[[promotion]]
name = "bigger"
scenarios = ["load"]
changes = { "pool.size" = 4 }

[[promotion]]
name = "same"
scenarios = ["load"]
changes = { "pool.size" = 2 }

[[promotion]]
name = "limited"
scenarios = ["load"]
changes = { "pool.size" = 4 }
metrics = { ms = { max = 1000 } }
revert_when = { failure_rate = { max = 0.5 } }
"""

PROGRAM = """
import json, os, signal, sys, time
policy = json.load(open(os.environ["CAUSAL_POLICY_FILE"]))
size = policy["pool"]["size"]
result = os.environ["CAUSAL_RESULT_FILE"]
is_candidate = size == 4
def answer(ms=100.0, **used):
    used = used or {"pool.size": size}
    json.dump({"metrics": {"ms": ms}, "policy": used}, open(result, "w"))
word = sys.argv[1]
if word == "honest": answer()
elif word == "faster": answer(100.0 / size)
elif word == "slower": answer(100.0 * size)
elif word == "fails": answer(); sys.exit(3 if is_candidate else 0)
elif word == "silent": pass
elif word == "no-policy": json.dump({"metrics": {"ms": 1.0}}, open(result, "w"))
elif word == "other-values": answer(**{"pool.size": 2})
elif word == "unread": answer(**{"other.rows": 10})
elif word == "broken": open(result, "w").write('{"metrics": {"ms": NaN}}')
elif word == "crashes": os.kill(os.getpid(), signal.SIGSEGV if is_candidate else 0)
elif word == "hangs":
    open("pids", "a").write(f"{os.getpid()} ")
    time.sleep(600 if is_candidate else 0); answer()
elif word == "all-fail": sys.exit(1)
"""


def make_project(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    (root / "causal.toml").write_text(CONFIG)
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "program.py").write_text(PROGRAM)
    return root


def ground_of(root: Path, **env: str) -> Ground:
    settings = resolve_settings(flags={}, env=env, root=root)
    policy = resolve_policy(settings, cli=(), env=env, root=root)
    return Ground(settings, policy, root, {**os.environ, **env})


def plan_of(ground: Ground, word: str, name: str = "bigger", **fields: Any) -> TrialPlan:
    """Return a plan to run the program with a word; a harm of a half is the smallest that matters."""
    rule = find_rule(ground.settings, name)
    given: dict[str, Any] = {
        "rule": rule,
        "change": proposed_change(rule, ground.settings, ground.policy),
        "kind": Kind.COMMAND,
        "words": (sys.executable, "-S", str(ground.directory / "program.py"), word),
        "rounds": 5,
        "timeout_seconds": 30.0,
        "seed": 1,
        "min_effect": 0.5,
        "alpha": 0.05,
    }
    return TrialPlan(**(given | fields))


def recorded(ground: Ground) -> list[Run]:
    """Return all runs of the history, oldest first."""
    with closing(open_store(ground.settings.store)) as store:
        return [record.run for record in store.history(HistoryQuery())][::-1]
