from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from deqbench.keeping.store import Store
from deqbench.records import Record
from deqbench.telling import report
from deqbench.telling.figures import draw
from deqbench.telling.loading import load
from deqbench.telling.looks import looks
from deqbench.telling.report.axes import tracks
from deqbench.telling.report.content import content_of
from deqbench.telling.report.terminal import summary_lines

SOLVER_PICTURES = [
    "residual-calls",
    "residual-work",
    "residual-seconds",
    "data-profile",
    "performance-work",
    "performance-seconds",
    "work",
    "calls",
]
GRADIENT_PICTURES = ["error-inputs", "error-parameters", "error-cost", "errors", "saved"]


class Tables(HTMLParser):
    """The tables of a page, as rows of cells; and whether its tags close."""

    void = {"meta", "br", "img", "link", "input", "hr"}  # noqa: RUF012 - a constant of the parser

    def __init__(self, text):
        super().__init__()
        self.tables, self.cell, self.open = [], None, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag not in self.void:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.cell = dict(attributes).get("class", "") != "scale" or None

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data.strip()


def words(folder, name):
    drawn = ET.parse(folder / "figures" / f"{name}.svg").iter()
    return [element.text for element in drawn if element.tag.endswith("}text")]


def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_each_experiment_has_its_pictures(solver_folder, gradient_folder):
    for folder, names in ((solver_folder, SOLVER_PICTURES), (gradient_folder, GRADIENT_PICTURES)):
        saved = {path.name for path in (folder / "figures").iterdir()}
        assert saved == {f"{name}.svg" for name in (*names, "forest")}
        text = page(folder)
        assert [text.index(f'id="figure-{name}"') for name in names] == sorted(
            text.index(f'id="figure-{name}"') for name in names
        )


def test_every_entry_is_named_in_every_picture(
    solver_folder, gradient_folder, solver_frames, gradient_frames
):
    for folder, frames, names in (
        (solver_folder, solver_frames, SOLVER_PICTURES),
        (gradient_folder, gradient_frames, GRADIENT_PICTURES),
    ):
        for name in names:
            assert set(frames.trials["label"]) <= set(words(folder, name)), name


def test_the_page_holds_no_comment_and_no_idle_space_of_a_drawing(solver_folder):
    drawn = page(solver_folder)
    drawn = drawn[drawn.index("<svg") : drawn.rindex("</svg>")]
    assert "<!--" not in drawn
    assert not re.search(r"<g[^>]*>\s+<", drawn)


def test_every_map_has_its_panel(solver_folder):
    titles = {"affine: gamma = 0.5", "affine: gamma = 0.9", "affine: gamma = 0.99", "monotone"}
    assert titles | {"tanh: norm = 0.5", "tanh: norm = 0.99"} <= set(words(solver_folder, "residual-calls"))


def test_profiles_say_how_many_problems_they_are_of(solver_folder):
    told = set(words(solver_folder, "data-profile"))
    assert {"all maps (18 problems)", "affine (9 problems)", "monotone (3 problems)"} <= told


def test_the_heat_table_says_missed_where_most_seeds_missed(solver_folder):
    assert words(solver_folder, "work").count("missed") == 4
    assert words(solver_folder, "calls").count("missed") == 4


def test_an_error_beyond_all_measure_stays_inside_its_axes(gradient_folder, told_run):
    made = list(Store(gradient_folder).records())[:12]
    wild = {**made[0].metrics, "error_inputs": 7e25, "error_parameters": 0.0}
    made[0] = Record(made[0].trial, made[0].status, None, wild, made[0].costs)
    for picture in draw(load(told_run(made, "gradient")))[:2]:
        for axes in (one for one in picture.figure.axes if one.get_visible()):
            (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
            points = [point for line in axes.lines for point in line.get_xydata()]
            assert points
            assert top / bottom < 1e20
            assert all(left <= x <= right and bottom <= y <= top for x, y in points)


def test_the_same_solves_give_the_same_bytes(solves, told_run, tmp_path):
    names = ("picard", "newton-krylov")
    frames = load(told_run([solves("affine[gamma=0.9]", name, 0) for name in names]))
    folders = tmp_path / "first", tmp_path / "again"
    first, again = ([one.save(folder)[0].read_bytes() for one in draw(frames)[::3]] for folder in folders)
    assert first == again
    assert len(first) == 3


def test_twenty_solvers_have_twenty_looks(solvers_of, told_run):
    frames = load(told_run(solvers_of(20)))
    assert len(set(looks(frames.trials, "solver").values())) == 20


@pytest.fixture
def solvers_of(solves):
    """Records of so many solvers of different names on one map."""
    from dataclasses import replace

    from deqbench.trials import Ref

    def make(many):
        record = solves("affine[gamma=0.9]", "picard", 0)
        return [
            replace(
                record,
                trial=replace(
                    record.trial, components=record.trial.components | {"solver": Ref(f"solver-{number}")}
                ),
            )
            for number in range(many)
        ]

    return make


def test_a_run_in_which_every_solve_missed_is_told(solves, told_run):
    names = ("picard", "peer-anderson")
    made = [solves("affine[gamma=0.99]", name, seed) for name in names for seed in (0, 1)]
    folder = told_run(made)
    report.write(folder)
    text = page(folder)
    assert "no entry has a median" in text
    assert "residual-calls" in text
    assert "data-profile" not in text


def test_a_run_of_maps_that_has_only_begun_is_told(solves, told_run):
    made = [solves(text, "picard", 0) for text in ("affine[gamma=0.5]", "affine[gamma=0.9]")]
    folder = told_run([], planned=[one.trial for one in made])
    assert "2 planned trials have not run yet" in report.write(folder).read_text(encoding="utf-8")
    assert summary_lines(load(folder))


def test_a_run_of_gradients_that_has_only_begun_is_told(gradient_folder, told_run):
    folder = told_run([], "gradient", planned=[one.trial for one in Store(gradient_folder).records()][:9])
    assert "9 planned trials have not run yet" in report.write(folder).read_text(encoding="utf-8")
    assert summary_lines(load(folder))


@pytest.mark.parametrize("which", ["solver_folder", "gradient_folder"])
def test_no_table_of_the_page_has_an_empty_column(which, request):
    found = Tables(page(request.getfixturevalue(which))).tables
    assert len(found) > 5
    for rows in found:
        head, body = rows[0], rows[1:]
        for column, title in enumerate(head):
            values = {row[column] for row in body}
            scale = values == {""} and (title == "" or title[0].isdigit())
            assert scale or values - {"", "-"}, (title, values)


@pytest.mark.parametrize("which", ["solver_folder", "gradient_folder"])
def test_nothing_speaks_of_training(which, request):
    folder = request.getfixturevalue(which)
    told = page(folder) + (folder / "report.md").read_text() + "\n".join(summary_lines(load(folder)))
    assert not re.search(r"training (seconds|time|clock)|fastest to train|parameter updates|train s\b", told)
    assert "data set" not in told


def test_a_miss_is_told_once_for_all_its_seeds_and_is_no_failure(solver_frames):
    content = content_of(solver_frames)
    assert [(one.dataset, one.label, one.seeds) for one in content.misses] == [
        ("affine[gamma=0.99]", "picard", "0, 1, 2"),
        ("affine[gamma=0.99]", "peer-anderson", "0, 1, 2"),
        ("tanh[norm=0.99]", "peer-anderson", "0, 1, 2"),
        ("monotone[m=0.1]", "peer-anderson", "0, 1, 2"),
    ]
    assert [one.name for one in content.failures] == ["tanh[norm=0.5]: broyden"]
    assert "1 of 102 trials failed" in " ".join(content.cautions)


def test_the_page_says_of_each_map_what_its_table_says(solver_folder, solver_frames):
    text = page(solver_folder)
    for ranking in content_of(solver_frames).rankings:
        assert ranking.sentence.replace("'", "&#39;") in text
        assert f"<b>{ranking.dataset}</b>" in text


def test_the_verdict_is_one_table_over_all_maps(solver_frames, gradient_frames):
    solved = content_of(solver_frames).overall
    assert solved is not None
    assert [row[0] for row in solved.rows][:2] == ["anderson", "newton-krylov"]
    assert solved.rows[0][1] == "18/18"
    assert "anderson and newton-krylov solved the most problems: 18 of 18." in solved.sentence
    exact = content_of(gradient_frames).overall
    assert exact is not None
    assert "by anderson/implicit" in exact.sentence


def test_a_run_on_one_map_is_told_by_its_ranking(solves, told_run):
    made = [solves("affine[gamma=0.9]", name, seed) for name in ("picard", "direct") for seed in range(3)]
    folder = told_run(made)
    report.write(folder)
    frames = load(folder)
    assert content_of(frames).overall is None
    head = next(one for one in summary_lines(frames) if one.startswith("affine[gamma=0.9]"))
    assert all(title in head for title in ("map-equivalents", "solve ms", "overhead", "map calls", "ok"))
    assert "failures" not in head
    assert "solve ms" in page(folder)


@pytest.mark.parametrize("width", [100, 80, 60])
@pytest.mark.parametrize("which", ["solver_frames", "gradient_frames"])
def test_the_summary_of_maps_fits_the_terminal(which, width, request):
    lines = summary_lines(request.getfixturevalue(which), width)
    assert max(map(len, lines)) <= width


def test_errors_that_span_decades_lie_on_a_logarithmic_track(gradient_frames):
    ranking = next(one for one in content_of(gradient_frames).rankings if one.dataset == "affine[gamma=0.9]")
    assert ranking.logarithmic
    places = [track.median for track in tracks(ranking)]
    assert places == sorted(places)
    assert 10 < places[1] < 50  # two of nine decades up; on a linear scale it would lie at zero


def test_the_markdown_says_what_the_page_says(solver_folder, solver_frames):
    told = (solver_folder / "report.md").read_text(encoding="utf-8")
    overall = content_of(solver_frames).overall
    for row in overall.rows:
        assert f"| `{row[0]}` | {' | '.join(row[1:])} |" in told
    assert "## Missed tolerances" in told
    assert all(f"](figures/{name}.svg)" in told for name in SOLVER_PICTURES)
