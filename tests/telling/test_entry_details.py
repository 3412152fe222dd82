"""Entry by entry: components, costs, measured rates, the worst seed and the command that makes it again."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from deqbench.records import CurvePoint, Record, Status
from deqbench.suites.selection import select
from deqbench.telling.calls_figures import calls
from deqbench.telling.loading import load
from deqbench.telling.looks import GRID
from deqbench.telling.rates_of_runs import halving, rates
from deqbench.telling.report.content import content_of
from deqbench.telling.report.sections import Story, details
from deqbench.telling.worst_seeds import worst_seeds
from deqbench.trials import Ref, Trial

IMPLICIT = "deq-linear/anderson/implicit/adam"


def story(frames):
    return Story(frames, content_of(frames))


@pytest.fixture(scope="module")
def it(frames):
    return details.build(story(frames))


def solve(solver, factor, seed=0, steps=20, status=Status.OK):
    components = {"map": Ref.parse("affine[gamma=0.5]"), "solver": Ref.parse(solver)}
    parameters = {"map": {"gamma": 0.5}, "solver": dict(components["solver"].parameters)}
    trial = Trial("solvers", "equilibrium", components, parameters, seed, {"dtype": "float64"})
    points = [CurvePoint(step, step, 0.001 * step, "residual", factor**step) for step in range(steps)]
    metrics = {"residual": factor ** (steps - 1), "solved": 1.0}
    return Record(trial, status, metrics=metrics, costs={"map_equivalents": steps + seed}, curves=points)


@pytest.fixture(scope="module")
def solves(fake, tmp_path_factory):
    records = [solve("picard", 0.5, seed) for seed in range(3)]
    records += [solve("anderson", 0.1 + 0.02 * seed, seed, steps=8) for seed in range(3)]
    suite = {"name": "solvers", "experiment": "equilibrium", "seeds": [0, 1, 2]}
    return load(fake.write_run(tmp_path_factory.mktemp("solves") / "run", records, suite=suite))


def trained(fake, seed=0, rate=0.02, promised=0.01):
    entry = fake.ENTRIES[6]
    points = []
    for step in range(0, 201, 20):
        values = {"gap": 2 * math.exp(-rate * step), "rate_bound": 2 * math.exp(-promised * step)}
        values |= {"spectral_radius": 0.5 + step / 1000, "training_calls": 4.0 + step / 100}
        points += [CurvePoint(step, step / 20, step / 1000, name, value) for name, value in values.items()]
    metrics = {"test_accuracy": 0.9 + seed / 100}
    return Record(fake.trial(entry, seed=seed), Status.OK, metrics=metrics, costs={}, curves=points)


@pytest.fixture(scope="module")
def theory(fake, tmp_path_factory):
    records = [trained(fake, seed) for seed in range(2)]
    return load(fake.write_run(tmp_path_factory.mktemp("theory") / "run", records))


def test_the_rate_of_a_geometric_residual_is_its_factor(solves):
    found = {one.label: one for one in rates(solves)}
    assert found["picard"].factor == pytest.approx(0.5, rel=1e-9)
    assert (found["anderson"].least, found["anderson"].most) == pytest.approx((0.1, 0.14), rel=1e-9)


def test_the_rate_over_seeds_is_the_median(solves):
    (anderson,) = [one for one in rates(solves) if one.label == "anderson"]
    assert (anderson.factor, anderson.seeds) == (pytest.approx(0.12, rel=1e-9), 3)


def test_a_gap_is_told_beside_its_bound(theory):
    (one,) = rates(theory)
    assert one.factor == pytest.approx(math.exp(-0.02), rel=1e-9)
    assert one.bound == pytest.approx(math.exp(-0.01), rel=1e-9)
    assert one.against == pytest.approx(0.5, rel=1e-9)


def test_a_gap_below_zero_by_rounding_is_its_floor(fake, tmp_path):
    one = trained(fake)
    end = [CurvePoint(step, step / 20, step / 1000, "gap", -1e-17) for step in (220, 240)]
    frames = load(fake.write_run(tmp_path / "run", [replace(one, curves=[*one.curves, *end])]))
    assert rates(frames)[0].factor == pytest.approx(math.exp(-0.02), rel=1e-9)


def test_a_run_without_residuals_or_gaps_has_no_rates(frames):
    assert rates(frames) == []


@pytest.mark.parametrize(("factor", "calls_needed"), [(0.1, 1.0), (0.5, math.log(10) / math.log(2))])
def test_calls_per_decade_of_a_factor(factor, calls_needed):
    assert halving(factor) == pytest.approx(calls_needed)


def test_what_does_not_fall_has_no_decade():
    assert math.isinf(halving(1.0))


def test_the_worst_seed_is_the_failed_one(frames):
    worst = worst_seeds(frames)["unrolled/adam"]
    assert worst.status in ("timeout", "out_of_memory")


def test_without_failures_the_worst_seed_has_the_worst_score(frames):
    rows = frames.trials[frames.trials["label"] == "linear/lbfgs"]
    worst = worst_seeds(frames)["linear/lbfgs"]
    assert worst.seed == rows.loc[rows["test_accuracy"].idxmin(), "seed"]
    assert worst.value == rows["test_accuracy"].min()


def test_less_is_worse_only_where_more_is_better(solves):
    assert worst_seeds(solves)["picard"].seed == 2  # it took the most map-equivalents


def test_the_command_selects_that_one_trial(fake, it, frames):
    plan = [fake.trial(entry, seed=seed) for entry in fake.ENTRIES for seed in range(3)]
    keys = {label: worst.key for label, worst in worst_seeds(frames).items()}
    for one in it.entries:
        words = shlex.split(one.rerun)
        assert [trial.key for trial in select(plan, words[words.index("--only") + 1])] == [keys[one.label]]


def test_parameters_tell_twins_apart_in_the_command(fake, tmp_path):
    twins = [(*fake.ENTRIES[7][:3], f"adam[lr={rate}]", *fake.ENTRIES[7][4:]) for rate in (0.1, 0.01)]
    records = [fake.record(entry, seed=seed) for entry in twins for seed in range(2)]
    for worst in worst_seeds(load(fake.write_run(tmp_path / "run", records))).values():
        assert [trial.key for trial in select([one.trial for one in records], worst.only)] == [worst.key]


def test_an_entry_tells_every_parameter_of_its_components(it):
    one = next(entry for entry in it.entries if entry.label == IMPLICIT)
    parts = dict(one.parts)
    assert parts["solver"] == "anderson (memory = 5, ridge = 1e-10)"
    assert parts["gradient"] == "implicit (solver = anderson, solver.memory = 5, tolerance = 1e-06)"


def test_a_dozen_entries_are_told_and_the_rest_counted(it, frames):
    assert len(it.entries) == details.MOST_ENTRIES
    assert f"{frames.trials['label'].nunique() - details.MOST_ENTRIES} more" in it.notice


def test_costs_are_those_of_the_ranking(it, frames):
    (ranking,) = content_of(frames).rankings
    for one in it.entries:
        standing = next(each for each in ranking.standings if each.label == one.label)
        assert dict(one.facts).items() >= standing.costs.items()


def test_calls_and_radius_are_drawn_along_the_training(theory):
    picture = calls(theory)
    data = picture.data
    assert set(data["of"]) == {"calls a sample", "spectral radius"}
    assert {to_hex(spine.get_edgecolor()) for spine in picture.figure.axes[0].spines.values()} == {GRID}
    last = data[data["of"] == "spectral radius"].iloc[-1]
    assert last["median"] == pytest.approx(0.7)


def test_nothing_is_drawn_where_no_solve_was_observed(frames):
    assert calls(frames) is None


def test_solves_are_not_drawn_twice(solves):
    assert calls(solves) is None


def test_several_maps_stand_in_a_table(solves, fake, tmp_path):
    records = [solve("picard", 0.5, seed) for seed in range(2)]
    other = [
        Record(
            Trial("solvers", "equilibrium", {**one.trial.components, "map": Ref.parse("tanh")}, {}, 0, {}),
            Status.OK,
            metrics=one.metrics,
            costs=one.costs,
            curves=one.curves,
        )
        for one in records[:1]
    ]
    suite = {"name": "solvers", "experiment": "equilibrium", "seeds": [0, 1]}
    found = details.build(story(load(fake.write_run(tmp_path / "run", [*records, *other], suite=suite))))
    costs, measured = found.entries[0].tables
    assert (
        [row[0] for row in costs.rows] == [row[0] for row in measured.rows] == ["affine[gamma=0.5]", "tanh"]
    )
    assert measured.rows[0][1] == "0.5000"


def test_markdown_tells_every_entry(it):
    said = "\n".join(details.markdown(it))
    assert all(f"### `{one.label}`" in said for one in it.entries)


def test_the_rate_table_is_sound_for_a_run_that_failed_throughout(fake, tmp_path):
    records = [solve("picard", 1.2, seed, status=Status.DIVERGED) for seed in range(2)]
    suite = {"name": "solvers", "experiment": "equilibrium", "seeds": [0, 1]}
    frames = load(fake.write_run(tmp_path / "run", records, suite=suite))
    (one,) = rates(frames)
    assert one.factor > 1
    (table,) = details.build(story(frames)).entries[0].tables
    assert table.rows[0][4] == "does not fall"
