"""The README tells the truth: its commands are run here, or, where they install, by the CI script."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line
]
INSTALLING = [command for command in COMMANDS if command.startswith("pip install")]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("readme")
    (place / "halved.py").write_text(PYTHON[0], encoding="utf-8")
    return place


def run(arguments, folder):
    environment = os.environ | {"NO_COLOR": "1", "PYTHONWARNINGS": "default"}
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=280
    )


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in INSTALLING])
def test_a_command_of_the_readme_succeeds(command, folder):
    program, *arguments = shlex.split(command)
    assert program == "deqbench"
    done = run([sys.executable, "-m", "deqbench", *arguments], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("command", INSTALLING)
def test_an_installing_command_is_run_by_the_ci_script(command):
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_there_are_two_installing_commands():
    assert len(INSTALLING) == 2


def test_the_solver_of_the_readme_is_listed(folder):
    done = run([sys.executable, "-m", "deqbench", "list", "solvers", "--plugin", "halved.py"], folder)
    assert "halved" in done.stdout
    assert "Picard, damped by half." in done.stdout


@pytest.mark.parametrize("block", PYTHON[1:], ids=["results", "equilibrium"])
def test_a_python_block_of_the_readme_runs(block, folder):
    # A script without a main guard, as a researcher writes it.
    done = run([sys.executable, "-c", block], folder)
    assert done.returncode == 0, done.stderr
