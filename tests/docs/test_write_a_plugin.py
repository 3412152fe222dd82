"""The page that teaches plugins is run: its files are written, its commands called, their output compared."""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deqbench.hookspecs import Hooks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write-a-plugin.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [
    part.split("\n")
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda lines: words(lines[0]))
def test_a_command_of_the_page_prints_what_the_page_says(command, folder):
    program, *arguments = shlex.split(command[0])
    assert program == "deqbench"
    line = [sys.executable, "-m", "deqbench", *arguments]
    done = subprocess.run(line, check=False, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    missing = [line for line in command[1:] if words(line) not in words(done.stdout)]
    assert missing == [], done.stdout


@pytest.mark.parametrize(("name", "most"), [("halved.py", 10), ("iris.py", 6)])
def test_the_smallest_plugins_are_short(name, most):
    assert len([line for line in FILES[name].splitlines() if line.strip()]) <= most


def test_the_package_of_the_page_is_the_one_that_is_installed_by_a_test():
    package = ROOT / "tests" / "third_party" / "deqbench-heavyball"
    for name in ("pyproject.toml", "src/deqbench_heavyball/__init__.py"):
        assert FILES[f"deqbench-heavyball/{name}"] == (package / name).read_text(encoding="utf-8")


def test_the_page_names_every_hook_with_its_signature():
    hooks = {
        f"{name}{inspect.signature(hook)}".replace("(self)", "()").partition(" ->")[0]
        for name, hook in inspect.getmembers(Hooks, inspect.isfunction)
    }
    named = set(re.findall(r"^\| `(deqbench_\w+\(.*?\))`", PAGE, re.MULTILINE))
    assert named == hooks
