"""What is guessed of a suite before it is read, for a head start."""

from __future__ import annotations

import pytest

from deqbench.cli.early import likely_threads


@pytest.mark.parametrize(
    ("text", "overrides", "threads"),
    [
        ("seeds = [0]", (), 1),
        ("threads = 3", (), 3),
        ("threads = 3", ("threads=2",), 2),
        ("threads = 3", ("seeds=[1]", " threads = 4 "), 4),
        ("threads = 0", (), 1),
        ('threads = "two"', (), 1),
        ("threads = ", (), 1),
        ("threads = 3", ("threads=many",), 1),
    ],
)
def test_the_threads_are_those_that_file_and_overrides_name(tmp_path, text, overrides, threads):
    (suite := tmp_path / "a.toml").write_text(text)
    assert likely_threads(str(suite), overrides) == threads


def test_a_shipped_suite_is_taken_to_have_one_thread():
    assert likely_threads("quickstart", ()) == 1
