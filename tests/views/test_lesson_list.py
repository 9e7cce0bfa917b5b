from __future__ import annotations

from pytest_causal.model.promotion import Lesson
from pytest_causal.policy.secrets import MASK
from pytest_causal.views.lesson_list import LessonRow, gate_words, lesson_lines, lessons_document

LESSON = Lesson(3, "load", "rows", 10, 20, "too slow", 7, "signature", 1_763_700_000_000_000)


def texts(*rows: LessonRow, secrets: frozenset[str] = frozenset()) -> list[str]:
    return [line.text for line in lesson_lines(rows, secrets)]


def test_a_lesson_says_what_failed_why_and_what_is_to_be_shown() -> None:
    assert texts(LessonRow(LESSON, ("t.py::a", "t.py::b"))) == [
        "L-3 load: rows: 10 -> 20",
        "  learned 2025-11-21 04:40 UTC from P-7: too slow",
        "  load_regression has to show 50 runs, at most 5.0 % failed before it may go so far again",
        "  runs t.py::a",
        "  runs t.py::b",
    ]


def test_one_that_was_taught_again_says_how_often() -> None:
    assert "from P-7, 1,234 times: too slow" in texts(LessonRow(LESSON._replace(times=1234), ()))[1]


def test_one_that_is_retired_gates_nothing() -> None:
    told = texts(LessonRow(LESSON._replace(retired_us=1_763_700_000_000_000), ("t.py::a",)))
    assert told[2:] == ["  retired 2025-11-21 04:40 UTC: it gates nothing"]


def test_criteria_that_a_lesson_does_not_have_are_not_told() -> None:
    assert "has to show 7 runs before" in gate_words(LESSON._replace(criteria=(("min_runs", 7),)))


def test_names_cannot_steer_the_terminal_and_secrets_are_masked() -> None:
    odd = LESSON._replace(scenario="\x1b[2J", reason="\x1b", path="key", before="hunter2", after="hunter3")
    told = "\n".join(texts(LessonRow(odd, ("\x1b",)), secrets=frozenset({"key"})))
    assert "\x1b" not in told
    assert "hunter" not in told
    (document,) = lessons_document([LessonRow(odd, ())], frozenset({"key"}), 1)["lessons"]
    assert (document["before"], document["after"]) == (MASK, MASK)
