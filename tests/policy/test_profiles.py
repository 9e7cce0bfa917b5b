from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_causal.errors import ConfigError
from pytest_causal.policy.profiles import (
    UnknownProfileError,
    list_profiles,
    load_chain,
    load_profile,
    search_path,
    shipped_profiles,
)

SHIPPED = {
    "steady_safe": (0.16, 0.08, 0.12, 75, 260, 740),
    "ultra_safe": (0.16, 0.08, 0.12, 80, 240, 700),
    "aggressive": (0.10, 0.12, 0.16, 50, 320, 500),
}
PARAMETERS = (
    "quoting.base_spread_bps_delta",
    "impact.impact_cap_ratio",
    "impact.max_delta_ratio",
    "quoting.min_interval_ms",
    "quoting.replace_rate_per_min",
    "engine.tail_age_ms",
)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_profiles_have_the_values_of_the_predecessor_within_their_bounds(name: str) -> None:
    profile = load_profile(name, (shipped_profiles(),))
    assert {path: profile.leaves[path] for path in PARAMETERS} == dict(
        zip(PARAMETERS, SHIPPED[name], strict=True)
    )
    assert len(profile.leaves) == len(PARAMETERS)
    assert set(profile.bounds) == set(PARAMETERS)
    assert all(bound.holds(profile.leaves[path]) for path, bound in profile.bounds.items())
    assert set(profile.kpi) == {"smoke", "production"}
    assert profile.kpi["production"]["risk_ratio"] == {"max": 0.5, "soft_max": 0.4}
    assert profile.kpi["smoke"]["net_bps"] == {"min": -10}
    assert profile.description


def test_the_users_directory_is_searched_before_the_shipped_one(project: Any) -> None:
    search = search_path(str(project.root / "profiles"))
    assert search == (project.root / "profiles", shipped_profiles())
    path = project.profile("steady_safe", {"a": 1})
    assert load_profile("steady_safe", search).path == path
    assert list_profiles(search)["steady_safe"] == path
    assert set(list_profiles(search)) == set(SHIPPED)
    assert search_path(str(shipped_profiles())) == (shipped_profiles(),)


def test_a_bare_object_of_values_is_a_profile(project: Any) -> None:
    path = project.root / "profiles" / "bare.json"
    path.parent.mkdir()
    path.write_text('{\n  "min_interval_ms": 75,\n  "deep": {"x": [1, 2]}\n}')
    profile = load_profile("bare", (path.parent,))
    assert dict(profile.leaves) == {"min_interval_ms": 75, "deep.x": (1, 2)}
    assert (profile.line("min_interval_ms"), profile.line("deep.x")) == (2, 3)
    assert profile.bounds == {}


def test_a_byte_order_mark_and_crlf_are_read(project: Any) -> None:
    path = project.profile("marked", {"a": 1})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_profile("marked", (path.parent,)).leaves == {"a": 1}


def test_f3_an_unknown_profile_names_the_nearest_and_where_it_was_sought(project: Any) -> None:
    project.profile("mine", {"a": 1})
    search = search_path(str(project.root / "profiles"))
    with pytest.raises(UnknownProfileError, match="did you mean 'steady_safe'") as caught:
        load_profile("steady_saef", search)
    assert all(str(directory) in str(caught.value) for directory in search)
    assert caught.value.name == "steady_saef"


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "", ".", "..", ".hidden", "a/b", "a\\b", "con", "NUL", "com1.x", "a\0b", "a b",
     "é", "x" * 1_000_000, "a\n"],
    ids=lambda name: repr(name[:12]),
)  # fmt: skip
def test_f4_a_name_that_is_no_plain_file_name_is_refused_and_not_opened(
    name: str, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match="is no profile name") as caught:
        load_profile(name, search_path(str(project.root / "profiles")))
    assert len(str(caught.value)) < 200


def test_f4_a_link_out_of_the_directory_is_refused(
    project: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.json"
    outside.write_text('{"a": 1}')
    directory = project.profile("inside", {"a": 1}).parent
    (directory / "link.json").symlink_to(outside)
    (directory / "alias.json").symlink_to(directory / "inside.json")
    with pytest.raises(ConfigError, match="leads out of"):
        load_profile("link", (directory,))
    with pytest.raises(ConfigError, match="name is 'inside'"):  # a link within the directory is followed
        load_profile("alias", (directory,))


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r":1 is not valid JSON"),
    "not an object": (b"[1]", r":1: the document: found \[1\]"),
    "syntax": (b'{\n"a": 1,,\n}', r":2 is not valid JSON"),
    "duplicate": (b'{"a": 1,\n"a": 2}', r":2: the key 'a' stands on line 1 already"),
    "nan": (b'{"a": NaN}', r":1: NaN is not JSON"),
    "too large": (b'{"a": 1e999}', r":1: a: inf is no policy value"),
    "null": (b'{"a":\n{"b": null}}', r":2: a\.b: found None"),
    "dotted key": (b'{"a.b": 1}', r":1: a\.b: found 'a\.b'"),
    "utf16": ('{"a": 1}'.encode("utf-16"), "UTF-16"),
    "nul": (b'{"a": "\0"}', "NUL byte"),
    "cp1252": (b'{\n"a": "caf\xe9"}', r":2 holds byte 0xe9"),
    "oversized": (b'{"a": "' + b"x" * 1024 * 1024 + b'"}', "1024 KiB"),
    "deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deep|deep"),
    "deep tables": (b'{"a":' * 40 + b"1" + b"}" * 40, "nested more than"),
    "no schema": (b'{"name": "bad", "values": {}}', r"found no 'schema'"),
    "other schema": (b'{"schema": "causal.profile/2", "values": {}}', r":1: schema: found 'causal\.profile/2'"),
    "other name": (b'{"schema": "causal.profile/1",\n"name": "x", "values": {}}', r":2: name is 'x'"),
    "unknown key": (b'{"schema": "causal.profile/1",\n"vales": 1, "values": {}}', r":2: vales:.*did you mean 'values'"),
    "bounds crossed": (
        b'{"schema": "causal.profile/1", "values": {"a": 1},\n"bounds": {"a": {"min": 2, "max": 1}}}',
        r":2: bounds of a: min 2 is above max 1",
    ),
    "limits crossed": (
        b'{"schema": "causal.profile/1", "values": {},\n"kpi": {"s": {"m": {"min": 2, "soft_min": 1}}}}',
        r":2: kpi\.s\.m: the limits .*expected min <= soft_min",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_f2_f5_a_bad_profile_is_an_error_with_its_line(case: str, project: Any) -> None:
    content, message = BAD[case]
    path = project.root / "profiles" / "bad.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_profile("bad", (path.parent,))
    assert str(path) in str(caught.value)
    assert not isinstance(caught.value, UnknownProfileError)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x\n",
        "!!python/object/apply:os.system ['true']\n",
        "on: no\n",
        "time: 12:30:45\n",
        "values:\n  a: 1\n",
    ],
)
def test_f11_yaml_is_refused_and_not_interpreted(text: str, project: Any) -> None:
    path = project.root / "profiles" / "bad.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ConfigError, match="is not valid JSON"):
        load_profile("bad", (path.parent,))


def test_a_chain_is_the_profile_and_what_lies_below_it(project: Any) -> None:
    project.profile("low", {"a": 1})
    project.profile("middle", {"b": 2}, extends="low")
    directory = project.profile("top", {"c": 3}, extends="middle").parent
    assert [profile.name for profile in load_chain("top", (directory,))] == ["low", "middle", "top"]


def test_a_chain_that_bites_its_tail_is_refused(project: Any) -> None:
    project.profile("a", {}, extends="b")
    directory = project.profile("b", {}, extends="a").parent
    with pytest.raises(ConfigError, match="in a circle: a > b > a"):
        load_chain("a", (directory,))


def test_f7_a_changed_or_vanished_profile_is_noticed(project: Any) -> None:
    path = project.profile("mine", {"a": 1})
    profile = load_profile("mine", (path.parent,))
    assert not profile.has_changed()
    path.touch()
    assert not profile.has_changed()
    path.write_text(path.read_text().replace("1", "2"))
    assert profile.has_changed()
    assert profile.leaves == {"a": 1}
    path.unlink()
    assert profile.has_changed()


def test_reading_a_profile_writes_nothing(project: Any) -> None:
    path: Path = project.profile("mine", {"a": 1})
    before = {file: file.stat().st_mtime_ns for file in project.root.rglob("*")}
    load_chain("mine", search_path(str(path.parent)))
    list_profiles(search_path(str(path.parent)))
    assert {file: file.stat().st_mtime_ns for file in project.root.rglob("*")} == before
    assert json.loads(path.read_text())["name"] == "mine"
