"""A disk that fails to read or write, once or for good, at every call that a recording makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "children" / "eio.c"


@pytest.fixture(scope="module")
def failing_disk(tmp_path_factory):
    """A library that, preloaded, makes the n-th call on a store fail."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here, so no failing disk can be made")
    library = tmp_path_factory.mktemp("eio") / "eio.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("is_persistent", [False, True])
def test_s2_a_failing_disk_is_told_and_costs_only_what_was_not_committed(
    store_path, child, failing_disk, is_persistent
):
    store_path.parent.mkdir()
    env = {**os.environ, "LD_PRELOAD": str(failing_disk)}
    process = child("io_error.py", store_path, int(is_persistent), env=env)
    told, complaint = process.communicate(timeout=120)
    assert complaint == ""
    found = json.loads(told)
    assert len(found["said"]) > 80, "faults were injected"
    assert found["wrong"] == []
    # SQLite itself takes a failed read for damage; a call whose failure costs nothing may pass unnoticed.
    unexpected = [said for said in found["said"] if said and not said.startswith(("error: ", "corrupt: "))]
    assert unexpected == []
    assert sum(said.startswith("error: ") for said in found["said"]) > len(found["said"]) / 2
