from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.session import Session, SessionEnding, SessionFacts, SessionState
from pytest_causal.store.interface import StoreHealth
from pytest_causal.views.doctor import (
    DoctorView,
    Problem,
    SettingRow,
    doctor_document,
    doctor_lines,
    problem_lines,
    settings_table,
)

STARTED_US = 1_700_000_000_000_000
HEALTH = StoreHealth(
    location="/here/history.db",
    schema_version=1,
    size_bytes=1536,
    sessions=1,
    runs=1200,
    scenarios=2,
    running=0,
    quarantined=(),
    problems=(),
)


def view(**more: Any) -> DoctorView:
    given: dict[str, Any] = {
        "location": "/here/history.db",
        "generated_us": STARTED_US,
        "is_deep": False,
        "is_missing": False,
        "versions": {"python": "3.11", "sqlite": "3.40"},
        "is_active": False,
        "activation": "idle",
        "health": HEALTH,
    } | more
    return DoctorView(**given)


def session(number: int, **facts: Any) -> Session:
    given: dict[str, Any] = {"uid": "u", "key": "u", "started_us": STARTED_US, "process": "12:34"} | facts
    ending = SessionEnding(state=SessionState.RUNNING, finished_us=0)
    return Session(number=number, facts=SessionFacts(**given), ending=ending, order=None, runs=1)


def text_of(shown: DoctorView) -> str:
    return "\n".join(line.text for line in doctor_lines(shown))


def test_the_store_in_figures() -> None:
    assert "schema 1, 1 session, 1,200 runs, 2 scenarios, 1.5 KiB (--deep reads every page)" in text_of(
        view()
    )
    assert "(every page read)" in text_of(view(is_deep=True))


def test_no_store() -> None:
    missing = view(health=None, is_missing=True)
    assert "nothing is recorded yet" in text_of(missing)
    assert doctor_document(missing)["health"] is None
    assert problem_lines(missing) == []


def test_an_unreadable_store_is_not_called_missing() -> None:
    assert "nothing is recorded" not in text_of(view(health=None))


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (5 << 30, "5.0 GiB"),
        (5000 << 40, "5,000.0 TiB"),
    ],
)
def test_sizes(size_bytes: int, words: str) -> None:
    health = StoreHealth(
        location="x", schema_version=1, size_bytes=size_bytes, sessions=1, runs=1, scenarios=1, running=0,
        quarantined=(), problems=(),
    )  # fmt: skip
    assert f", {words} (" in text_of(view(health=health))


def test_sessions_under_way_and_left() -> None:
    shown = text_of(view(recording=[session(3, host="box")], left=[session(2)]))
    assert "recording now: session 3, begun 2023-11-14 22:13 UTC by process 12 on box, 1 run" in shown
    assert "killed process, concluded by the next recording: session 2" in shown


def test_settings_that_a_person_gave_stand_out() -> None:
    rows = [
        SettingRow(name="strict", value=True, origin="env", place="CAUSAL_STRICT"),
        SettingRow(name="messages", value=False, origin="default", place=""),
        SettingRow(name="names", value=("a", "b"), origin="file", place="causal.toml:3"),
        SettingRow(name="profile", value="", origin="default", place=""),
    ]
    table = settings_table(view(settings=rows), 120)
    assert [[cell[0].text for cell in row] for row in table.rows] == [
        ["strict", "yes", "env", "CAUSAL_STRICT"],
        ["messages", "no", "default", ""],
        ["names", "a, b", "file", "causal.toml:3"],
        ["profile", "-", "default", ""],
    ]
    assert [bool(row[0][0].marks) for row in table.rows] == [True, False, True, False]


def test_problems_come_with_what_to_do() -> None:
    problems = [Problem(what="it is broken", remedy="mend it"), Problem(what="it is old", remedy="")]
    lines = problem_lines(view(problems=problems))
    assert [line.text for line in lines] == ["2 problems found", "- it is broken; mend it", "- it is old"]
    assert problem_lines(view())[0].text == "no problems found"


def test_p20_all_text_is_escaped() -> None:
    escape = "\x1b[31m\n"
    hostile = view(
        location=escape,
        versions={"python": escape},
        activation=escape,
        left=[session(1, host=escape, process=escape)],
        settings=[SettingRow(name="store", value=escape, origin="env", place=escape)],
        problems=[Problem(what=escape, remedy=escape)],
    )
    lines = [*doctor_lines(hostile), *problem_lines(hostile)]
    lines += [line for row in settings_table(hostile, 120).rows for cell in row for line in cell]
    assert [line.text for line in lines if not line.text.isprintable()] == []
