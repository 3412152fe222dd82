"""What stands around panels has its room, whether they are fitted to it or have fixed margins."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from deqbench.telling.layouts import MOST_FITTED, legend, panels
from deqbench.telling.looks import GRID, STYLE, Look
from deqbench.telling.multiples import named_panels
from deqbench.telling.report.content import content_of
from deqbench.telling.report.sections import SECTIONS, Story, parts

LABELS = ["deq-mlp/anderson/implicit/adam[lr=0.0013000000001]", "a", "another/entry"]
STYLES = {label: Look("#0b5fa5", "o", "") for label in LABELS}
SIZES = [(1, 1), (2, 2), (3, 2), (2, 3), (10, 2)]


def measured(figure):
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    return renderer, figure.bbox


def drawn(rows, columns):
    with mpl.rc_context(STYLE):
        figure, axes = panels(rows, columns, LABELS)
        for each in axes.flat:
            each.set(
                xlabel="parameter updates", ylabel="test loss", title="digits", xlim=(0, 1000), ylim=(0, 0.01)
            )
        legend(figure, STYLES, LABELS)
        renderer, whole = measured(figure)
    return SimpleNamespace(figure=figure, axes=[*axes.flat], renderer=renderer, whole=whole)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_the_legend_stands_beside_the_panels_within_the_figure(rows, columns):
    one = drawn(rows, columns)
    box = one.figure.legends[0].get_window_extent(one.renderer)
    assert one.whole.x0 <= box.x0 <= box.x1 <= one.whole.x1
    assert max(axes.get_window_extent(one.renderer).x1 for axes in one.axes) <= box.x0


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_names_of_axes_stand_within_the_figure_clear_of_numbers_and_of_other_panels(rows, columns):
    one = drawn(rows, columns)
    boxes = [axes.get_window_extent(one.renderer) for axes in one.axes]
    for axes in one.axes:
        for axis in (axes.xaxis, axes.yaxis):
            box = axis.label.get_window_extent(one.renderer)
            assert one.whole.x0 <= box.x0 <= box.x1 <= one.whole.x1
            assert one.whole.y0 <= box.y0 <= box.y1 <= one.whole.y1
            assert not any(box.overlaps(other) for other in boxes)
            numbers = [text.get_window_extent(one.renderer) for text in axis.get_ticklabels()]
            assert not any(box.overlaps(number) for number in numbers)


@pytest.mark.parametrize("count", [MOST_FITTED, MOST_FITTED + 1])
def test_panels_with_x_axes_of_their_own_have_room_to_name_each(count):
    with mpl.rc_context(STYLE):
        figure, places = named_panels([str(number) for number in range(count)], LABELS, share_x=False)
        for axes in places.values():
            axes.set(xlabel="norm", ylabel="")
        renderer, _ = measured(figure)
    titles = [axes.title.get_window_extent(renderer) for axes in places.values()]
    for axes in places.values():
        name = axes.xaxis.label.get_window_extent(renderer)
        assert not any(name.overlaps(title) for title in titles if title.width)


def test_every_figure_of_a_report_wears_the_style(frames):
    figures = [part.pictures for part in parts(SECTIONS, Story(frames, content_of(frames)))]
    names = set()
    for picture in (each for pictures in figures for each in pictures):
        names.add(picture.name)
        for axes in picture.figure.axes:
            assert {to_hex(spine.get_edgecolor()) for spine in axes.spines.values()} == {GRID}, picture.name
        assert not any(one.get_frame_on() for one in picture.figure.legends), picture.name
    assert {"loss", "score", "forest", "cost"} <= names
