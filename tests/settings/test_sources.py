from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.settings.sources import Layer, Settings, resolve_settings
from pytest_causal.settings.table import CRITERIA, SETTINGS, Kind, Setting

# Per setting: a value as a flag gives it, as a variable gives it, as TOML writes it, and each as it is in force.
SAMPLES: dict[str, tuple[tuple[str | bool, Any], tuple[str, Any], tuple[str, Any]]] = {
    "store": (("f.db", "f.db"), ("e.db", "e.db"), ('"t.db"', "t.db")),
    "strict": ((True, True), ("1", True), ("true", True)),
    "messages": ((False, False), ("off", False), ("false", False)),
    "message_limit": (("101", 101), ("102", 102), ("103", 103)),
    "infrastructure_errors": (("a.B,C", ("a.B", "C")), ("E", ("E",)), ('["T", "U"]', ("T", "U"))),
    "session_key": (("f", "f"), ("e", "e"), ('"t"', "t")),
    "trusted": (("yes", "yes"), ("no", "no"), ('"yes"', "yes")),
    "busy_seconds": (("1.5", 1.5), ("2", 2.0), ("3", 3.0)),
    "summary_lines": (("1", 1), ("2", 2), ("3", 3)),
    "profile": (("f", "f"), ("e", "e"), ('"t"', "t")),
    "profiles": (("f", "f"), ("e", "e"), ('"t"', "t")),
    "secrets": (("a.b,c", ("a.b", "c")), ("e", ("e",)), ('["t"]', ("t",))),
    "targets": (("a.b:C", ("a.b:C",)), ("e:E", ("e:E",)), ('["t:T"]', ("t:T",))),
    "shadow": ((True, True), ("yes", True), ("true", True)),
    "shadow_seed": (("1", 1), ("2", 2), ("3", 3)),
    "arm": (("candidate:f", "candidate:f"), ("candidate:e", "candidate:e"), ('"candidate:t"', "candidate:t")),
    "plugins": (("a.b,c", ("a.b", "c")), ("e", ("e",)), ('["t"]', ("t",))),
    "ladder": (("a,b", ("a", "b")), ("e", ("e",)), ('["t", "u"]', ("t", "u"))),
    "watch_sessions": (("1", 1), ("2", 2), ("3", 3)),
    "review": ((False, False), ("no", False), ("false", False)),
    "freeze": ((True, True), ("yes", True), ("true", True)),
    "freeze_file": (("f", "f"), ("e", "e"), ('"t"', "t")),
    "cooldown_hours": (("1", 1.0), ("2.5", 2.5), ("0", 0.0)),
    "max_actions": (("1", 1), ("2", 2), ("4", 4)),
    "min_runs": (("1", 1), ("2", 2), ("3", 3)),
    "min_sessions": (("3", 3), ("4", 4), ("5", 5)),
    "max_failure_rate": (("0.01", 0.01), ("0.02", 0.02), ("0.03", 0.03)),
    "rule": (("threshold", "threshold"), ("threshold", "threshold"), ('"threshold"', "threshold")),
    "alpha": (("0.01", 0.01), ("0.02", 0.02), ("0.03", 0.03)),
    "unit": (("run", "run"), ("run", "run"), ('"run"', "run")),
    "max_age_days": (("1", 1.0), ("2.5", 2.5), ("3", 3.0)),
    "max_incomplete_rate": (("0.01", 0.01), ("0.02", 0.02), ("0.03", 0.03)),
    "flaky_weight": (("0", 0.0), ("0.5", 0.5), ("0.25", 0.25)),
}


def value_of(settings: Settings, setting: Setting) -> Any:
    value = getattr(settings.criteria if setting.section == CRITERIA else settings, setting.name)
    if setting.kind is Kind.PATH:
        return os.path.relpath(value, settings.root)
    return value


def in_file(root: Path, setting: Setting, toml: str) -> None:
    header = f"[{setting.section}]\n" if setting.section else ""
    (root / "causal.toml").write_text(f"# settings\n{header}{setting.name} = {toml}\n")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("layers", range(8))
def test_f1_flag_over_variable_over_file_over_default(setting: Setting, layers: int, tmp_path: Path) -> None:
    flag, variable, toml = SAMPLES[setting.name]
    has_flag, has_env, has_file = bool(layers & 4), bool(layers & 2), bool(layers & 1)
    if has_file:
        in_file(tmp_path, setting, toml[0])
    settings = resolve_settings(
        flags={setting.name: flag[0]} if has_flag else {},
        env={setting.env: variable[0]} if has_env else {},
        root=tmp_path,
    )
    origin = settings.origins[setting.name]
    if has_flag:
        assert (value_of(settings, setting), origin) == (flag[1], (Layer.FLAG, setting.flag))
    elif has_env:
        assert (value_of(settings, setting), origin) == (variable[1], (Layer.ENV, setting.env))
    elif has_file:
        line = 3 if setting.section else 2
        place = f"{tmp_path / 'causal.toml'}:{line}"
        assert (value_of(settings, setting), origin) == (toml[1], (Layer.FILE, place))
    else:
        assert (value_of(settings, setting), origin) == (setting.default, (Layer.DEFAULT, ""))


def test_values_have_the_types_of_their_fields(tmp_path: Path) -> None:
    for setting in SETTINGS:
        for index, sample in enumerate(SAMPLES[setting.name][:2]):
            flags = {setting.name: sample[0]} if index == 0 else {}
            env = {setting.env: str(sample[0])} if index == 1 else {}
            settings = resolve_settings(flags=flags, env=env, root=tmp_path)
            value = getattr(settings.criteria if setting.section == CRITERIA else settings, setting.name)
            assert type(value) is type(setting.default)


BAD_TEXT = {
    Kind.SWITCH: ["", "maybe", "2", "tru", " yes"],
    Kind.COUNT: ["", "1_000", "1,000", "1e3", "007", "0x10", "1.0", "nan", "yes", "٣", "9" * 30, "0", "-1"],
    Kind.NUMBER: ["", "1_0", "0,5", "NaN", "inf", "-inf", "1e999", "0x1p3", "yes", "-1", " 0.5", ".5"],
    Kind.CHOICE: ["", "YES", "other"],
    Kind.NAMES: [",", "a,,b"],
    Kind.PATH: ["", "a\x00b", "a\nb"],
    Kind.TEXT: ["a\x1b[31mb"],
}
CASES = [
    pytest.param(setting, text, id=f"{setting.name}-{text[:12]!a}")
    for setting in SETTINGS
    for text in BAD_TEXT[setting.kind]
    if not (text in ("0", "-1") and setting.interval and setting.interval.holds(float(text)))
]


@pytest.mark.parametrize(("setting", "text"), CASES)
def test_f5_a_wrong_text_is_an_error_that_names_its_place(
    setting: Setting, text: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=setting.env) as caught:
        resolve_settings(flags={}, env={setting.env: text}, root=tmp_path)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=setting.flag):
        resolve_settings(flags={setting.name: text}, env={}, root=tmp_path)


BAD_TOML = {
    Kind.SWITCH: ["1", '"yes"', "[]"],
    Kind.COUNT: ["true", "1.0", '"5"', "[5]", "nan"],
    Kind.NUMBER: ["true", "nan", "inf", "-inf", '"0.5"', "1979-05-27"],
    Kind.CHOICE: ["true", '"other"', "1"],
    Kind.NAMES: ['"a"', "[1]", '[""]', "{}"],
    Kind.PATH: ["1", '""', "[]"],
    Kind.TEXT: ["1", "false"],
}


@pytest.mark.parametrize(
    ("setting", "toml"),
    [
        pytest.param(setting, toml, id=f"{setting.name}-{toml}")
        for setting in SETTINGS
        for toml in BAD_TOML[setting.kind]
    ],
)
def test_f5_a_wrong_type_in_the_file_names_file_and_line(setting: Setting, toml: str, tmp_path: Path) -> None:
    in_file(tmp_path, setting, toml)
    line = 3 if setting.section else 2
    with pytest.raises(ConfigError, match=rf"causal\.toml:{line}: {setting.key}: .*expected"):
        resolve_settings(flags={}, env={}, root=tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alpha", "0"),
        ("alpha", "1"),
        ("max_failure_rate", "1.5"),
        ("min_runs", "0"),
        ("busy_seconds", "3601"),
    ],
)
def test_f5_out_of_bounds_shows_the_interval_and_the_unit(name: str, text: str, tmp_path: Path) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    with pytest.raises(UsageError) as caught:
        resolve_settings(flags={name: text}, env={}, root=tmp_path)
    assert f"{setting.interval} {setting.unit}" in str(caught.value)


def test_f3_unknown_variables_name_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"CAUSAL_STROE; did you mean 'CAUSAL_STORE'\?"):
        resolve_settings(flags={}, env={"CAUSAL_STROE": "x"}, root=tmp_path)


def test_reserved_variables_and_those_of_others_are_no_settings(tmp_path: Path) -> None:
    env = {
        "CAUSAL_POLICY": "{}",
        "CAUSAL_POLICY__a__b": "1",
        "CAUSAL_POLICY_FILE": "f",
        "CAUSAL_RESULT_FILE": "r",
        "CAUSALITY": "x",
        "PATH": "y",
    }
    settings = resolve_settings(flags={}, env=env, root=tmp_path)
    assert {origin.layer for origin in settings.origins.values()} == {Layer.DEFAULT}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nstroe = 'x'\n", r":1: unknown key 'a'"),
        ("strict = true\nstroe = 'x'\n", r":2: unknown key 'stroe'; did you mean 'store'\?"),
        ("[criteria]\n\nmin_rums = 3\n", r":3: unknown key 'criteria.min_rums'; did you mean 'min_runs'\?"),
        ("min_runs = 3\n", r":1: unknown key 'min_runs'"),
        ("criteria = 3\n", r":1: criteria is 3; write it as a table"),
    ],
)
def test_f3_unknown_keys_name_file_line_and_the_nearest(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "causal.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"causal\.toml" + message):
        resolve_settings(flags={}, env={}, root=tmp_path)


def test_tables_of_other_parts_are_handed_on_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "causal.toml").write_text(
        '[policy.limits]\nmax_rows = 5\n\n[bounds]\n"limits.max_rows" = {min = 1, max = 9}\n'
    )
    settings = resolve_settings(flags={}, env={}, root=tmp_path)
    assert settings.policy_table == {"limits": {"max_rows": 5}}
    assert settings.bounds_table == {"limits.max_rows": {"min": 1, "max": 9}}
    assert settings.config is not None
    assert settings.config.line(("policy", "limits", "max_rows")) == 2


def test_relative_paths_start_from_where_they_are_written(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "causal.toml").write_text('store = "s.db"\n')
    settings = resolve_settings(flags={"profiles": "p"}, env={}, root=inner)
    assert settings.store == str(tmp_path / "s.db")
    assert settings.profiles == str(inner / "p")
    assert resolve_settings(flags={"store": "/a/b"}, env={}, root=inner).store == str(Path("/a/b"))


def test_a_url_is_no_path(tmp_path: Path) -> None:
    url = "postgresql://host/db"
    assert resolve_settings(flags={"store": url}, env={}, root=tmp_path).store == url


@given(st.text(max_size=40))
def test_no_text_makes_anything_but_a_value_or_an_error_of_ours(text: str) -> None:
    for setting in SETTINGS:
        try:
            settings = resolve_settings(flags={setting.name: text}, env={}, root=Path("/nonexistent"))
        except UsageError as error:
            shown = str(error)
        else:
            shown = ""
            assert settings.origins[setting.name].layer is Layer.FLAG
        assert shown.isprintable()


def test_resolving_imports_no_toml_parser_where_there_is_no_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        probe="""
        import sys
        from pathlib import Path
        from pytest_causal.settings.sources import resolve_settings
        resolve_settings(flags={}, env={}, root=Path.cwd())
        heavy = {"tomllib", "difflib", "jsonschema", "sqlite3", "click", "rich"} & set(sys.modules)
        print(sorted(heavy))
        """
    )
    result = pytester.run(sys.executable, "-S", "-c", _probe(pytester.path / "probe.py"))
    result.stdout.fnmatch_lines(["[[]]"])


def _probe(path: Path) -> str:
    import pytest_causal

    package = Path(pytest_causal.__file__).parent.parent
    return f"import sys; sys.path.insert(0, {str(package)!r}); exec(open({str(path)!r}).read())"
