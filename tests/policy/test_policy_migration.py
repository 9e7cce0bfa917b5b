from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import DataError, StoreError
from pytest_causal.policy import migration as migrating
from pytest_causal.policy.atomic_file import replace_file
from pytest_causal.policy.migration import Migration, carry_out, prepare, resume
from pytest_causal.policy.overrides import read_overrides
from pytest_causal.policy.profiles import load_profile
from pytest_causal.settings.sources import resolve_settings

SAFE = {
    "base_spread_bps_delta": 0.16,
    "impact_cap_ratio": 0.08,
    "max_delta_ratio": 0.12,
    "min_interval_ms": 75,
    "replace_rate_per_min": 260,
    "tail_age_ms": 740,
}
S1 = {
    "base_spread_bps_delta": 0.35,
    "impact_cap_ratio": 0.1,
    "max_delta_ratio": 0.15,
    "min_interval_ms": 60,
    "replace_rate_per_min": 300,
    "tail_age_ms": 700,
}
# The shapes of the files that the first predecessor left behind.
OLD_FILES: dict[str, Any] = {
    "profiles/steady_safe.json": {**SAFE, "min_interval_ms": 70, "risk_limit": 0.4, "description": "of old"},
    "steady_safe_overrides.json": SAFE,
    "ultra_safe_overrides.json": {"replace_rate_per_min": 220},
    "steady_overrides.json": {**SAFE, "min_interval_ms": 70},
    "applied_profile.json": {
        "applied": {**S1, "min_interval_ms": 80, "replace_rate_per_min": 270},
        "base": S1,
        "overrides_runtime": {"min_interval_ms": 80, "replace_rate_per_min": 270},
        "profile": "S1",
        "runtime_adjustments": [
            {"field": "min_interval_ms", "from": 60, "to": 80, "reason": "cancel_ratio>0.55"}
        ],
        "runtime_overrides_applied": True,
    },
    "runtime_overrides.json": {"quoting": {"min_interval_ms": 70}, "engine": {"tail_age_ms": 650}},
}
NOW = "2026-11-02T10:00:00Z"


class Old:
    """A project with old files."""

    def __init__(self, root: Path, files: dict[str, Any]) -> None:
        self.root = root
        self.directory = root / "artifacts" / "soak"
        for name, data in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(data, indent=2))

    def prepare(self) -> Migration:
        return prepare(resolve_settings(flags={}, env={}, root=self.root), self.directory)

    def migrate(self) -> None:
        resume(self.root)
        migration = self.prepare()
        if not migration.is_empty:
            carry_out(migration, root=self.root, directory=self.directory, now=NOW, report="report\n")


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path, OLD_FILES)


def tree(root: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if not name.endswith(".lock")}


def test_preparing_writes_nothing(old: Old) -> None:
    before = tree(old.root)
    assert not old.prepare().is_empty
    assert tree(old.root) == before


def test_old_files_become_profiles_and_overrides_and_are_kept(old: Old) -> None:
    before = tree(old.directory)
    backup = old.prepare().backup
    old.migrate()
    profiles = {
        name: load_profile(name, (old.root / "profiles",))
        for name in ("steady_safe", "ultra_safe", "steady", "S1")
    }
    assert profiles["steady_safe"].leaves["quoting.min_interval_ms"] == 75
    assert profiles["steady_safe"].leaves["risk_limit"] == 0.4
    assert profiles["steady_safe"].description == "of old"
    assert set(profiles["steady_safe"].kpi) == {"smoke", "production"}
    assert profiles["ultra_safe"].leaves["quoting.replace_rate_per_min"] == 220
    assert profiles["ultra_safe"].leaves["quoting.min_interval_ms"] == 80
    assert len(profiles["ultra_safe"].leaves) == 6
    assert profiles["S1"].leaves["quoting.base_spread_bps_delta"] == 0.35
    overrides = read_overrides(old.root / ".causal" / "runtime_overrides.json")
    assert overrides.leaves == {
        "quoting.min_interval_ms": 70,
        "quoting.replace_rate_per_min": 270,
        "engine.tail_age_ms": 650,
    }
    assert overrides.entries["engine.tail_age_ms"].by == "migration"
    assert tree(old.directory) == {f"{name}.migrated": content for name, content in before.items()}
    assert {name: content for name, content in tree(backup).items() if name != "report.json"} == before
    assert (backup / "report.json").read_text() == "report\n"


def test_f10_a_second_migration_has_nothing_to_do(old: Old) -> None:
    old.migrate()
    after = tree(old.root)
    old.migrate()
    assert tree(old.root) == after


def test_f10_files_that_come_back_with_the_same_values_change_nothing_but_are_moved(old: Old) -> None:
    old.migrate()
    after = tree(old.root / "profiles")
    again = Old(old.root, {"steady_safe_overrides.json": SAFE})
    again.migrate()
    assert tree(old.root / "profiles") == after
    assert len(list(again.directory.glob("steady_safe_overrides.json.migrated*"))) == 2
    assert not (again.directory / "steady_safe_overrides.json").exists()


def test_f10_files_that_come_back_with_other_values_are_refused(old: Old) -> None:
    old.migrate()
    again = Old(old.root, {"steady_safe_overrides.json": {"min_interval_ms": 60}})
    before = tree(old.root)
    with pytest.raises(DataError, match="your profile steady_safe has 75"):
        again.migrate()
    assert tree(old.root) == before


def test_a_problem_in_one_file_leaves_all_as_it_was(tmp_path: Path) -> None:
    old = Old(
        tmp_path, {**OLD_FILES, "steady_overrides.json": {"tail_age_ms": 1, "engine": {"tail_age_ms": 2}}}
    )
    before = tree(old.root)
    with pytest.raises(DataError, match=r"nothing was migrated: .*one value"):
        old.migrate()
    assert tree(old.root) == before


def test_f4_a_profile_name_from_an_old_file_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    old = Old(tmp_path, {"applied_profile.json": {"base": S1, "profile": "../../evil"}})
    with pytest.raises(DataError, match="is no profile name"):
        old.migrate()
    assert not (tmp_path.parent / "evil.json").exists()


def test_what_is_read_back_wrongly_is_noticed_before_anything_is_moved(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired = []

    def damage(path: Path, content: bytes) -> None:
        if path.name == "ultra_safe.json":
            fired.append(path)
            content = content.replace(b"220", b"221")
        replace_file(path, content)

    monkeypatch.setattr(migrating, "replace_file", damage)
    before = tree(old.directory)
    with pytest.raises(
        DataError, match=r"ultra_safe\.json read back is not what was written; nothing was moved"
    ):
        old.migrate()
    assert fired
    assert tree(old.directory) == before


def test_a_file_that_changes_while_it_is_migrated_is_noticed(old: Old) -> None:
    migration = old.prepare()
    (old.directory / "runtime_overrides.json").write_text('{"min_interval_ms": 50}')
    with pytest.raises(DataError, match=r"runtime_overrides\.json was changed while it was being migrated"):
        carry_out(migration, root=old.root, directory=old.directory, now=NOW, report="")
    assert (old.directory / "steady_safe_overrides.json").exists()


def test_a_disk_that_refuses_leaves_the_old_files(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    before = tree(old.directory)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match="No space left on device"):
        old.migrate()
    monkeypatch.undo()
    assert tree(old.directory) == before
    old.migrate()
    assert not (old.directory / "runtime_overrides.json").exists()


MIGRATE = """
import os, signal, sys
from pathlib import Path
from pytest_causal.policy.migration import carry_out, prepare, resume
from pytest_causal.settings.sources import resolve_settings

root, point = Path(sys.argv[1]), int(sys.argv[2])
directory = root / "artifacts" / "soak"
count = 0

def dying(real):
    def call(*arguments, **options):
        global count
        count += 1
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **options)
        count += 1
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

os.replace = dying(os.replace)
Path.unlink = dying(Path.unlink)
Path.mkdir = dying(Path.mkdir)
resume(root)
migration = prepare(resolve_settings(flags={}, env={}, root=root), directory)
carry_out(migration, root=root, directory=directory, now="2026-11-02T10:00:00Z", report="report\\n")
print(count)
"""


def run(root: Path, point: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MIGRATE, str(root), str(point)], capture_output=True, text=True
    )


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_f10_killed_at_any_point_it_is_finished_by_the_next_run(tmp_path: Path) -> None:
    whole = Old(tmp_path / "whole", OLD_FILES)
    done = run(whole.root, 0)
    assert done.returncode == 0, done.stderr
    points = int(done.stdout)
    assert points > 30
    expected = tree(whole.root)
    old_contents = set(tree(Old(tmp_path / "untouched", OLD_FILES).directory).values())
    for point in range(1, points + 1):
        killed = Old(tmp_path / str(point), OLD_FILES)
        assert run(killed.root, point).returncode == -signal.SIGKILL
        assert old_contents <= set(tree(killed.directory).values()), f"an old file is lost at point {point}"
        killed.migrate()
        assert tree(killed.root) == expected, f"not finished after point {point}"
