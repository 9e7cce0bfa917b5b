"""A disk that fills up: the first error is told, what was committed stays, and all goes on once there is space."""

from __future__ import annotations

import json

import pytest


@pytest.mark.slow
@pytest.mark.fault
def test_s1_s3_a_full_disk_costs_only_what_was_not_committed(tmp_path, child, own_mounts):
    folder = tmp_path / "small"
    folder.mkdir()
    process = child("full_disk.py", folder, 20261121, prefix=own_mounts)
    said, complaint = process.communicate(timeout=120)
    assert complaint == ""
    found = json.loads(said)
    assert (found["problems"], found["wrong counts"]) == ([], [])
    assert len(found["passes"]) == 10
    assert min(found["passes"]) < max(found["passes"])
    assert len(found["steps"]) > 50
    assert set(found["steps"][:-1]) == {1}, "each time it failed once, and not again when there was space"
    path = folder / "history.db"
    assert {complaint for complaint in found["complaints"] if "disk" not in complaint} == set()
    assert all(complaint.startswith(f"the history store {path} ") for complaint in found["complaints"])
