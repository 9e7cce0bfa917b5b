"""The examples of the documents are run, in order, and say what the documents say they say.

A fenced block does something where an HTML comment stands before it:

- ``<!-- file: NAME -->``: it is written to NAME in the document's own directory;
- ``<!-- run -->``: each line ``$ COMMAND`` is run there, and the lines after it are what it must print (``...`` stands
  for any lines; times, durations, commits and directories may differ); ``<!-- run: exit N -->`` expects another code.

Every other block of Python or TOML must at least be well formed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_RUNS = ["README.md", "how-to.md", "promotion.md", "OPERATIONS.md"]
BLOCK = re.compile(
    r"(?:^<!-- (?P<order>(?:file|run)\b.*?) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)
VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "<time>"),
    (r"\b\d+(?:\.\d+)? ?m?s\b", "<took>"),
    (r"\b\d+(?:\.\d+)? (?:Ki|Mi)?B\b", "<size>"),
    (r"[^\s=]*/(?=\.causal|[\w-]+\.(?:toml|db|py))", ""),
    (r"\d{8}T\d{6}\.\d{6}Z", "<stamp>"),
    (r"=+", "="),
    (r"[ \t]+", " "),
    (r"\b20\d\d-\d\d-\d\d\b", "DAY"),  # what stands alone: times were levelled before
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block, and what the comment before it orders."""

    order: str
    language: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    for match in BLOCK.finditer(document.read_text("utf-8")):
        yield Block(order=match["order"] or "", language=match["language"], text=match["text"])


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a block with what it should print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def levelled(text: str) -> str:
    """Return text without what differs from run to run."""
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return "".join(f"{line.strip()}\n" for line in text.strip().splitlines())


def as_pattern(expected: str) -> str:
    lines = levelled(expected).splitlines()
    return "".join("(?:.*\n)*?" if line == "..." else f"{re.escape(line)}\n" for line in lines)


def run(command: str, directory: Path, expected_exit: int) -> str:
    env = {
        **os.environ,
        "COLUMNS": "100",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=directory,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == expected_exit, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_examples_do_what_the_document_says(document: Path, tmp_path: Path) -> None:
    for block in blocks(document):
        kind, _, rest = block.order.partition(":")
        if kind == "file":
            (tmp_path / rest.strip()).write_text(block.text, "utf-8")
        elif kind == "run":
            expected_exit = int(rest.removeprefix(" exit ") or 0)
            for command, expected in commands(block.text):
                said = run(command, tmp_path, expected_exit)
                is_as_told = re.fullmatch(as_pattern(expected), levelled(said)) is not None
                assert is_as_told, f"$ {command}\n{said}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_is_well_formed(document: Path) -> None:
    for block in blocks(document):
        if block.language == "python":
            compile(block.text, document.name, "exec")
        elif block.language == "toml":
            tomllib.loads(block.text)


@pytest.mark.parametrize("name", WITH_RUNS)
def test_the_documents_that_show_commands_run_some(name: str) -> None:
    (document,) = (each for each in DOCUMENTS if each.name == name)
    orders = [block for block in blocks(document) if block.order.startswith("run")]
    assert sum(1 for block in orders for _ in commands(block.text)) >= 2


@pytest.mark.parametrize(
    ("expected", "said", "is_equal"),
    [
        ("3 passed in 0.12s\n", "==== 3 passed in 4.00s ====\n", False),
        ("= 3 passed in 0.12s =\n", "==== 3 passed in 4.00s ====\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nb\nc\n", False),
        ("store /home/you/shop/.causal/history.db\n", "store /tmp/x/.causal/history.db\n", True),
        ("2 runs in 2 sessions\n", "2 runs in 1 session\n", False),
    ],
)
def test_output_is_compared_but_for_what_varies(expected: str, said: str, is_equal: bool) -> None:
    assert bool(re.fullmatch(as_pattern(expected), levelled(said))) is is_equal
