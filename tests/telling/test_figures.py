from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from deqbench.telling.figures import draw
from deqbench.telling.loading import load
from deqbench.telling.looks import looks


@pytest.fixture(scope="module")
def pictures(frames):
    return {picture.name: picture for picture in draw(frames)}


@pytest.fixture(scope="module")
def texts(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    paths = {name: picture.save(folder)[0] for name, picture in pictures.items()}
    return {
        name: [e.text for e in ET.parse(path).iter() if e.tag.endswith("}text")]
        for name, path in paths.items()
    }


def test_a_run_with_failures_has_three_figures(pictures):
    assert list(pictures) == ["loss", "score", "failures"]


def test_every_entry_has_a_look_of_its_own(frames):
    styles = looks(frames.trials, "model")
    assert len(styles) == len(set(styles.values())) == 14


def test_entries_of_one_model_share_its_colour(frames):
    styles = looks(frames.trials, "model")
    assert len({look.colour for look in styles.values()}) == 5


def test_text_in_an_svg_is_text(texts):
    assert {"parameter updates", "training seconds", "train loss", "mlp/adam"} <= set(texts["loss"])


def test_every_entry_is_named_in_every_figure(frames, texts):
    for words in texts.values():
        assert set(frames.trials["label"]) <= set(words)


def test_the_same_run_gives_the_same_bytes(fake, tmp_path):
    frames = load(fake.write_run(tmp_path, [fake.record(entry) for entry in fake.ENTRIES[6:8]]))
    first, again = (
        [one.save(tmp_path / folder)[0].read_bytes() for one in draw(frames)] for folder in ("first", "again")
    )
    assert first == again


def test_a_layout_keeps_no_digits_that_differ_from_process_to_process(frames, tmp_path):
    picture = next(each for each in draw(frames) if each.figure.get_layout_engine() is not None)
    picture.save(tmp_path)
    sides = [side for axes in picture.figure.axes for side in axes.get_position(original=True).bounds]
    assert sides == pytest.approx([round(side, 9) for side in sides], abs=1e-15)


@pytest.mark.parametrize("entries", [slice(8, 9), slice(0, 12)])
def test_every_curve_lies_inside_its_axes(fake, tmp_path, entries):
    records = [fake.record(entry, seed=1) for entry in fake.ENTRIES[entries]]
    drawn = draw(load(fake.write_run(tmp_path, records)))
    for axes in [axes for picture in drawn[:2] for axes in picture.figure.axes]:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        points = [point for line in axes.lines for point in line.get_xydata()]
        assert len(points) > 10
        assert all(left <= x <= right and bottom <= y <= top for x, y in points)


def test_a_run_without_failures_has_no_figure_of_them(fake, tmp_path):
    records = [fake.record(fake.ENTRIES[6], seed=seed) for seed in range(3)]
    names = [picture.name for picture in draw(load(fake.write_run(tmp_path, records)))]
    assert names == ["loss", "score"]


def test_a_run_whose_trials_all_failed_is_drawn(fake, tmp_path):
    frames = load(fake.write_run(tmp_path, [fake.record(fake.ENTRIES[13], seed=seed) for seed in (1, 2)]))
    names = [picture.name for picture in draw(frames)]
    assert names == ["loss", "score", "failures"]


def test_a_run_without_any_observation_shows_only_how_it_ended(fake, tmp_path):
    frames = load(fake.write_run(tmp_path, [fake.record(fake.ENTRIES[13], seed=2)]))
    assert [picture.name for picture in draw(frames)] == ["failures"]


def test_three_data_sets_are_drawn_side_by_side(fake, tmp_path):
    records = [fake.record(fake.ENTRIES[6], name) for name in ("digits", "wine")]
    records.append(fake.record(fake.ENTRIES[6], "diabetes", score="r2"))
    pictures = {one.name: one for one in draw(load(fake.write_run(tmp_path, records)))}
    assert len(pictures["score"].figure.axes) == 6
    pictures["score"].save(tmp_path)


def test_a_perfect_accuracy_has_a_place_on_the_axis(fake, tmp_path):
    perfect = (*fake.ENTRIES[6][:4], 1.05, *fake.ENTRIES[6][5:])
    record = fake.record(perfect)
    points = [type(p)(p.step, p.epoch, p.seconds, p.name, min(p.value, 1.0)) for p in record.curves]
    record = type(record)(record.trial, record.status, None, {"test_accuracy": 1.0}, record.costs, points)
    pictures = draw(load(fake.write_run(tmp_path, [record])))
    assert pictures[1].figure.axes[0].get_ylim()[1] >= 1.0
