"""The page of the claims tells the truth: its table is the registry's, its example runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deqbench.claims import Outcome
from deqbench.discovery.registry import Registry
from deqbench.suites.suite import expand, read_suite

PAGE = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLE = PAGE.partition("\n## How to write one\n")[2]
COMMANDS = [
    part.strip().split("\n")
    for block in re.findall(r"^```console\n(.*?)^```$", EXAMPLE, re.MULTILINE | re.DOTALL)
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]
REGISTRY = Registry.load()
BUILT_IN = [one.entry.name for one in REGISTRY.offers("claims") if one.origin.distribution == "deqbench"]
NOWHERE = "reads any run"


def rows():
    table = PAGE.partition("\n## The claims\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


@pytest.fixture(scope="module")
def used():
    """Claim to the suites that examine it."""
    found = {}
    for offer in REGISTRY.offers("suites"):
        suite = read_suite(offer.entry.name, REGISTRY)
        if suite.experiment == "claim":
            for trial in expand(suite, REGISTRY, device="cpu"):
                found.setdefault(trial.components["claim"].name, set()).add(offer.entry.name)
    return found


def test_the_table_is_the_registrys():
    claims = {name: REGISTRY.target("claims", name) for name in BUILT_IN}
    wanted = {(one.code, f"`{name}`", one.statement, one.source) for name, one in claims.items()}
    told = {tuple(row[:4]) for row in rows()}
    assert wanted - told == set(), "missing from docs/claims.md"
    assert told - wanted == set(), "no longer in the registry"


def test_the_table_names_the_suites_of_each_claim(used):
    for _, name, _, _, suites, seen in rows():
        wanted = ", ".join(sorted(used.get(name.strip("`"), ()))) or NOWHERE
        assert suites == wanted, name
        assert seen


def test_every_live_claim_is_examined_by_a_suite(used):
    live = {name for name in BUILT_IN if hasattr(REGISTRY.target("claims", name), "examine")}
    assert live - set(used) == set()


def test_the_page_names_every_verdict():
    table = PAGE.partition("\n## How a verdict is made\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| ([A-Z]+) \|", table, re.MULTILINE)) == {one.value for one in Outcome}


def test_it_says_plainly_what_is_not_claimed():
    part = PAGE.partition("\n## What is not claimed\n")[2].partition("\n## ")[0]
    assert "on digits it is slower" in part
    assert "P10" in part


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims_page")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
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
    assert [said for said in command[1:] if words(said) not in words(done.stdout)] == [], done.stdout
