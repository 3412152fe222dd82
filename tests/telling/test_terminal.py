from __future__ import annotations

import pytest

from deqbench.telling.loading import load
from deqbench.telling.report.terminal import _wrapped_label, summary_lines


@pytest.mark.parametrize("width", [100, 80, 60])
def test_the_summary_fits_the_terminal(frames, width):
    assert max(map(len, summary_lines(frames, width))) <= width


def test_the_summary_reads_without_colour(frames):
    assert "\x1b" not in "\n".join(summary_lines(frames))


@pytest.mark.parametrize("width", [100, 60])
def test_failures_never_give_way(frames, width):
    text = "\n".join(summary_lines(frames, width))
    for failure in ("diverged 1", "not converged 1", "timeout 1", "out of memory 1"):
        assert failure in text


def test_every_entry_has_its_line_and_the_best_is_first(frames):
    lines = summary_lines(frames)
    rule = next(place for place, line in enumerate(lines) if line.startswith("---"))
    assert lines[rule + 1].startswith("mlp/adam ")
    table = lines[rule + 1 : lines.index("", rule)]
    assert sum(line.startswith(tuple(frames.trials["label"])) for line in table) == 14


def test_a_failed_median_says_so(frames):
    line = next(line for line in summary_lines(frames) if line.startswith("unrolled/adam"))
    assert "failed [failed, 97.7]" in line


@pytest.mark.parametrize("room", [14, 20, 33])
def test_a_long_label_is_broken_not_cut(room):
    label = "linear/trust-region-newton[metric=hessian-diagonal,radius=100.0]/another-component"
    lines = _wrapped_label(label, room)
    assert max(map(len, lines)) <= room
    assert "".join(line.strip() for line in lines) == label


def test_data_sets_have_a_table_each(fake, tmp_path):
    records = [fake.record(fake.ENTRIES[6]), fake.record(fake.ENTRIES[6], dataset="diabetes", score="r2")]
    text = "\n".join(summary_lines(load(fake.write_run(tmp_path, records))))
    assert "test accuracy (%)" in text
    assert "test R²" in text
