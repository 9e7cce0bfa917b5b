"""Artifacts: compressing large files and small ones, and planning, beside the ordinary tools that do a part of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.environments import clean_environment
from bench.measuring import Pair, Sample, run_process, spread, take_turns
from bench.report import Section

DISTINCT_LOGS = 4
OLD_SECONDS = 10 * 86_400
SPARSE_BYTES = 5_000_000_000

OPEN = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pytest_causal.artifacts.archive import write_archive
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.frame import Workspace, compress_file, write_frame

with Root.open(sys.argv[1]) as root, ThreadPoolExecutor(2) as pool:
    files = root.list()
    space = Workspace()
"""
VERIFIED = f"""{OPEN}
    def compress(file):
        assert compress_file(root, file, level=3, workspace=space)
        root.unlink(file)
    list(pool.map(compress, files))
    root.sync_folder()
"""
BARE = f"""{OPEN}
    def compress(file):
        with root.create_temporary() as temporary:
            made = space.compressor(3, 0)
            write_frame(root, file, temporary, compressor=made, workspace=space)
            root.commit(temporary, file.name + ".zst", mode=0o644, mtime_ns=file.mtime_ns, durable=False)
        root.unlink(file)
    list(pool.map(compress, files))
"""
ARCHIVED = f"""{OPEN}
    assert len(write_archive(root, files, "all.tar.zst", level=3).members) == len(files)
    assert root.unlink_all(files) == []
    root.sync_folder()
"""
PLANNED = """
import os, sys
from pytest_causal import clock
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.survey import survey_root
from pytest_causal.rules.rotation_presets import Preset, preset_policy

with Root.open(sys.argv[1]) as root:
    survey = survey_root(root, preset_policy(Preset.MAIN), now_us=clock.now_us(), incompressible={})
assert len(survey.plan.fates) > int(sys.argv[2])
"""
PEAK = """
import sys
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.frame import compress_file

with Root.open(sys.argv[1]) as root:
    (file,) = root.list()
    assert compress_file(root, file, level=3)
(line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(line.split()[1])
"""
LOGROTATE = """
{place}/*.json* {{
    rotate 1
    compress
    compresscmd {zstd}
    compressoptions -3
    compressext .zst
    nocreate
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    """Where files are laid out anew for each run, and what runs on them."""

    python: Path
    folder: Path
    sources: Sequence[Path]

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def lay_out(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        old = time.time() - OLD_SECONDS
        for source in self.sources:
            shutil.copyfile(source, self.work / source.name)
            os.utime(self.work / source.name, (old, old))
        os.sync()

    def run(self, command: Sequence[str | Path]) -> Sample:
        """Lay the files out, run a command on them, and see that none is left as it was."""
        self.lay_out()
        log = self.folder / "log"
        sample = run_process(
            [str(word) for word in command],
            folder=self.work,
            environment=clean_environment(autoload=False),
            log=log,
        )
        if left := [source.name for source in self.sources if (self.work / source.name).exists()]:
            raise RuntimeError(f"{len(left)} files were left, as {left[0]}: {log.read_text()[-2000:]}")
        return sample

    def sizes(self) -> tuple[int, int]:
        """Return (size, allocated) in bytes of what is there now."""
        found = [path.stat() for path in self.work.rglob("*") if path.is_file()]
        return sum(each.st_size for each in found), sum(each.st_blocks * 512 for each in found)

    def program(self, text: str) -> list[str | Path]:
        return [self.python, "-c", text, self.work]

    def rotate(self) -> list[str | Path]:
        causal = self.python.parent / "causal"
        limits = ["--ttl-days", "1", "--keep-latest", "0", "--max-size-mb", "1000000"]
        return [causal, "rotate", "run", self.work, *limits]

    def zstd(self, *options: str) -> list[str | Path]:
        return ["zstd", "-q", "-3", "--rm", *options, *(source.name for source in self.sources)]

    def logrotate(self) -> list[str | Path]:
        settings = self.folder / "logrotate.conf"
        settings.write_text(LOGROTATE.format(place=self.work, zstd=shutil.which("zstd")))
        return ["logrotate", "--force", "--state", self.folder / "logrotate.state", settings]


def measure_large(python: Path, place: Path, *, files: int, file_bytes: int, rounds: int) -> Section:
    """Measure many large files, one frame each, beside ``zstd -3 --rm -T0``."""
    folder = prepared(place / "large", needed_bytes=files * file_bytes * 3 // 2)
    logs = [folder / f"log{number}" for number in range(DISTINCT_LOGS)]
    for number, log in enumerate(logs):
        write_log(log, file_bytes, seed=number)
    sources = [folder / f"events_{number}.jsonl" for number in range(files)]
    for number, source in enumerate(sources):
        os.link(logs[number % len(logs)], source)
    bed = Bed(python=python, folder=folder, sources=sources)
    contenders = {
        "causal rotate, the whole command": bed.rotate(),
        "files to frames, verified and synced": bed.program(VERIFIED),
        "files to frames, neither": bed.program(BARE),
    }
    if shutil.which("logrotate"):
        contenders["logrotate"] = bed.logrotate()
    rows = compare(bed, bed.zstd("-T0"), contenders, rounds=rounds)
    shutil.rmtree(folder)
    return Section(
        title=f"Artifacts: {files} files of {file_bytes / 1e6:.0f} MB, compressed and removed",
        text=(
            f"Beside `zstd -3 --rm -T0`, which neither verifies nor syncs; files in the page cache, {rounds} rounds. "
            "Aims: wall at most 1.2 verified and synced, 0.8 without."
        ),
        columns=COLUMNS,
        rows=rows,
    )


def measure_small(python: Path, place: Path, *, files: int, rounds: int) -> Section:
    """Measure many small files, together in one archive, beside one process of ``zstd -3 --rm``."""
    folder = prepared(place / "small", needed_bytes=files * 4096 * 4)
    sources = [folder / f"ITER_SUMMARY_{number}.json" for number in range(files)]
    for number, source in enumerate(sources):
        source.write_text(summary(number))
    bed = Bed(python=python, folder=folder, sources=sources)
    contenders = {
        "causal rotate, the whole command": bed.rotate(),
        "files to archive, verified and synced": bed.program(ARCHIVED),
    }
    rows = compare(bed, bed.zstd(), contenders, rounds=rounds)
    shutil.rmtree(folder)
    return Section(
        title=f"Artifacts: {files:,} JSON files of 3 KB, compressed and removed",
        text=(
            "Beside one process of `zstd -3 --rm` over all of them, which neither verifies nor syncs; "
            "logrotate, which starts a process for each file, is left out: it takes minutes. "
            f"{rounds} rounds. Aims: wall at most 0.35, a ratio of at least 5, at least 7 times less on the disk."
        ),
        columns=COLUMNS,
        rows=rows,
    )


def measure_planning(python: Path, place: Path, *, files: int, rounds: int) -> Section:
    """Measure listing and planning beside ``find -printf``, and the memory that one huge file takes."""
    folder = prepared(place / "planning", needed_bytes=files * 1024)
    for number in range(files):
        path = folder / "tree" / f"run{number // 1000}" / f"ITER_SUMMARY_{number % 1000}.json"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            file.truncate(3000)
        then = time.time() - (number // 1000 % 14) * 86_400 - 3600
        os.utime(path, (then, then))
    run = partial(
        run_process, folder=folder, environment=clean_environment(autoload=False), log=folder / "log"
    )

    def plan() -> Sample:
        sample = run([str(python), "-c", PLANNED, str(folder / "tree"), str(files - 1)])
        if output := (folder / "log").read_text():
            raise RuntimeError(output)
        return sample

    find = ["find", str(folder / "tree"), "-printf", "%p %s %b %T@ %m %i %D %n %U %y\\n"]
    pairs = take_turns(partial(run, find), {"listing and planning": plan}, rounds=rounds)
    (folder / "sparse").mkdir()
    with (folder / "sparse" / "file").open("wb") as file:
        file.truncate(SPARSE_BYTES)
    run([str(python), "-c", PEAK, str(folder / "sparse")])
    peak_bytes = int((folder / "log").read_text()) * 1024
    shutil.rmtree(folder)
    return Section(
        title=f"Artifacts: {files:,} files listed and planned",
        text=(
            "Files of up to two weeks ago, half of them to be archived. The whole process beside `find -printf` of the "
            f"same fields; {rounds} rounds. Aim: at most 2.5. "
            f"Compressing a file of {SPARSE_BYTES / 1e9:.0f} GB with verification held {peak_bytes / 2**20:.0f} MiB."
        ),
        columns=("", "wall to `find -printf`", "CPU to `find -printf`"),
        rows=[(name, *ratios(each)) for name, each in pairs.items()],
    )


COLUMNS = ("", "wall to `zstd`", "CPU to `zstd`", "ratio of sizes", "ratio on the disk")


def compare(
    bed: Bed, baseline: Sequence[str | Path], commands: Mapping[str, Sequence[str | Path]], *, rounds: int
) -> list[Sequence[str]]:
    """Measure commands beside a baseline and return a row for each, with what they left of the files."""
    bed.lay_out()
    before = bed.sizes()
    left: dict[str, tuple[int, int]] = {}

    def runner(name: str, command: Sequence[str | Path]) -> Callable[[], Sample]:
        def run() -> Sample:
            sample = bed.run(command)
            left[name] = bed.sizes()
            return sample

        return run

    pairs = take_turns(
        runner("zstd", baseline), {name: runner(name, each) for name, each in commands.items()}, rounds=rounds
    )
    shown = {"zstd": ("1", "1"), **{name: ratios(each) for name, each in pairs.items()}}
    return [
        (name, *shown[name], *(f"{old / new:.2f}" for old, new in zip(before, left[name], strict=True)))
        for name in shown
    ]


def ratios(pairs: Sequence[Pair]) -> tuple[str, str]:
    return spread([pair.wall_ratio for pair in pairs], ".2f"), spread(
        [pair.cpu_ratio for pair in pairs], ".2f"
    )


def prepared(folder: Path, *, needed_bytes: int) -> Path:
    """Return an empty folder on a file system with room for what is to come."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if (free_bytes := shutil.disk_usage(folder).free) < 2 * needed_bytes:
        raise RuntimeError(f"{folder} has {free_bytes} bytes free, and twice {needed_bytes} are needed")
    return folder


def write_log(path: Path, size_bytes: int, *, seed: int) -> None:
    """Write events as a soak does, a line each; no two lines are alike."""
    rng = random.Random(seed)
    kinds = ("order_placed", "order_filled", "order_cancelled", "quote", "tick")
    with path.open("w", encoding="ascii") as file:
        begin = 0
        while file.tell() < size_bytes:
            lines = []
            for number in range(begin, begin + 1000):
                event = {
                    "at_us": 1_763_683_200_000_000 + 17_000 * number + rng.randrange(17_000),
                    "event": rng.choice(kinds),
                    "id": f"{rng.getrandbits(48):012x}",
                    "iteration": number // 5000,
                    "latency_ms": round(rng.gauss(120, 30), 3),
                    "ok": rng.random() < 0.99,
                    "price": round(rng.gauss(40_000, 20), 2),
                }
                lines.append(json.dumps(event) + "\n")
            file.write("".join(lines))
            begin += 1000
        file.truncate(size_bytes)


def summary(number: int) -> str:
    """Return the summary of an iteration: some 3 KB, much like the others, with numbers of its own."""
    rng = random.Random(number)
    metrics = ("net_bps", "risk_ratio", "latency_ms", "maker_share", "cancel_ratio")
    groups = ("risk", "engine", "quote", "latency")
    keys = ("impact_cap_ratio", "min_interval_ms", "spread_add_bps", "max_delta_ratio", "tail_age_ms")
    guards = (
        "kill_switch",
        "panic",
        "freeze",
        "bounds",
        "cooldown",
        "rate",
        "velocity",
        "oscillation",
        "window",
    )
    document = {
        "schema": "causal.iteration/1",
        "iteration": number,
        "run_id": rng.randbytes(8).hex(),
        "started_at_us": 1_763_683_200_000_000 + rng.randrange(10**12),
        "metrics": {
            metric: {
                "mean": rng.gauss(10, 3),
                "p50": rng.gauss(10, 3),
                "p95": rng.gauss(30, 4),
                "count": rng.randrange(999),
            }
            for metric in metrics
        },
        "parameters": {f"{group}.{key}": round(rng.random(), 6) for group in groups for key in keys},
        "guards": [
            {"guard": guard, "passed": rng.random() < 0.95, "could_pass_at": None} for guard in guards
        ],
    }
    return json.dumps(document, indent=1)
