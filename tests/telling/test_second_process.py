"""A report is the same whoever draws it, and however many processes take part."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
import seaborn as sns

from deqbench.telling.aside import aside
from deqbench.telling.collecting import uncollected
from deqbench.telling.failure_figures import failures
from deqbench.telling.looks import STYLE
from deqbench.telling.report import Format, write_frames
from deqbench.telling.tables import grouped, rows_at

forking = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
HERE = os.getpid()


def whereabouts():
    return os.getpid()


def dying():
    if os.getpid() != HERE:
        os._exit(9)
    return "made here"


def refusing():
    raise ValueError("it cannot be made")


def test_without_a_second_process_everything_is_made_here_once_it_is_asked():
    made = []
    with aside(partial(made.append, 1), forked=False) as wait:
        assert not made
        wait(), wait()
    assert made == [1]


@forking
def test_a_thing_is_made_in_a_second_process_and_fetched_once():
    with aside(partial(sorted, [2, 1]), forked=True) as ordered, aside(whereabouts, forked=True) as place:
        assert ordered() == [1, 2]
        assert place() == place() != HERE


@forking
def test_what_a_process_that_died_left_is_made_here():
    with aside(dying, forked=True) as wait:
        assert wait() == "made here"


@forking
def test_an_error_of_the_second_process_is_raised_here():
    with (
        aside(refusing, forked=True) as wait,
        pytest.raises(ValueError, match="cannot be made"),
    ):
        wait()


@forking
def test_a_report_of_two_processes_has_the_same_bytes_as_one_of_one(frames, tmp_path):
    asked = (Format.HTML, Format.MARKDOWN, Format.CSV, Format.LATEX, Format.PNG)
    for name, forked in (("one", False), ("two", True)):
        write_frames(frames, tmp_path / name, asked, forked=forked)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_the_collector_is_afterwards_as_it_was():
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_style_is_seaborns_white_grid_but_for_colours_and_letters():
    ours = {"text.color", "grid.color", "image.cmap", "axes.edgecolor", "axes.facecolor", "figure.facecolor"}
    for name, value in sns.axes_style("whitegrid").items():
        if name not in ours and not name.startswith("font.") and not name.endswith(("labelcolor", "k.color")):
            assert STYLE[name] == value, name


def test_a_report_needs_neither_torch_nor_what_takes_long_to_import():
    heavy = "{'torch', 'scipy.stats', 'seaborn'}"
    code = f"import sys, deqbench.telling.report; print(*sorted({heavy} & {{*sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_counts_of_failures_are_written_out(frames):
    many = pd.concat([frames.trials] * 400, ignore_index=True)
    picture = failures(type(frames)(many, frames.curves, frames.suite, {}, {}))
    told = {text.get_text() for text in picture.figure.axes[0].texts}
    counts = picture.data.set_index("entry").to_numpy()
    assert told == {f"{count:,}" for count in counts[counts > 0]}
    assert any("," in text for text in told)


def test_groups_are_those_of_pandas_in_their_order(frames):
    theirs = frames.trials.groupby(["dataset", "entry"], sort=False, dropna=False)
    places = grouped(frames.trials, ["dataset", "entry"])
    assert [list(frames.trials.index[group]) for group in places] == [
        list(group.index) for _, group in theirs
    ]


def test_observations_are_found_as_a_mask_finds_them(frames):
    curves = frames.curves
    for dataset in [*frames.trials["dataset"].unique(), "nowhere"]:
        for name in [*curves["name"].unique(), "nothing"]:
            there = curves[(curves["dataset"] == dataset) & (curves["name"] == name)]
            pd.testing.assert_frame_equal(frames.observed(dataset, name), there)


def test_of_many_keys_rows_keep_their_own():
    keys = pd.Categorical([f"k{number}" for number in range(6000)])
    curves = pd.DataFrame({"key": keys, "value": np.arange(6000.0)})
    rows = rows_at(curves, np.array([5, 5999, 5]))
    assert rows["key"].tolist() == ["k5", "k5999", "k5"]
    assert sorted(rows["key"].cat.categories) == ["k5", "k5999"]
    assert rows["value"].tolist() == [5.0, 5999.0, 5.0]
