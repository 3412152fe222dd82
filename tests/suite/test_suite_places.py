import pytest

from deqbench.suites.places import line_numbers, line_of, shown_path

TEXT = '''# a comment
title = "x"
description = """
budget = 5
[grid]
"""
seeds = [
  0,  # one
  1,
]
stop.norm = "l1"

[budget]
epochs = 2

[[grid]]
model = { name = "mlp", width = 8 }
[grid.budget]
steps = 3

[[grid]]
"model" = "linear"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("description",), 3),
        (("seeds", 1), 7),
        (("stop", "norm"), 11),
        (("stop", "tolerance"), 11),
        (("budget",), 13),
        (("budget", "epochs"), 14),
        (("grid", 0), 16),
        (("grid", 0, "model", "width"), 17),
        (("grid", 0, "budget"), 18),
        (("grid", 0, "budget", "steps"), 19),
        (("grid", 1, "model"), 22),
        (("grid", 1, "solver"), 21),
        (("grid", 2), None),
        (("probes",), None),
    ],
)
def test_a_key_stands_on_its_line(path, line):
    assert line_of(path, line_numbers(TEXT)) == line


def test_windows_line_ends_count_once():
    assert line_of(("b",), line_numbers("a = 1\r\n\r\nb = 2\r\n")) == 3


def test_a_path_is_shown_as_a_person_writes_it():
    assert shown_path(("grid", 1, "solver", 0)) == "grid[1].solver[0]"
