"""``causal lessons``: what reverts taught."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_causal.cli.acting import bare_context, reason_option, secrets_of
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.cli.place import find_place, store_option
from pytest_causal.errors import ExitCode, UsageError
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line

if TYPE_CHECKING:
    from pytest_causal.actions.context import Context


@click.command()
@click.option(
    "--write",
    "file",
    metavar="FILE",
    help="Write those in force to FILE.lessons.json, which pytest collects.",
)
@click.option("--retire", "label", metavar="ID", help="Let lesson ID gate nothing any more; needs --reason.")
@reason_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.lesson_list/1).")
def lessons(file: str | None, label: str | None, reason: str, store: str | None, as_json: bool) -> int:
    """Show what reverts taught: which scenario failed with which value, and what it has to show before that again.

    A file of lessons beside the tests lets pytest run each as a scenario of its own, with criteria of its own.

    \b
    Exit codes:
      0   lessons were shown or written, or one was retired
      1   --retire: it was retired before
      3   nothing was learned yet
      66  --retire: there is no such lesson
    """
    if label is not None and (file is not None or as_json):
        raise UsageError("--retire goes with --reason alone", "show or write lessons with another command")
    if file is not None and as_json:
        raise UsageError("--write and --json are two things", "give one of them")
    if label is not None and not reason:
        raise UsageError("--retire needs a reason", "add --reason; the audit keeps it")
    if label is None and reason:
        raise UsageError("--reason goes with --retire", "leave it out")
    place = find_place(store)
    if place.has_nothing_recorded():
        note(place.nothing_recorded)
        return ExitCode.INCONCLUSIVE
    with place.reading() if label is None else place.writing() as history:
        context = bare_context(place, history)
        if label is not None:
            return _retire(context, label, reason)
        return _show(context, as_json=as_json) if file is None else _write(context, file)


def _retire(context: Context, label: str, reason: str) -> ExitCode:
    from pytest_causal.actions.retire import retire

    retired = retire(context, label, reason)
    text = f"{retired.label} is retired: {terminal(retired.regression)} gates nothing any more"
    write([Screen().lines([Line(text=text)])])
    return ExitCode.OK


def _show(context: Context, *, as_json: bool) -> ExitCode:
    from pytest_causal.actions.retire import kept_lessons
    from pytest_causal.views.lesson_list import LessonRow, lesson_lines, lessons_document

    kept = kept_lessons(context.store, context.store.lessons())
    rows = [LessonRow(each.lesson, each.tests) for each in kept]
    secrets = secrets_of(context)
    if as_json:
        write_json(lessons_document(rows, secrets, context.now_us))
    elif rows:
        write([Screen().lines(lesson_lines(rows, secrets))])
    if not rows:
        note("nothing was learned yet")
    return ExitCode.OK if rows else ExitCode.INCONCLUSIVE


def _write(context: Context, file: str) -> ExitCode:
    from pytest_causal.actions.retire import kept_lessons
    from pytest_causal.policy.atomic_file import replace_file
    from pytest_causal.policy.lesson_file import SUFFIX, lessons_text

    in_force = [each for each in context.store.lessons() if not each.retired_us]
    if not in_force:
        note("nothing was learned yet, or all of it was retired; nothing is written")
        return ExitCode.INCONCLUSIVE
    if shown := [each for each in in_force if each.path in secrets_of(context)]:
        raise UsageError(
            f"{shown[0].label} is about {shown[0].path}, which is secret",
            "retire it, or leave it out of secrets",
        )
    path = Path(file if file.endswith(SUFFIX) else file + SUFFIX).absolute()
    kept = kept_lessons(context.store, in_force)
    replace_file(path, lessons_text(kept).encode())
    lines = [Line(text=f"{len(kept)} written to {terminal(str(path))}")]
    lines += [
        Line(
            text=f"{each.lesson.label}: no test of {terminal(each.lesson.scenario)} is known",
            marks=("yellow",),
        )
        for each in kept
        if not each.tests
    ]
    write([Screen().unwrapped(lines)])
    return ExitCode.OK
