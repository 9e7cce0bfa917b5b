"""The policy: importing what resolves it and resolving 30 values, beside libraries that do a part of the same."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from bench.environments import clean_environment
from bench.measuring import Sample, run_process, spread, take_turns
from bench.report import Section

TABLES, KEYS = 5, 6
NAME = "benchmark"
VALUES = {f"table{t}": {f"key{k}": 10 * t + k for k in range(KEYS)} for t in range(TABLES)}
OVERRIDES = {
    "table0": {"key0": 901},
    "table1": {"key1": 902},
    "table2": {"key2": 903},
    "table3": {"key3": 904},
}

CAUSAL = f"""
import os
from pathlib import Path
from pytest_causal.policy.layers import resolve_policy
from pytest_causal.settings.sources import resolve_settings

settings = resolve_settings(flags={{"profile": {NAME!r}}}, env=os.environ, root=Path.cwd())
policy = resolve_policy(settings, cli=(), env=os.environ, root=Path.cwd())
values = policy.values
assert all(source.name for source in policy.sources.values())
"""
DYNACONF = f"""
from dynaconf import Dynaconf, Validator

names = ["table%d.key%d" % (t, k) for t in range({TABLES}) for k in range({KEYS})]
validators = [Validator(name, is_type_of=int, gte=0, lte=1000) for name in names]
settings = Dynaconf(settings_files=["values.json"], envvar_prefix="PEER", validators=validators)
values = {{t: dict(settings[t]) for t in ("table%d" % t for t in range({TABLES}))}}
"""
PYDANTIC = f"""
from pydantic import BaseModel, Field, create_model
from pydantic_settings import BaseSettings, JsonConfigSettingsSource, SettingsConfigDict

key = (int, Field(ge=0, le=1000))
table = create_model("Table", **{{"key%d" % k: key for k in range({KEYS})}})

class Base(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PEER_", env_nested_delimiter="__", json_file="values.json")

    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, env_settings, **others):
        return env_settings, JsonConfigSettingsSource(settings_cls)

Settings = create_model("Settings", __base__=Base, **{{"table%d" % t: (table, ...) for t in range({TABLES})}})
values = Settings().model_dump()
"""
CHECK = """
assert [values["table%d" % t]["key%d" % t] for t in range(4)] == [901, 902, 903, 904], values
assert sum(len(table) for table in values.values()) == 30
"""
BARE = "import pathlib, json, os"
PROGRAMS = {"pytest-causal": CAUSAL, "dynaconf": DYNACONF, "pydantic-settings": PYDANTIC}

READS = 200_000
LEAF_READ = f"""
import time
from pytest_causal.policy.mapping import PolicyMapping

table = PolicyMapping.of({{"table.key%d" % k: k for k in range(30)}})["table"]
best = float("inf")
for _ in range(7):
    turns = range({READS})
    began = time.perf_counter()
    for _ in turns:
        pass
    empty = time.perf_counter() - began
    began = time.perf_counter()
    for _ in turns:
        table["key7"]
    best = min(best, time.perf_counter() - began - empty)
print(best / {READS})
"""


def measure_policy(python: Path, place: Path, *, rounds: int) -> Section:
    """Measure whole processes against a bare interpreter, and a read of one value."""
    folder = place / "policy"
    (folder / "profiles").mkdir(parents=True, exist_ok=True)
    (folder / "values.json").write_text(json.dumps(VALUES))
    bounds = {f"{table}.{key}": {"min": 0, "max": 1000} for table, keys in VALUES.items() for key in keys}
    profile = {"schema": "causal.profile/1", "name": NAME, "values": VALUES, "bounds": bounds}
    (folder / "profiles" / f"{NAME}.json").write_text(json.dumps(profile, indent=2))
    run = partial(_run, python, folder)
    pairs = take_turns(
        partial(run, BARE),
        {name: partial(run, text + CHECK) for name, text in PROGRAMS.items()},
        rounds=rounds,
    )
    extra_ms = {name: [1e3 * pair.extra_cpu_seconds for pair in each] for name, each in pairs.items()}
    shares = {
        name: [ours / theirs for ours, theirs in zip(extra_ms["pytest-causal"], peers, strict=True)]
        for name, peers in extra_ms.items()
    }
    read_ns = 1e9 * _leaf_read_seconds(python, folder)
    return Section(
        title=f"Policy: import and resolve {TABLES * KEYS} values, four of them from the environment",
        text=(
            f"Whole processes less a bare interpreter, bounds checked by all three; {rounds} rounds. Aims: at most "
            f"0.5 of dynaconf, 0.25 of pydantic-settings. A read through `causal_policy`: {read_ns:.0f} ns; aim: 1 us."
        ),
        columns=("library", "CPU, ms more", "CPU of pytest-causal beside it"),
        rows=[(name, spread(extra_ms[name], ".1f"), spread(shares[name], ".2f")) for name in PROGRAMS],
    )


def _run(python: Path, folder: Path, program: str) -> Sample:
    environment = clean_environment(autoload=False)
    for table, keys in OVERRIDES.items():
        for key, value in keys.items():
            environment[f"CAUSAL_POLICY__{table}__{key}"] = str(value)
            environment[f"PEER_{table.upper()}__{key.upper()}"] = str(value)
    log = folder / "log"
    sample = run_process([str(python), "-c", program], folder=folder, environment=environment, log=log)
    if output := log.read_text():
        raise RuntimeError(output)
    return sample


def _leaf_read_seconds(python: Path, folder: Path) -> float:
    log = folder / "log"
    run_process(
        [str(python), "-c", LEAF_READ], folder=folder, environment=clean_environment(autoload=False), log=log
    )
    return float(log.read_text())
