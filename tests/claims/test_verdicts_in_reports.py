"""Claims that a suite names are judged on its run's records, and its report tells the verdicts."""

from __future__ import annotations

import pytest

from deqbench.cli import main

PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar
from deqbench.claims import Assumption, Evidence, Point
from deqbench.plugin import Entry, hookimpl

@dataclass(frozen=True)
class Falls:
    """Training lowers the loss."""
    code: ClassVar[str] = "T7"
    statement: ClassVar[str] = "The last loss is below the first."
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-6
    factor: float = 1.0
    def read(self, trials, curves):
        losses = curves[curves["name"] == "train_loss"].groupby("key", observed=True)["value"]
        known = Assumption("seen", 2.0, True, "losses were observed")
        for key, first, last in zip(losses.first().index, losses.first(), losses.last(), strict=True):
            below = Point(1.0, last, self.factor * first)
            yield (key,), Evidence((known,), (below,), (Point(1.0, 2 * first, first),), "a loss that grows")

@hookimpl
def deqbench_claims():
    return [Entry("falls", Falls)]
'''
SUITE = """
claims = [{claim}]
evaluations = 2
operations = false
probes = ["loss", "accuracy"]
[budget]
steps = 5
[[grid]]
dataset = "teacher[n=60,inputs=4]"
model = "linear"
trainer = ["gd", "adam"]
"""


def ended(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main([*words])
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verdicts")
    (folder / "falls.py").write_text(PLUGIN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(place):
    """The folder of a run whose suite names the claim."""
    (place / "bench.toml").write_text(SUITE.format(claim='"falls"'), encoding="utf-8")
    words = ["--out", str(place / "run"), "--plugin", str(place / "falls.py"), "--quiet"]
    assert ended("run", str(place / "bench.toml"), *words) == 0
    return place / "run"


def test_a_run_whose_suite_names_claims_tells_their_verdicts_beside_its_entries(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    for words in ("1 claim in 2 cases: 2 HOLDS", "The last loss is below", 'id="verdicts"', "standings"):
        assert words in page
    assert page.count('class="brief"') == 2  # on paper each case that holds is one line
    told = (run / "report.md").read_text(encoding="utf-8")
    assert "T7: falls" in told
    assert "linear/adam" in told


def test_a_report_reads_the_records_again(run, place, capsys):
    before = (run / "report.html").read_bytes()
    assert ended("report", str(run), "--plugin", str(place / "falls.py")) == 0
    told = capsys.readouterr().out
    assert "linear/adam" in told
    assert "1 claim in 2 cases: 2 HOLDS." in told
    assert (run / "report.html").read_bytes().count(b"claim-falls") == before.count(b"claim-falls") > 0


def test_a_claim_that_is_not_installed_is_left_out_of_the_report_and_named(run, place, capsys):
    assert ended("report", str(run), "--out", str(place / "without")) == 0
    assert "There is no verdict on falls: Unknown claim 'falls'." in capsys.readouterr().err
    assert "claim-falls" not in (place / "without" / "report.html").read_text(encoding="utf-8")


def test_a_claim_that_fails_as_it_reads_costs_its_verdict_and_no_more(run, place, capsys):
    broken = PLUGIN.replace("losses = curves", 'raise RuntimeError("no such column"); losses = curves')
    (place / "broken.py").write_text(broken, encoding="utf-8")
    words = ["--plugin", str(place / "broken.py"), "--out", str(place / "broken")]
    assert ended("report", str(run), *words) == 0
    assert "There is no verdict on falls: RuntimeError: no such column" in capsys.readouterr().err
    assert (place / "broken" / "report.html").is_file()


def test_a_claim_that_fails_as_it_reads_leaves_the_other_verdicts_of_a_run(run, place, capsys):
    text = PLUGIN.replace("losses = curves", 'raise RuntimeError("no such column"); losses = curves')
    (place / "other.py").write_text(text.replace('"falls"', '"fails"'), encoding="utf-8")
    words = ["--plugin", str(place / "falls.py"), "--plugin", str(place / "other.py")]
    assert ended("claims", str(run), *words) == 0
    told = capsys.readouterr()
    assert "There is no verdict on fails: RuntimeError: no such column" in told.err
    assert "1 claim in 2 cases: 2 HOLDS." in told.out


def test_a_suite_gives_parameters_to_its_claims_and_one_that_is_violated_fails_the_run(place, capsys):
    suite = place / "strict.toml"
    suite.write_text(SUITE.format(claim='"falls[factor=0.001]"'), encoding="utf-8")
    words = ["--out", str(place / "strict"), "--plugin", str(place / "falls.py"), "--no-report"]
    assert ended("run", str(suite), *words) == 1
    assert "T7 VIOLATED" in capsys.readouterr().out


def test_a_suite_that_names_a_claim_which_reads_nothing_is_a_mistake(place, capsys):
    (place / "odd.toml").write_text(SUITE.format(claim='"depth-law"'), encoding="utf-8")
    assert ended("run", str(place / "odd.toml"), "--dry-run") == 2
    assert "'depth-law' reads no records" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("claim", "usage"),
    [
        ("recorded-rate", 'In a suite: claims = ["recorded-rate"]'),
        ("depth-law", 'In a suite with experiment = "claim": claim = '),
    ],
)
def test_a_claim_says_where_a_suite_names_it(claim, usage, capsys):
    assert ended("show", f"claims/{claim}") == 0
    assert usage in capsys.readouterr().out
