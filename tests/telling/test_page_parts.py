"""What the page is made of: short paths, room for drawings, tables behind figures, axes, trials."""

from __future__ import annotations

import importlib
import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from deqbench.telling.figure_data import at_marks, decades, thinned
from deqbench.telling.pictures import Picture
from deqbench.telling.report import sections
from deqbench.telling.report.content import content_of
from deqbench.telling.report.drawings import drawings, marked
from deqbench.telling.report.paths import shortened
from deqbench.telling.report.sections import trials
from deqbench.telling.report.sections.section import Story, parts

page = importlib.import_module("deqbench.telling.report.page")  # the package's own `page` is its function


def absolute(data):
    """Where a path leads, told without the code under test: each number of M, L, l and z in turn."""
    places, here, command = [], np.zeros(2), ""
    for token in re.findall(r"[MLlz]|-?(?:\d*\.)?\d+", data):
        if token in "MLlz":
            command, pair = token, []
            continue
        pair.append(float(token))
        if len(pair) == 2:
            here = here + pair if command == "l" else np.array(pair)
            places.append(here)
            pair, command = [], "l" if command == "l" else "L"
    return np.array(places)


def test_a_shortened_path_leads_through_the_same_places():
    random = np.random.default_rng(0)
    walk = np.cumsum(random.normal(size=(400, 2)), axis=0) * 3
    data = "M " + " L ".join(f"{x:.6f} {y:.6f}" for x, y in walk)
    short = shortened(data)
    assert len(short) < len(data) / 2
    reached = absolute(short)
    distance = np.abs(reached[:, None] - np.round(walk, 1)[None]).max(axis=2)
    assert distance.min(axis=1).max() < 1e-6  # no place that was not there, and rounding does not add up
    assert np.abs(reached[-1] - walk[-1]).max() <= 0.0501


def test_a_path_of_other_commands_is_left_as_it_is():
    assert shortened("m 1.23456 2 a 1 1 0 0 1 2 2") == "m 1.23456 2 a 1 1 0 0 1 2 2"


def test_curves_and_closed_shapes_keep_their_commands():
    assert shortened("M 0 1.04 C 1 2 3 4 -5 6 L 7 8 z", 1) == "M0 1C1 2 3 4-5 6l12 2z"


@pytest.fixture
def pictures(tmp_path):
    """Three variants of one family and a picture alone, saved."""
    made = []
    for number, (name, family) in enumerate([("a", "f"), ("b", "f"), ("c", "f"), ("d", "")]):
        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        axes.plot(np.arange(50), np.sin(np.arange(50) + number), color="#0b5fa5")
        table = pd.DataFrame({"x": np.arange(500), "y": np.arange(500) / 7})
        made.append(Picture(name, name, "Caption.", figure, table, family, f"axis{number}" if family else ""))
        made[-1].save(tmp_path)
    return made, tmp_path


def test_variants_give_way_before_anything_else(pictures):
    made, folder = pictures
    texts, _ = marked(made, folder)
    whole = drawings(made, texts, 10**6, 10)
    sizes = {name: len(one.svg) for name, one in whole.items()}
    room = sizes["a"] + sizes["d"] + 10
    few = drawings(made, texts, room, 10)
    assert [name for name, one in few.items() if one.svg] == ["a", "d"]


def test_the_table_behind_a_figure_keeps_its_ends_and_says_what_it_left_out(pictures):
    made, folder = pictures
    one = drawings(made, marked(made, folder)[0], 10**6, 10)["a"]
    assert (one.rows[0], one.rows[-1]) == (("0", "0"), ("499", "71.3"))
    assert one.notice == "An even choice of 10 of 500 rows; the files beside this page hold all."
    assert one.numbers == (0, 1)


def test_a_page_that_would_pass_its_limit_links_to_figures_and_says_so(frames, reported, monkeypatch):
    story = story_of(frames)
    told = parts(sections.SECTIONS, story)
    monkeypatch.setattr(page, "LIMIT", 60_000)
    text = page.page(story.content, told, reported / "figures")
    assert "Left out to keep this page small. It lies beside it: <code>figures/loss.svg</code>" in text
    assert "<svg role" not in text


def story_of(frames):
    return Story(frames, content_of(frames))


def test_every_section_has_its_template_and_a_name_of_its_own():
    from importlib.resources import files

    folder = files("deqbench.telling.report") / "templates" / "sections"
    names = [section.name for section in sections.SECTIONS]
    assert len(names) == len(set(names))
    assert {f"{name}.html.j2" for name in names} == {path.name for path in folder.iterdir()}


def test_a_curve_is_thinned_to_rows_that_hold_its_ends():
    table = pd.DataFrame({"label": ["a"] * 100 + ["b"] * 3, "x": [*range(100), 7, 8, 9]})
    kept = thinned(table, ["label"], 4)
    assert kept[kept["label"] == "a"]["x"].tolist() == [0, 33, 66, 99]
    assert kept[kept["label"] == "b"]["x"].tolist() == [7, 8, 9]


def test_a_curve_is_read_at_marks_only_between_its_ends():
    curve = pd.DataFrame({"label": ["a"] * 3, "at": [2.0, 5.0, 40.0], "median": [0.5, 0.1, 0.01]})
    (row,) = at_marks({"p": curve}, ("at", "median"), [1, 10, 100], ("map", "entry")).to_dict("records")
    assert row == {"map": "p", "entry": "a", "at 10": 0.1, "ends at": 40.0, "with": 0.01}
    (held,) = at_marks({"p": curve}, ("at", "median"), [100], ("m", "e"), holds=True).to_dict("records")
    assert held["at 100"] == 0.01


def test_marks_are_the_decades_of_what_was_seen():
    assert decades(pd.Series([0.0, 3.0, 250.0, math.inf])) == [10.0, 100.0]
    assert decades(pd.Series([0.0])) == []


def test_all_trials_stand_in_the_list_as_the_suite_wrote_them(frames):
    it = trials.build(story_of(frames))
    told = {column.key: column.cells for column in it.columns}
    assert it.total == len(it.data["rows"]) == 42
    assert it.notice == ""
    assert told["model"][0] == "deq-linear"
    assert told["trainer"][0] == "adam[lr=0.01]"
    assert told["solver"][-1] == "-"
    assert set(told["status"]) == {"ok", "diverged", "timeout", "not converged", "out of memory"}


def test_too_many_trials_are_thinned_and_every_failure_stays(frames, monkeypatch):
    monkeypatch.setattr(trials, "ROOM", 2_000)
    monkeypatch.setattr(trials, "SHOWN", 5)
    it = trials.build(story_of(frames))
    statuses = next(column.cells for column in it.columns if column.key == "status")
    failed = int((frames.trials["status"] != "ok").sum())
    assert failed < len(statuses) < 42
    assert sum(status != "ok" for status in statuses) == failed
    assert it.notice.startswith(f"{len(statuses)} of 42 trials: those that did not end well before others")


def test_a_board_places_every_entry_on_every_axis_that_was_measured(frames):
    verdict = sections.verdict.build(story_of(frames))
    board = verdict.standings[0].board
    assert [scale.key for scale in board.scales] == [
        "score",
        "calls",
        "updates",
        "seconds",
        "memory",
        "parameters",
    ]
    ranking = verdict.standings[0].ranking
    for one, row in zip(ranking.standings, board.places, strict=True):
        assert row[0].written == one.score
        assert row[3].written == one.costs["train s"]


def test_json_in_the_page_ends_no_script():
    told = page._json({"text": "</script><b>"})
    assert "<" not in told
