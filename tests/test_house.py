"""The house keeps its shape: files and functions that fit a screen, words that mean something."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "deqbench").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(node):
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_read_in_one_sitting(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 320
    long = {f"{path.name}:{node.lineno} {node.name}": body_lines(node) for node in functions(path)}
    assert {name: lines for name, lines in long.items() if lines > 40} == {}


def test_no_room_is_called_utils():
    assert [
        path for path in SOURCES if re.fullmatch(r"_?(utils?|helpers?|misc|common|managers?)", path.stem)
    ] == []


def test_no_line_names_a_machine_path():
    own = re.compile(r"/(work|tmp|root|home)/\w")
    guilty = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*SOURCES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if own.search(line)
    ]
    assert guilty == []
