"""The experiment: precision rises before a violation is called one; records, tables, page and exit code."""

from __future__ import annotations

import json

import pytest

from deqbench.claims import Assumption, Evidence, Point
from deqbench.cli import main
from deqbench.discovery.registry import Registry, sources_from
from deqbench.experiments import run_trial
from deqbench.experiments.claim import MOST_POINTS, examined, thinned
from deqbench.records import Record, Status
from deqbench.suites.suite import expand, read_suite

PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar
from deqbench.claims import Assumption, Evidence, Point
from deqbench.plugin import Entry, hookimpl

@dataclass(frozen=True)
class Made:
    """A claim made for a test."""
    code: ClassVar[str] = "T1"
    statement: ClassVar[str] = "Quantities stay below one."
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-6
    worst: float = 0.5
    def examine(self, seed, precision):
        known = Assumption("known", 2.0, True, "it is known")
        return Evidence((known,), (Point(1.0, self.worst, 1.0),), (Point(1.0, 2.0, 1.0),), "twice as much")
    def read(self, trials, curves):
        return [((key,), self.examine(0, 0)) for key in trials["key"]]

@hookimpl
def deqbench_claims():
    return [Entry("made", Made)]
'''
SUITE = """
experiment = "claim"
[[grid]]
claim = {claims}
"""


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "made.py").write_text(PLUGIN, encoding="utf-8")

    def run(*claims, name="bench"):
        suite = tmp_path / f"{name}.toml"
        suite.write_text(SUITE.format(claims=json.dumps(claims)), encoding="utf-8")
        out = tmp_path / name
        words = ["run", str(suite), "--out", str(out), "--plugin", str(tmp_path / "made.py"), "--quiet"]
        with pytest.raises(SystemExit) as ended:
            main(words)
        return ended.value.code, out

    return run


class Wavering:
    """Violated until the tolerances are tight."""

    code, statement, source, tolerance, finest = "T", "s", "own", 1e-6, 2

    def __init__(self, settled):
        self.settled, self.asked = settled, []

    def examine(self, seed, precision):
        self.asked.append(precision)
        return Evidence((), (Point(1.0, 0.5 if precision >= self.settled else 2.0, 1.0),))


@pytest.mark.parametrize(("settled", "asked"), [(0, [0]), (1, [0, 1]), (2, [0, 1, 2])])
def test_a_violation_is_examined_more_precisely_until_it_is_gone(settled, asked):
    claim = Wavering(settled)
    _, verdict, precision = examined(claim, 0)
    assert claim.asked == asked
    assert precision == asked[-1]
    assert verdict.verdict == "HOLDS"


def test_a_violation_that_every_precision_finds_is_one():
    claim = Wavering(3)
    assert examined(claim, 0)[1].verdict == "VIOLATED"
    assert claim.asked == [0, 1, 2]


def test_long_curves_are_thinned_and_keep_their_worst_point():
    points = [Point(float(t), 0.5, 1.0) for t in range(1000)]
    points[333] = Point(333.0, 0.99, 1.0)
    kept = thinned(points)
    assert len(kept) <= MOST_POINTS
    assert points[333] in kept
    assert kept[0].t == 0
    assert kept[-1].t == 999


def test_a_trial_records_curves_assumptions_and_the_judgement(tmp_path):
    (tmp_path / "made.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "one.toml").write_text(SUITE.format(claims='["made"]'), encoding="utf-8")
    registry = Registry.load(sources_from((str(tmp_path / "made.py"),), ()))
    (trial,) = expand(read_suite(str(tmp_path / "one.toml"), registry), registry, device="cpu")
    record = run_trial(trial, registry)
    assert record.status == "ok"
    assert record.judgement["verdict"] == "HOLDS"
    assert record.judgement["control_fired"] is True
    assert record.metrics["worst"] == 0.5
    assert record.metrics["assumed_known"] == 2.0
    assert {"quantity", "bound", "ratio", "control_ratio"} <= set(record.metrics)
    assert Record.from_json(record.to_json()).judgement == record.judgement
    assert Assumption(**record.judgement["assumptions"][0]).holds


def test_a_record_without_a_judgement_writes_none(tmp_path):
    (tmp_path / "made.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "one.toml").write_text(SUITE.format(claims='["made"]'), encoding="utf-8")
    registry = Registry.load(sources_from((str(tmp_path / "made.py"),), ()))
    (trial,) = expand(read_suite(str(tmp_path / "one.toml"), registry), registry, device="cpu")
    written = Record(trial, Status.OK).to_json()
    assert "judgement" not in written
    assert Record.from_json(written).judgement is None


def test_a_run_whose_claims_hold_exits_0_and_tells_them_on_terminal_and_page(bench, capsys):
    code, out = bench("made")
    assert code == 0
    told = capsys.readouterr().out
    assert "1 claim in 1 case: 1 HOLDS." in told
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in ("Quantities stay below one.", "Source: own", "it is known", "twice", "--only", "<svg"):
        assert words in page
    assert "T1: made" in (out / "report.md").read_text(encoding="utf-8")


def test_a_run_with_a_violated_claim_exits_1_again_when_it_is_reused(bench, capsys):
    for _ in range(2):
        code, _ = bench("made", "made[worst=1.5]", name="bad")
        assert code == 1
    assert "T1 VIOLATED" in capsys.readouterr().out


def test_the_verdicts_of_a_run_are_told_again_and_its_records_read(bench, capsys, tmp_path):
    _, out = bench("made[worst=0.25]")
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["claims", str(out), "--claim", "t1", "--plugin", str(tmp_path / "made.py")])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "2 claims in 2 cases: 2 HOLDS" in told  # one live, one from the records
    assert "assumed: it is known" in told


def test_a_code_without_a_verdict_is_a_mistake(bench, capsys):
    _, out = bench("made")
    with pytest.raises(SystemExit) as ended:
        main(["claims", str(out), "--claim", "C99"])
    assert ended.value.code == 2
    assert "T1" in capsys.readouterr().err


def test_the_experiment_takes_claims_alone(bench, capsys, tmp_path):
    suite = tmp_path / "odd.toml"
    suite.write_text('experiment = "claim"\n[[grid]]\nclaim = "depth-law"\nmap = "tanh"\n', encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["run", str(suite), "--dry-run"])
    assert ended.value.code == 2
    assert "takes claim, no map" in capsys.readouterr().err
