"""No product code runs text as code, reads a format that can, or hands a line to a shell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_checkout
ROOT = Path(__file__).parents[2]
BANNED_MODULES = frozenset(
    {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
)
BANNED_CALLS = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "__import__",
        "yaml.load",
        "yaml.unsafe_load",
        "os.system",
        "os.popen",
        "tempfile.mktemp",
    }
)


def banned_uses(source: str) -> list[str]:
    """Return ``line: what`` for every banned import, call or keyword."""
    return [
        use for node in ast.walk(ast.parse(source)) for use in (*banned_imports(node), *banned_calls(node))
    ]


def banned_imports(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            modules = [name.name for name in names]
        case ast.ImportFrom(module=str(module)):
            modules = [module]
        case _:
            return
    yield from (f"{node.lineno}: import {name}" for name in modules if name.split(".")[0] in BANNED_MODULES)


def banned_calls(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    if (called := ast.unparse(node.func)) in BANNED_CALLS:
        yield f"{node.lineno}: {called}()"
    for keyword in node.keywords:
        is_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
        if keyword.arg == "shell" and not is_off:
            yield f"{node.lineno}: shell="


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import marshal as m",
        "from pickle import loads",
        "def f():\n    from shelve import open",
        "eval('1')",
        "exec(text)",
        "yaml.load(stream)",
        "subprocess.run('ls', shell=True)",
        "subprocess.run('ls', shell=wanted)",
        "os.system('ls')",
    ],
)
def test_a_banned_use_is_found(source: str) -> None:
    assert banned_uses(source)


@pytest.mark.parametrize(
    "source", ["import json", "connection.execute('x')", "run(['ls'], shell=False)", "re.compile('x')"]
)
def test_an_honest_use_is_let_be(source: str) -> None:
    assert not banned_uses(source)


def test_product_code_has_no_banned_use() -> None:
    files = sorted(path for folder in ("pytest_causal", "tools") for path in (ROOT / folder).rglob("*.py"))
    found = [
        f"{path.relative_to(ROOT)}:{use}" for path in files for use in banned_uses(path.read_text("utf-8"))
    ]
    assert files
    assert found == []


def test_no_statement_numbers_its_placeholders() -> None:
    """Python 3.12 takes ``?1`` for a name and warns of a sequence of values: an error where a suite makes it one."""
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("pytest_causal", "tools", "examples")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"[=<>( ]\?[1-9]\b", line)
    ]
    assert places == []
