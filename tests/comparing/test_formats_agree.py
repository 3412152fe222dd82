"""A, B and both merged: page, Markdown, LaTeX and CSV say the same numbers, to the last digit written."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from deqbench.comparing.merging import merge
from deqbench.telling.loading import load
from deqbench.telling.report import Format, write_frames
from deqbench.telling.report.numbers import score
from deqbench.telling.report.rankings import COST_COLUMNS

ALL = (Format.HTML, Format.MARKDOWN, Format.CSV, Format.LATEX)
OVERALL = {
    "a": {"entries": ("linear", "mlp"), "fails": (("mlp", "wine", 1),)},
    "b": {"entries": ("deq-linear",)},
}


class Tables(HTMLParser):
    """The tables of a page: caption to rows of cells, as a reader sees them."""

    def __init__(self, text):
        super().__init__()
        self.found, self.caption, self.row, self.cell = {}, None, None, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.caption, self.rows = "", []
        elif tag == "tr":
            self.row = []
        elif tag in {"td", "th", "caption"}:
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag == "caption":
            self.caption, self.cell = " ".join(self.cell.split()), None
        elif tag in {"td", "th"} and self.cell is not None:
            self.row.append(" ".join(self.cell.split()))
            self.cell = None
        elif tag == "tr":
            self.rows.append(self.row)
        elif tag == "table":
            self.found[self.caption] = [row for row in self.rows if row]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    from made_up_runs import Run

    place = tmp_path_factory.mktemp("runs")
    frames = {name: load(Run(**facts).write(place / name)) for name, facts in OVERALL.items()}
    frames["both"] = merge(dict(frames))
    for name, one in frames.items():
        write_frames(one, place / "out" / name, ALL)
    return place / "out"


@pytest.fixture(params=["a", "b", "both"])
def told(request, folders):
    """The folder of one report, and the written cells of each data set and entry by title, from its page."""
    folder = folders / request.param
    cells = {}
    for caption, (head, *rows) in Tables((folder / "report.html").read_text(encoding="utf-8")).found.items():
        if "what each entry cost" in caption:
            dataset = caption.partition(":")[0]
            cells |= {(dataset, row[0]): dict(zip(head, row, strict=True)) for row in rows}
    return folder, cells


def test_every_entry_of_every_data_set_stands_in_the_page(told):
    folder, cells = told
    summary = pd.read_csv(folder / "summary.csv")
    assert set(cells) == set(zip(summary["dataset"], summary["label"], strict=True))


def test_markdown_has_the_numbers_of_the_page(told):
    folder, cells = told
    text = (folder / "report.md").read_text(encoding="utf-8")
    for (dataset, entry), written in cells.items():
        section = text.partition(f"### {dataset}\n")[2].partition("\n##")[0]
        [line] = [line for line in section.splitlines() if line.startswith(f"| `{entry}` |")]
        found = [cell.strip() for cell in line.strip("|").split("|")]
        for title, cell in written.items():
            assert title == "entry" or cell in found, title


def test_latex_has_the_numbers_of_the_page(told):
    folder, cells = told
    text = (folder / "report.tex").read_text(encoding="utf-8")
    for (dataset, entry), written in cells.items():
        table = re.search(rf"\\caption{{{dataset}:.*?\\bottomrule", text, re.DOTALL).group()
        [line] = [line for line in table.splitlines() if line.startswith(f"{entry} &")]
        found = [cell.strip().removesuffix(r"\\").strip() for cell in line.split(" & ")]
        for title, cell in written.items():
            assert title == "entry" or cell.replace("%", r"\%") in found, title


def test_csv_has_the_numbers_that_the_page_rounds(told):
    folder, cells = told
    summary = pd.read_csv(folder / "summary.csv").set_index(["dataset", "label"])
    for place, written in cells.items():
        row = summary.loc[place]
        for title, cell in written.items():
            if title in COST_COLUMNS:
                column, write = COST_COLUMNS[title]
                assert write(row[column]) == cell, title
        titles = [title for title in written if title.startswith("test accuracy")]
        assert [written[title] for title in titles] == [score(row["metric"], row["score"])]
