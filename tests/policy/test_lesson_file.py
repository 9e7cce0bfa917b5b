from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError
from pytest_causal.model.promotion import Lesson
from pytest_causal.policy.lesson_file import SCHEMA, KeptLesson, lessons_text, read_lessons
from pytest_causal.policy.schema_check import ANNOTATIONS, KEYWORDS, schema

texts = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=8)
names = texts.filter(lambda text: bool(text.replace("\n", "")))
leaves = (
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
lessons = st.builds(
    Lesson,
    id=st.integers(1, 10_000),
    scenario=names,
    path=st.sampled_from(["limits.rows", "a"]),
    before=leaves | st.tuples(leaves, leaves),
    after=leaves,
    reason=texts,
    promotion=st.integers(0, 99),
    signature=texts,
    created_us=st.integers(0, 4_000_000_000_000_000),
    times=st.integers(1, 9),
    after_order=st.just(0),
    retired_us=st.just(0),
    criteria=st.sampled_from([(), (("max_failure_rate", 0.05), ("min_runs", 50))]),
)
kept = st.builds(
    KeptLesson, lesson=lessons, tests=st.lists(st.from_regex(r"[a-z]{1,3}\.py::t[a-z]", fullmatch=True)).map(
        lambda found: tuple(sorted(found))
    )
)  # fmt: skip
files = st.lists(kept, max_size=3, unique_by=lambda each: each.lesson.id)


@given(files)
def test_what_is_written_is_read_back_and_is_of_the_schema(
    tmp_path_factory: pytest.TempPathFactory, written: list[KeptLesson]
) -> None:
    text = lessons_text(written)
    jsonschema.validate(json.loads(text), schema("lessons"))
    assert json.loads(text)["schema"] == SCHEMA
    path = tmp_path_factory.getbasetemp() / "some.lessons.json"
    path.write_text(text, "utf-8")
    assert list(read_lessons(path)) == sorted(written, key=lambda each: each.lesson.id)
    assert lessons_text(reversed(written)) == text


def test_the_schema_is_valid_and_uses_only_what_our_reader_knows() -> None:
    whole = schema("lessons")
    jsonschema.Draft202012Validator.check_schema(whole)
    for part in (whole, *whole["properties"].values(), *whole["$defs"].values()):
        assert set(part) <= KEYWORDS | ANNOTATIONS
    for part in whole["$defs"]["lesson"]["properties"].values():
        assert set(part) <= KEYWORDS | ANNOTATIONS


GOOD = json.loads(
    lessons_text(
        [
            KeptLesson(
                Lesson(id=3, scenario="s", path="a", before=1, after=2, reason="r", promotion=7, signature="x",
                       created_us=1_700_000_000_000_001),
                ("t.py::t",),
            )
        ]
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "3"}, "lessons.id|id: found '3'"),
        ({"tests": ["t.py"]}, "found 't.py'"),
        ({"times": 0}, "found 0"),
        ({"created_at": "yesterday"}, "found 'yesterday'"),
        ({"creator": "me"}, "unknown key 'creator'"),
    ],
)
def test_a_damaged_lesson_is_refused(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    path = tmp_path / "some.lessons.json"
    path.write_text(json.dumps({**GOOD, "lessons": [{**GOOD["lessons"][0], **change}]}), "utf-8")
    with pytest.raises(ConfigError, match=problem):
        read_lessons(path)


def test_one_lesson_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.lessons.json"
    path.write_text(json.dumps({**GOOD, "lessons": GOOD["lessons"] * 2}), "utf-8")
    with pytest.raises(ConfigError, match="lesson L-3 stands there twice"):
        read_lessons(path)
