from __future__ import annotations

import pytest

from pytest_causal.artifacts.retrieval import Compressed
from pytest_causal.model.artifact import (
    Action,
    Artifact,
    Fate,
    FileKind,
    Outcome,
    Plan,
    PlannedAction,
    PlannedArchive,
    Problem,
    Result,
    Rotation,
    RotationPolicy,
)
from pytest_causal.views.rotation import (
    compressed_table,
    last_lines,
    left_lines,
    plan_lines,
    progress_words,
    size_words,
)

NAME = "a\x1b[31m\n.log"


def an_artifact(name: str, size_bytes: int = 2_500_000) -> Artifact:
    return Artifact(name, size_bytes, size_bytes, 0, 0o644, 1, 1, 1, 0, FileKind.REGULAR)


def a_plan(*actions: PlannedAction, archives: tuple[PlannedArchive, ...] = (), held_back: int = 0) -> Plan:
    files = [each.artifact for each in actions]
    fates = [Fate(each.action, each.reasons) for each in actions]
    return Plan(files, fates, archives, {}, (), 5_000_000, 6_000_000, held_back)


def last_line(plan: Plan, outcome: Outcome | None, limit: int | None = 900_000_000) -> str:
    policy = RotationPolicy(classes=(), max_size_bytes=limit)
    return list(last_lines(Rotation(plan, policy, (), outcome), "soak"))[-1].text


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (900_000_000, "900 MB"),
        (-41_000, "-41.0 kB"),
        (5 * 10**12, "5.0 TB"),
    ],
)
def test_a_size_has_the_digits_that_matter(size: int, words: str) -> None:
    assert size_words(size) == words


def test_a_line_of_the_plan_says_action_size_name_target_and_reasons_and_obeys_no_name() -> None:
    artifact = an_artifact(NAME)
    plan = a_plan(
        PlannedAction(artifact, Action.ARCHIVE, ("old", "small")),
        archives=(PlannedArchive("x.tar.zst", "logs", (artifact,), (-1,)),),
    )
    (line,) = plan_lines(plan, has_kept=False)
    assert line.text == "archive     2.5 MB  a\\x1b[31m\\x0a.log -> x.tar.zst  (old, small)"


def test_what_is_kept_is_listed_only_if_asked_for() -> None:
    plan = a_plan(
        PlannedAction(an_artifact("a"), Action.KEEP, ("recent",)),
        PlannedAction(an_artifact("b"), Action.DELETE, ("expired",)),
    )
    assert [line.text.split()[0] for line in plan_lines(plan, has_kept=False)] == ["delete"]
    assert [line.text.split()[0] for line in plan_lines(plan, has_kept=True)] == ["keep", "delete"]


def test_what_is_left_is_counted_by_reason_and_what_is_held_back_is_said() -> None:
    plan = a_plan(
        PlannedAction(an_artifact("a"), Action.LEAVE, ("link",)),
        PlannedAction(an_artifact("b"), Action.KEEP, ("latest", "despite-size-limit")),
        PlannedAction(an_artifact("c"), Action.KEEP, ("recent", "despite-expired", "removal-cap")),
        held_back=1,
    )
    first, second = (line.text for line in left_lines(plan))
    assert first == "left alone: 1 despite-expired, 1 despite-size-limit, 1 link, 1 removal-cap"
    assert second.startswith("1 deletion held back:")
    assert list(left_lines(a_plan())) == []


def test_the_last_line_says_what_was_done_and_the_size_of_the_limit() -> None:
    plan = a_plan(PlannedAction(an_artifact("a"), Action.KEEP, ("recent",)))
    outcome = Outcome(
        (
            Result("b", Action.COMPRESS, 100, 10, "b.zst"),
            Result("c", Action.ARCHIVE, 100, holder="x"),
            Result("d", Action.DELETE, 1),
            Result("e", Action.COMPRESS, 100, problem=Problem.BEING_WRITTEN),
        ),
        (),
        (),
        1_000_000,
        1_500_000,
    )
    assert last_line(plan, outcome) == (
        "soak: kept 1, compressed 1, archived 1, deleted 1, left 1; freed 4.0 MB (4.5 MB on disk); 1.0 MB of 900 MB"
    )
    assert last_line(plan, outcome, limit=None).endswith("; 1.0 MB, no limit")
    assert last_line(plan, outcome, limit=400_000).endswith("; 1.0 MB of 400 kB, 600 kB over it")


def test_a_dry_run_says_that_it_was_one() -> None:
    plan = a_plan(PlannedAction(an_artifact("a"), Action.DELETE, ("expired",)))
    assert last_line(plan, None) == (
        "soak: dry run, nothing was changed: keep 0, compress 0, archive 0, delete 1, leave 0; 5.0 MB of 900 MB"
    )


def test_each_problem_is_a_line_before_the_last_and_a_fault_is_red() -> None:
    outcome = Outcome(
        (
            Result(NAME, Action.COMPRESS, 1, problem=Problem.CHANGED, detail="was\nwritten to"),
            Result("b", Action.COMPRESS, 1, problem=Problem.DISK_FULL, detail="the disk is full"),
        ),
        (),
        ("cannot list x",),
        0,
        0,
    )
    policy = RotationPolicy(classes=())
    lines = list(last_lines(Rotation(a_plan(), policy, ("cannot list x",), outcome), "soak"))
    assert [line.text for line in lines[:-1]] == [
        "cannot list x",
        "changed: a\\x1b[31m\\x0a.log: was\\x0awritten to",
        "disk-full: b: the disk is full",
    ]
    assert [line.marks for line in lines] == [("red",), ("yellow",), ("red",), ("red",)]


def test_progress_has_a_rate_and_the_time_left() -> None:
    assert progress_words(20_000_000, 100_000_000, 2.0) == "20.0 MB of 100 MB, 10.0 MB/s, 8.0 s left"
    assert progress_words(0, 100, 1.0) == "0 B of 100 B"


def test_a_size_that_is_known_only_by_reading_is_left_blank() -> None:
    table = compressed_table([Compressed("a.log", None, "a.log.zst"), Compressed("b", 3000, "x.tar.zst")])
    assert [[line.text for cell in row for line in cell] for row in table.rows] == [
        ["a.log", "", "a.log.zst"],
        ["b", "3.0 kB", "x.tar.zst"],
    ]
