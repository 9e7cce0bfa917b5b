from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.model.artifact import KeepRules, RotationPolicy
from pytest_causal.rules.rotation_presets import SOAK_CLASSES
from pytest_causal.settings.artifact_table import LIMIT_ROWS, ROWS, RULES, ArtifactSettings, artifact_settings
from pytest_causal.settings.sources import resolve_settings
from pytest_causal.settings.table import Kind


def resolved(root: Path, toml: str = "", **flags: str) -> ArtifactSettings:
    (root / "causal.toml").write_text(toml)
    return artifact_settings(resolve_settings(flags={}, env={}, root=root), flags)


def rules_of(found: ArtifactSettings, name: str) -> KeepRules:
    return next(each.rules for each in found.policy.classes if each.name == name)


def test_by_default_it_is_the_main_preset_over_the_classes_of_the_soak_toolkit(tmp_path: Path) -> None:
    found = resolved(tmp_path)
    assert found.roots == (tmp_path / "artifacts/soak",)
    assert not found.after_session
    assert found.quarantine_days is None
    assert found.policy == RotationPolicy(classes=SOAK_CLASSES)


@pytest.mark.parametrize(
    ("preset", "latest", "days", "megabytes"),
    [
        ("development", 50, 3, 500),
        ("pull_request", 20, 1, 200),
        ("main", 100, 7, 900),
        ("production", 200, 30, 2000),
    ],
)
def test_a_preset_sets_the_limits_of_all_classes(
    tmp_path: Path, preset: str, latest: int, days: float, megabytes: int
) -> None:
    found = resolved(tmp_path, preset=preset)
    assert {each.rules for each in found.policy.classes} == {
        KeepRules(keep_latest=latest, compress_after_days=days)
    }
    assert found.policy.max_size_bytes == megabytes * 1_000_000


def test_a_flag_outweighs_the_class_the_class_the_file_and_the_file_the_preset(tmp_path: Path) -> None:
    toml = """
    [artifacts]
    preset = "development"
    keep_latest = 9
    keep_daily = 4
    max_size_mb = 12.5
    [artifacts.classes.summaries]
    keep_latest = 8
    keep_daily = 3
    [artifacts.classes.traces]
    patterns = ["traces/**/*.bin"]
    iteration = 't(\\d+)'
    """
    found = resolved(tmp_path, toml, keep_latest="7")
    assert [each.name for each in found.policy.classes] == ["summaries", "traces"]
    assert found.policy.classes[0].patterns == SOAK_CLASSES[0].patterns, "known names need no patterns"
    assert found.policy.classes[1].iteration == "t(\\d+)"
    summaries, traces = rules_of(found, "summaries"), rules_of(found, "traces")
    assert (summaries.keep_latest, summaries.keep_daily, summaries.compress_after_days) == (7, 3, 3)
    assert (traces.keep_latest, traces.keep_daily) == (7, 4)
    assert found.policy.max_size_bytes == 12_500_000
    assert rules_of(resolved(tmp_path, toml), "summaries").keep_latest == 8
    assert resolved(tmp_path, toml, max_size_mb="1").policy.max_size_bytes == 1_000_000


def test_every_row_reaches_the_policy(tmp_path: Path) -> None:
    given = {row.name: "1" for row in (*RULES, *LIMIT_ROWS)}
    found = resolved(tmp_path, **given)
    assert set(astuple(found.policy.classes[0].rules)) == {1}
    assert found.policy == RotationPolicy(
        classes=found.policy.classes,
        max_size_bytes=1_000_000,
        max_removed_ratio=1,
        min_age_seconds=1,
        level=1,
        jobs=1,
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("keep_latest", text) for text in ("-1", "nan", "1.5", "", "ten", "9999999999999")),
        *(("ttl_days", text) for text in ("-1", "nan", "inf", "-0.1", "")),
        *(("delete_after_days", text) for text in ("-1", "nan")),
        *(("max_size_mb", text) for text in ("0", "-5", "nan", "inf", "1e400")),
        ("max_removed_ratio", "1.1"),
        ("level", "22"),
        ("jobs", "0"),
        ("preset", "staging"),
    ],
)
def test_r5_a_number_that_makes_no_sense_is_a_usage_error_that_names_the_flag(
    tmp_path: Path, name: str, text: str
) -> None:
    with pytest.raises(UsageError, match=f"^--{name.replace('_', '-')}: expected"):
        resolved(tmp_path, **{name: text})


@pytest.mark.parametrize("text", ["0", "1000000000"])
def test_r5_none_and_very_many_are_numbers_to_keep(tmp_path: Path, text: str) -> None:
    assert rules_of(resolved(tmp_path, keep_latest=text, ttl_days="0"), "logs").keep_latest == int(text)


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        (
            "[artifacts]\nkeep_lattest = 1",
            r"causal.toml:2: unknown key 'artifacts.keep_lattest'; did you mean",
        ),
        ("[artifacts]\nkeep_latest = -1", r"causal.toml:2: artifacts.keep_latest: expected a value in"),
        ("[artifacts]\nkeep_latest = true", r"expected a whole number"),
        ("[artifacts]\nclasses = 1", "classes is no table"),
        ("[artifacts.classes]\nlogs = 1", "logs is no table"),
        (
            "[artifacts.classes.logs]\nroots = ['a']",
            r"causal.toml:2: unknown key 'artifacts.classes.logs.roots'",
        ),
        ("[artifacts.classes.mine]\nkeep_latest = 1", "has no pattern"),
        ("[artifacts.classes.Mine]\npatterns = ['*']", "has a bad name"),
        ("artifacts = 1", "artifacts is 1"),
    ],
)
def test_what_the_file_says_wrongly_is_named_with_its_place(
    tmp_path: Path, toml: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        resolved(tmp_path, toml)


def test_roots_start_from_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "causal.toml").write_text('[artifacts]\nroots = ["one", "/two"]\n')
    found = artifact_settings(resolve_settings(flags={}, env={}, root=below))
    assert found.roots == (tmp_path / "one", Path("/two"))


def test_every_row_is_explained_and_every_number_has_a_unit_and_an_interval() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.help[0].isupper()
        assert row.help.endswith(".")
        if row.kind in (Kind.COUNT, Kind.NUMBER):
            assert row.unit
            assert row.interval is not None
            assert isinstance(row.default, str) or row.interval.holds(float(row.default))  # type: ignore[arg-type] # a number
