from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from deqbench.telling import report
from deqbench.telling.loading import load
from deqbench.telling.looks import PALETTE
from deqbench.telling.pictures import Picture
from deqbench.telling.report.content import content_of
from deqbench.telling.report.inline import inline_svg

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.links, self.attributes = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.attributes += list(given)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "src", "xlink:href") if name in given]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(reported):
    return (reported / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text):
    return Page(text)


def test_the_report_is_complete(reported):
    names = {path.relative_to(reported).as_posix() for path in reported.rglob("*") if path.is_file()}
    figures = {
        f"figures/{name}.{kind}" for name in ("loss", "score", "cost", "failures") for kind in ("svg",)
    }
    assert names >= {"report.html", "report.md", "trials.csv", "curves.csv", "summary.csv", *figures}


def test_the_page_is_well_formed_and_its_identifiers_are_unique(parsed):
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))


def test_the_policy_allows_one_style_and_one_script_by_their_hashes_and_nothing_else(text):
    allowed = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1).replace("&#39;", "'")
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in allowed
    assert allowed.startswith("default-src 'none'; ")
    assert "unsafe" not in allowed
    assert "http" not in allowed


def test_no_tag_carries_a_style_or_a_handler(parsed):
    assert not [name for name in parsed.attributes if name == "style" or name.startswith("on")]


def test_the_script_is_small(text):
    (body,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert len(body.encode()) <= 40_000


def test_the_page_links_to_nothing_outside_itself(text, parsed):
    outside = [link for link in parsed.links if not link.startswith("#")]
    assert [link[:5] for link in outside] == ["data:"]  # the icon
    assert {link[1:] for link in parsed.links if link not in outside} <= set(parsed.ids)
    assert not re.search(r"@import|url\((?!#)", text)


def test_the_page_is_small(reported):
    assert (reported / "report.html").stat().st_size < 1_500_000


def test_figures_take_the_pages_colours(text):
    rules = text[text.index(".s0 {") : text.index("</style>")]
    assert "var(--c0)" in rules
    assert "currentColor" in rules
    assert PALETTE[0] not in rules + text[text.index("<svg") :]


def test_every_word_of_a_figure_stands_in_the_page_unchanged(reported, text):
    words = re.findall(r"<text[^>]*>([^<]*)</text>", (reported / "figures" / "loss.svg").read_text())
    assert "0.05" in words
    assert len(words) > 30
    assert all(f">{word}</text>" in text for word in words)


def test_tick_labels_keep_their_decimals_while_coordinates_are_rounded(frames, tmp_path):
    figure = Figure()
    figure.text(0.123456, 0.5, "0.00271")
    picture = Picture("fine", "Fine", "Fine print.", figure)
    picture.save(tmp_path)
    drawn = inline_svg(picture, tmp_path, "g0-")
    assert ">0.00271</text>" in drawn
    assert not re.search(r'[ "]\d+\.\d{3,}', re.sub(r">[^<]*<", "><", drawn))


def test_text_of_a_trial_is_escaped(text):
    assert "&lt;b&gt;not html&lt;/b&gt;" in text


def test_every_figure_says_what_it_shows_to_a_screen_reader(parsed, text):
    drawings = parsed.tags.count("svg") - text.count('class="track"')
    assert drawings == text.count('role="img"') == text.count("<desc") == text.count("<figure ")


def test_each_failure_is_listed_with_reason_and_key(text, frames):
    failed = frames.trials[frames.trials["status"] != "ok"]
    assert len(failed) == 4
    for row in failed.to_dict("records"):
        assert row["reason"] in text
        assert row["key"] in text


def test_the_page_says_how_to_reproduce_the_run(text):
    assert "<code>deqbench run quickstart</code>" in text


def test_page_markdown_and_content_say_the_same_numbers(reported, text, frames):
    markdown = (reported / "report.md").read_text(encoding="utf-8")
    for one in content_of(frames).rankings[0].standings:
        row = next(line for line in markdown.splitlines() if line.startswith(f"| `{one.label}` "))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1:4] == [one.score, one.score_interval, one.costs["train s"]]
        assert one.score_interval in text


def test_the_verdict_names_the_entries_that_the_seeds_cannot_tell_apart(fake, tmp_path):
    rivals = [fake.record(entry, seed=seed) for entry in fake.ENTRIES[8:11] for seed in range(3)]
    (ranking,) = content_of(load(fake.write_run(tmp_path, rivals))).rankings
    assert "do not tell it from 2 other entries" in ranking.sentence
    assert "fastest" in ranking.sentence


def test_one_seed_an_entry_concludes_nothing(fake, tmp_path):
    records = [fake.record(entry) for entry in fake.ENTRIES[8:11]]
    (ranking,) = content_of(load(fake.write_run(tmp_path, records))).rankings
    assert "not known" in ranking.sentence


def test_few_seeds_and_failures_are_cautioned_against(frames):
    cautions = " ".join(content_of(frames).cautions)
    assert "4 of 42 trials failed" in cautions
    assert "3 seeds an entry" in cautions


def test_the_page_names_the_commit(text):
    assert "b25d0fc2a91e" in text
    assert "uncommitted changes" in text


def test_an_entry_that_mostly_failed_stands_last_as_failed(frames):
    last = content_of(frames).rankings[0].standings[-1]
    assert (last.label, last.score, last.ok) == ("unrolled/adam", "failed", "1/3")


def test_a_run_whose_every_trial_failed_is_told(fake, tmp_path):
    folder = fake.write_run(tmp_path, [fake.record(fake.ENTRIES[13], seed=2)])
    text = report.write(folder).read_text(encoding="utf-8")
    assert "no entry has a median" in text
    assert "1 trial: 0 ok, 1 out of memory" in text


def test_a_run_that_has_only_begun_is_told(fake, tmp_path):
    planned = [fake.trial(fake.ENTRIES[0], seed=seed) for seed in range(2)]
    folder = fake.write_run(tmp_path, [], planned=planned)
    assert "2 planned trials have not run yet" in report.write(folder).read_text(encoding="utf-8")


def test_figures_of_an_earlier_report_do_not_stay(fake, tmp_path):
    folder = fake.write_run(tmp_path, [fake.record(fake.ENTRIES[13], seed=2)])
    report.write(folder)
    assert (folder / "figures" / "failures.svg").exists()
    fake.write_run(tmp_path, [fake.record(fake.ENTRIES[6])])
    report.write(folder)
    assert not (folder / "figures" / "failures.svg").exists()


def test_trials_reused_from_another_machine_are_a_caution(frames):
    assert "another machine" not in " ".join(content_of(frames).cautions)
    moved = replace(frames, environment=frames.environment | {"cpu": {"model": "another CPU"}})
    assert "reused from a run on another machine (AMD EPYC 7B13)" in " ".join(content_of(moved).cautions)
