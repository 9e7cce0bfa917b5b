"""Each kind of workload is opened with its own options, in a folder that holds nothing of before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.soak.workload_command import CommandWorkload
from tools.soak.workload_http import HttpWorkload
from tools.soak.workload_mock import MockWorkload
from tools.soak.workload_pytest import PytestWorkload
from tools.soak.workloads import KINDS, empty_folder, open_workload

OPTIONS: dict[str, tuple[dict[str, Any], type]] = {
    "mock": ({"mode": "calm", "seed": 1}, MockWorkload),
    "command": ({"command": ["true"]}, CommandWorkload),
    "pytest": ({"arguments": ["-q"]}, PytestWorkload),
    "http": ({"url": "http://127.0.0.1/", "rate": 1.0, "window": 1.0, "policy_url": ""}, HttpWorkload),
}


def test_every_kind_that_can_be_asked_for_can_be_opened() -> None:
    assert {kind: type(open_workload(kind, OPTIONS[kind][0])) for kind in KINDS} == {
        kind: made for kind, (_, made) in OPTIONS.items()
    }


def test_an_unknown_kind_is_a_bug() -> None:
    with pytest.raises(ValueError, match="'soap'"):
        open_workload("soap", {})


def test_k13_the_folder_of_an_attempt_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "result.json").write_text("of before", "utf-8")
    with empty_folder(folder):
        assert list(folder.iterdir()) == []
        (folder / "result.json").write_text("of now", "utf-8")
    assert not folder.exists()


def test_the_folder_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), empty_folder(tmp_path / "attempt"):
        raise RuntimeError
    assert not (tmp_path / "attempt").exists()
