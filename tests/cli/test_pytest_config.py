from __future__ import annotations

from pathlib import Path

import pytest

from pytest_causal.cli.pytest_config import PytestConfig, find_activation, find_pytest_config

LAYOUTS: dict[str, dict[str, str]] = {
    "nothing": {},
    "pytest.ini": {"pytest.ini": "[pytest]\naddopts = -q\n"},
    "an empty pytest.ini": {"pytest.ini": ""},
    "a hidden pytest.ini": {".pytest.ini": "[pytest]\naddopts = -q\n"},
    "pyproject": {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-q -rA'\n"},
    "pyproject with a list": {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['-q', '-r', 'A']\n"},
    "pyproject of others": {"pyproject.toml": "[tool.ruff]\n"},
    "tox": {"tox.ini": "[pytest]\naddopts = -q\n"},
    "tox of others": {"tox.ini": "[tox]\n"},
    "setup.cfg": {"setup.cfg": "[tool:pytest]\naddopts = -q\n"},
    "setup.cfg of others": {"setup.cfg": "[metadata]\n"},
    "setup.py": {"setup.py": ""},
    "above": {"../pytest.ini": "[pytest]\n", "setup.py": ""},
    "above a pyproject of others": {"../pytest.ini": "[pytest]\n", "pyproject.toml": "[tool.ruff]\n"},
    "a pyproject of others above": {"../pyproject.toml": "[tool.ruff]\n"},
    "setup.py above": {"../setup.py": ""},
    "two pyprojects of others": {"../pyproject.toml": "", "pyproject.toml": ""},
    "ini before pyproject": {
        "pytest.ini": "",
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-rA'\n",
    },
    "percent": {"pytest.ini": "[pytest]\naddopts = -k 50%%_of\n"},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_root_and_addopts_are_those_that_pytest_finds(pytester: pytest.Pytester, name: str) -> None:
    inner = pytester.path / "outer" / "inner"
    inner.mkdir(parents=True)
    for file, text in LAYOUTS[name].items():
        (inner / file).write_text(text)
    (inner / "conftest.py").write_text(
        "def pytest_configure(config):\n"
        "    print('found', config.rootpath, config.getini('addopts'), sep='|', end='|')\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inner)
        said = pytester.runpytest_subprocess("--collect-only", "-s").stdout.str()
    _, root, addopts, *_ = said[said.index("found|") :].split("|")
    config = find_pytest_config(inner)
    assert (config.root, list(config.addopts)) == (Path(root), eval(addopts))


@pytest.mark.parametrize(
    "text",
    ["[tool.pytest\n", "tool = 3\n", "[tool]\npytest = 3\n", "[tool.pytest.ini_options]\naddopts = '\"'\n"],
)
def test_a_file_that_pytest_will_refuse_is_not_our_affair(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert find_pytest_config(tmp_path).root == tmp_path
    assert find_pytest_config(tmp_path).addopts == ()


@pytest.mark.parametrize(
    ("addopts", "env", "is_active", "why"),
    [
        ((), {}, False, "pytest -p causal"),
        (("-p", "causal"), {}, True, "-p causal in pytest.ini"),
        (("-pcausal",), {}, True, "-p causal in pytest.ini"),
        (("-q", "-p", "pytest_causal"), {}, True, "-p pytest_causal in pytest.ini"),
        (("-p", "causal", "-p", "no:causal"), {}, False, "blocked by -p no:causal in pytest.ini"),
        (("-p", "causal"), {"PYTEST_ADDOPTS": "-p no:causal"}, False, "in PYTEST_ADDOPTS"),
        ((), {"PYTEST_ADDOPTS": "-p causal"}, True, "in PYTEST_ADDOPTS"),
        ((), {"PYTEST_PLUGINS": "x, causal"}, True, "PYTEST_PLUGINS"),
        (("-p",), {}, False, "idle"),
        (("--pcausal", "-p", "no:cacheprovider", "causal"), {}, False, "idle"),
        ((), {"PYTEST_ADDOPTS": "-p 'causal"}, False, "idle"),
    ],
)
def test_activation(addopts: tuple[str, ...], env: dict[str, str], is_active: bool, why: str) -> None:
    config = PytestConfig(root=Path(), file=Path("pytest.ini"), addopts=addopts)
    activation = find_activation(config, env)
    assert activation.is_active is is_active
    assert why in activation.why
