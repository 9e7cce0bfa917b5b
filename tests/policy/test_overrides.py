from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ConfigError, ExitCode
from pytest_causal.policy.overrides import (
    Entry,
    Overrides,
    StaleRevisionError,
    read_overrides,
    write_overrides,
)
from pytest_causal.policy.schema_check import schema, violations

ENTRY = Entry(by="promotion P-7", at="2026-11-02T10:00:00Z", revision=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".causal" / "runtime_overrides.json"


def write(read: Overrides, leaves: dict[str, Any]) -> Overrides:
    return write_overrides(
        read, leaves, {leaf: ENTRY._replace(revision=read.revision + 1) for leaf in leaves}
    )


def test_no_file_means_no_overrides_and_revision_zero(path: Path) -> None:
    read = read_overrides(path)
    assert (read.revision, dict(read.leaves), read.is_edited) == (0, {}, False)
    assert not path.parent.exists()


def test_what_is_written_is_read_back_with_its_lines(path: Path) -> None:
    leaves = {"limits.max_rows": 5, "limits.ratio": 0.1, "names": ("a", "b")}
    written = write(read_overrides(path), leaves)
    assert written == read_overrides(path)
    assert (written.revision, written.is_edited) == (1, False)
    assert dict(written.leaves) == leaves
    assert written.entries["names"] == ENTRY
    lines = path.read_text().split("\n")
    assert '"max_rows": 5' in lines[written.line("limits.max_rows") - 1]
    second = write(written, {"limits.max_rows": 6})
    assert (second.revision, dict(second.leaves)) == (2, {"limits.max_rows": 6})


def test_what_is_written_is_what_the_schema_says(path: Path) -> None:
    write(read_overrides(path), {"a.b": 1.5, "c": (True, "x")})
    assert list(violations(json.loads(path.read_text()), schema("overrides"))) == []


def test_values_keep_their_types_and_the_fingerprint_does_not_depend_on_them(path: Path) -> None:
    one = write(read_overrides(path), {"a": 1})
    two = write(one, {"a": 1.0})
    assert repr(two.leaves["a"]) == "1.0"
    assert one.fingerprint == two.fingerprint


def test_f8_of_two_writers_one_wins_and_the_other_is_told(path: Path) -> None:
    first = read_overrides(path)
    second = read_overrides(path)
    write(first, {"a": 1})
    with pytest.raises(StaleRevisionError, match="at revision 1, not 0; read it again") as caught:
        write(second, {"a": 2})
    assert caught.value.exit_code is ExitCode.BUSY
    assert read_overrides(path).leaves == {"a": 1}


def test_f8_many_writers_make_one_revision_each(path: Path) -> None:
    refused = []

    def add(number: int) -> None:
        while True:
            read = read_overrides(path)
            try:
                write(read, {**read.leaves, f"k{number}": number})
            except StaleRevisionError:
                refused.append(number)
            else:
                return

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read = read_overrides(path)
    assert read.revision == 12
    assert dict(read.leaves) == {f"k{number}": number for number in range(12)}


def test_an_edit_by_hand_is_seen_and_not_built_upon(path: Path) -> None:
    written = write(read_overrides(path), {"a": 1})
    path.write_text(path.read_text().replace('"a": 1', '"a": 2'))
    edited = read_overrides(path)
    assert edited.is_edited
    assert edited.leaves == {"a": 2}
    for read in (written, edited):
        with pytest.raises(StaleRevisionError, match="edited by hand since revision 1"):
            write(read, {"a": 3})
    assert read_overrides(path).leaves == {"a": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1 is not valid JSON"),
        (b"{}", ":1: the document: found no 'schema'"),
        (b'{"min_interval_ms": 75}', "found no 'schema'"),
        (b'{"schema": "causal.overrides/1", "revision": 0, "fingerprint": "0123456789abcdef", "values": {}}',
         "revision: found 0; expected at least 1"),
        (b'{"schema": "causal.overrides/1", "revision": 1, "fingerprint": "x", "values": {}}', "fingerprint"),
        (b'{"schema": "causal.overrides/1", "revision": 1,\n"values": {"a": null}}', "found"),
        (b"\x00" * 300, "NUL byte"),
    ],
)  # fmt: skip
def test_f2_a_damaged_file_is_an_error_and_never_no_overrides(
    content: bytes, message: str, path: Path
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_overrides(path)


KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path
from pytest_causal.policy.overrides import Entry, read_overrides, write_overrides

path, chance = Path(sys.argv[1]), random.Random(9)

def write_for_ever(acknowledge):
    while True:
        read = read_overrides(path)
        number = read.revision + 1
        leaves = {f"t.k{i}": number for i in range(50)}
        entry = Entry(by="x" * 200, at="2026-11-02T10:00:00Z", revision=number)
        write_overrides(read, leaves, dict.fromkeys(leaves, entry))
        os.write(acknowledge, b"%d\\n" % number)

for _ in range(200):
    receive, acknowledge = os.pipe()
    if not (child := os.fork()):
        write_for_ever(acknowledge)
    os.close(acknowledge)
    time.sleep(chance.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with open(receive, "rb") as pipe:
        acknowledged = pipe.read().split()
    strays = [name for name in os.listdir(path.parent) if ".tmp-" in name] if path.parent.exists() else []
    read = read_overrides(path)
    print(json.dumps({
        "signal": os.WTERMSIG(status), "acknowledged": int(acknowledged[-1]) if acknowledged else 0,
        "has_stray": bool(strays), "revision": read.revision, "is_edited": read.is_edited,
        "values": sorted(set(read.leaves.values())), "leaves": len(read.leaves),
    }))
"""


@pytest.mark.fault
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_f9_two_hundred_kills_in_a_write_leave_the_old_file_or_the_new(path: Path) -> None:
    killer = subprocess.run(
        [sys.executable, "-c", KILLER, str(path)], capture_output=True, text=True, check=True
    )
    rounds = [json.loads(line) for line in killer.stdout.splitlines()]
    assert [each["signal"] for each in rounds] == [signal.SIGKILL] * 200
    assert any(each["has_stray"] for each in rounds), "no kill hit a write: the test has shown nothing"
    for each in rounds:
        assert not each["is_edited"]
        assert each["revision"] >= each["acknowledged"]
        assert each["values"] == ([each["revision"]] if each["revision"] else [])
        assert each["leaves"] == (50 if each["revision"] else 0)
    assert rounds[-1]["revision"] > 0
