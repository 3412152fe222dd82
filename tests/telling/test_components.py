"""What the page's filters choose by: components that tell entries apart, and whose each drawn thing is."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import pytest

from deqbench.telling import report
from deqbench.telling.loading import load
from deqbench.telling.looks import PALETTE, Look, looks, owners, signed_each
from deqbench.telling.report.components import choices
from deqbench.telling.report.content import content_of
from deqbench.telling.report.sections import SECTIONS, Story, parts

SIGNED = ("loss", "score", "cost", "cost-memory", "cost-parameters", "forest", "attained-seconds")


@pytest.fixture(scope="module")
def page(reported):
    return (reported / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def things(frames, things_of, tmp_path_factory):
    """Name of a picture to what it draws."""
    folder = tmp_path_factory.mktemp("signed")
    told = parts(SECTIONS, Story(frames, content_of(frames)))
    return {one.name: things_of(one, folder) for part in told for one in part.pictures}


def written(entry):
    """An entry of the made run as its suite names its components."""
    return [part or "-" for part in entry[:4]]


def test_every_entry_is_chosen_by_the_components_that_the_suite_wrote(frames, fake):
    found = choices(frames)
    assert list(found.axes) == ["model", "solver", "gradient", "trainer"]
    told = [
        [names[place] for names, place in zip(found.axes.values(), row, strict=True)] for row in found.places
    ]
    assert told == [written(entry) for entry in fake.ENTRIES]


def test_an_axis_on_which_all_entries_agree_is_not_offered(fake, tmp_path):
    records = [fake.record(entry) for entry in fake.ENTRIES[:2]]  # they differ in their gradient alone
    assert dict(choices(load(fake.write_run(tmp_path, records))).axes) == {
        "gradient": ("implicit", "one-step")
    }


def test_one_entry_leaves_nothing_to_choose(fake, tmp_path):
    folder = fake.write_run(tmp_path, [fake.record(fake.ENTRIES[7], seed=seed) for seed in range(2)])
    assert choices(load(folder)) is None
    text = report.write(folder).read_text(encoding="utf-8")
    assert 'id="entries-shown"' not in text
    assert 'id="entries-data"' not in text


def test_settings_that_alone_tell_two_entries_apart_are_an_axis(fake, tmp_path):
    record = fake.record(fake.ENTRIES[7])
    double = replace(record.trial, settings={**record.trial.settings, "dtype": "float64"})
    frames = load(fake.write_run(tmp_path, [record, replace(record, trial=double)]))
    assert dict(choices(frames).axes) == {"settings": ("dtype=float32", "dtype=float64")}


def test_the_page_holds_the_choices_once(page, frames):
    (data,) = re.findall(r'<script type="application/json" id="entries-data">(.*?)</script>', page)
    assert json.loads(data) == json.loads(json.dumps(choices(frames).to_json()))


def test_a_row_of_the_standings_is_that_of_its_entry(page, frames):
    labels = list(dict.fromkeys(frames.trials["label"]))
    for table in ("verdict-0", "entries-0"):
        (body,) = re.findall(rf'<table id="{table}".*?</table>', page, flags=re.DOTALL)
        rows = re.findall(r'<tr data-e="(\d+)">\s*<th scope="row">([^<]*)</th>', body)
        assert len(rows) == body.count('scope="row"') == len(labels)
        assert all(labels[int(number)] == label for number, label in rows)


@pytest.mark.parametrize("name", SIGNED)
def test_whatever_wears_a_colour_belongs_to_an_entry_that_wears_it(things, frames, name):
    worn = list(looks(frames.trials, "model").values())
    by_number = {look.entries[0]: f"var(--c{PALETTE.index(look.colour)})" for look in worn}
    coloured = [(owner, colours) for owner, colours, _ in things[name] if colours]
    assert len(coloured) >= len(by_number)
    for owner, colours in coloured:
        assert {by_number[int(number)] for number in owner.split()} == colours


@pytest.mark.parametrize("name", SIGNED)
def test_every_name_of_an_entry_beside_a_figure_belongs_to_it(things, frames, name):
    labels = list(dict.fromkeys(frames.trials["label"]))
    named = [(owner, words) for owner, _, words in things[name] if words in labels]
    assert len(named) >= len(labels) - 1  # the forest stands against the best
    assert all(labels[int(owner)] == words for owner, words in named)


def test_what_is_said_of_all_entries_belongs_to_none(things):
    assert not any(owner for owner, _, _ in things["failures"])
    assert not any(owner for owner, _, words in things["loss"] if words == "parameter updates")


def test_identifiers_in_a_saved_figure_are_unique(frames, tmp_path):
    for part in parts(SECTIONS, Story(frames, content_of(frames))):
        for picture in part.pictures:
            root = ET.parse(picture.save(tmp_path)[0]).getroot()
            repeated = {one: n for one, n in Counter(node.get("id") for node in root.iter()).items() if n > 1}
            assert set(repeated) <= {None}, picture.name


def test_the_same_run_reported_again_gives_the_same_bytes(fake, tmp_path):
    folder = fake.write_run(tmp_path, [fake.record(entry) for entry in fake.ENTRIES[4:8]])
    made = []
    for _ in range(2):
        report.write(folder)
        files = [folder / "report.html", *sorted((folder / "figures").glob("*.svg"))]
        made.append([path.read_bytes() for path in files])
    assert made[0] == made[1]
    assert len(made[0]) > 5


def test_what_one_look_signs_has_different_identifiers():
    look = Look("#0b5fa5", "o", "", (3,))
    other = Look("#0b5fa5", "o", "", (5,))
    signed = [look.sign(), look.sign(), signed_each([look, other]), signed_each([look, other])]
    assert len(set(signed)) == 4
    assert [owners(one, 2) for one in signed] == [["3", "3"], ["3", "3"], ["3", "5"], ["3", "5"]]


def test_a_look_that_stands_for_several_entries_signs_for_all_of_them():
    assert owners(Look("#0b5fa5", "o", "", (3, 11)).sign(), 1) == ["3 11"]


def test_a_look_of_no_entry_signs_nothing():
    nobody = Look("#0b5fa5", "o", "")
    assert nobody.sign() is signed_each([nobody]) is signed_each([]) is None


@pytest.mark.parametrize(("identifier", "drawn"), [("line2d_7", 1), ("", 3), ("one-3-5.0", 3)])
def test_what_no_look_signed_or_was_drawn_in_another_number_is_nobodys(identifier, drawn):
    assert owners(identifier, drawn) == []
