"""The experiment on one solver and one map: what it observes is true, and a miss is a finding."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from map_bench import map_trial

from deqbench.discovery.registry import Registry
from deqbench.discovery.sources import PluginSources
from deqbench.experiments import ground, run_job, run_trial
from deqbench.records import Record, Status

SMALL = "batch=8,dimension=16"
AFFINE = f"affine[gamma=0.9,{SMALL}]"
COUNTS = ("map_calls", "vjps", "jvps", "resolvents", "map_equivalents", "samples", "unconverged_samples")


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


@pytest.fixture
def run(registry):
    def run(map_=AFFINE, solver="anderson", **options):
        return run_trial(map_trial(registry, "equilibrium", map=map_, solver=solver, **options), registry)

    return run


def curve(record, name):
    return [point for point in record.curves if point.name == name]


@pytest.mark.parametrize("solver", ["picard", "anderson", "broyden", "direct"])
def test_a_solver_that_meets_the_tolerance_is_ok(run, solver):
    record = run(solver=solver)
    assert (record.status, record.reason) == (Status.OK, None)
    assert record.metrics["solved"] == 1.0
    assert record.metrics["residual"] <= 1e-8
    assert record.metrics["true_residual"] == pytest.approx(record.metrics["residual"], rel=1e-3, abs=1e-14)


def test_picards_calls_are_those_of_its_rate(run):
    # ||f(z_k) - z_k|| falls by gamma a call once S's Perron vector is all that is left.
    record = run(solver="picard")
    late = [(point.step, point.value) for point in curve(record, "residual") if 40 < point.step < 140]
    rates = [(b / a) ** (1 / (n - m)) for (m, a), (n, b) in pairwise(late)]
    assert len(rates) > 5
    assert all(rate == pytest.approx(0.9, abs=0.002) for rate in rates)


def test_the_curves_end_where_the_costs_say(run):
    record = run(solver="picard")
    last = curve(record, "residual")[-1]
    assert (last.step, last.epoch) == (record.costs["map_calls"], record.costs["map_equivalents"])
    assert last.value == record.metrics["residual"]
    values = [point.value for point in curve(record, "residual")]
    assert values == sorted(values, reverse=True)


def test_samples_that_are_done_are_not_charged(run):
    record = run(map_=f"tanh-symmetric[norm=0.9,{SMALL}]", solver="picard")
    assert 0 < record.costs["map_equivalents"] < record.costs["map_calls"]


def test_every_solve_gets_a_map_in_which_nothing_is_factorised_yet(run, monkeypatch):
    seen = []
    original = ground.Ground.capture

    def capture(self):
        f, z0 = original(self)
        seen.append((f.affine, len(f.affine.memo)))
        return f, z0

    monkeypatch.setattr(ground.Ground, "capture", capture)
    record = run(solver="direct", settings={"repeats": 3})
    assert record.costs["map_calls"] == 1
    # Warm-up, trace, three timed beside their floors, and one counted beside a bare call.
    assert [kept for _, kept in seen] == [0] * (1 + 1 + 3 * 2 + 2)
    assert sum(bool(affine.memo) for affine, _ in seen) == 1 + 1 + 3 + 1


def test_every_cost_that_is_promised_is_there(run):
    costs = run().costs
    seconds = ("solve_seconds", "solve_cpu_seconds", "map_seconds", "map_cpu_seconds", "overhead")
    assert all(costs[name] > 0 for name in seconds)
    assert set(COUNTS) <= set(costs)
    assert costs["repeats"] == 2
    assert costs["peak_bytes"] >= 0


def with_bare_call(monkeypatch, bare):
    original = ground.Ground.draw.__func__

    def draw(cls, *arguments):
        return replace(original(cls, *arguments), bare=bare)

    monkeypatch.setattr(ground.Ground, "draw", classmethod(draw))


def test_the_floor_is_the_familys_own_bare_call(run, monkeypatch):
    calls = []
    function = ground.Ground.capture

    def bare(z, *inputs):
        calls.append(1)
        return kept[0](z, *inputs)

    def capture(self):
        f, z0 = function(self)
        kept[:] = [f.function]
        return f, z0

    kept = []
    monkeypatch.setattr(ground.Ground, "capture", capture)
    with_bare_call(monkeypatch, bare)
    record = run(solver="picard", settings={"repeats": 3})
    assert len(calls) == 3 * (record.costs["map_calls"] + 1)  # and once to see that it is the map


def test_a_bare_call_that_is_another_map_is_refused(run, monkeypatch):
    with_bare_call(monkeypatch, lambda z, *_: z)
    record = run(solver="picard")
    assert record.status is Status.ERROR
    assert "Drawn.bare, returns something else than the map" in record.reason


def test_a_call_limit_that_is_spent_is_not_converged(run):
    record = run(solver="picard", stop={"max_calls": 10})
    assert record.status is Status.NOT_CONVERGED
    assert record.reason.startswith(
        "8 of 8 samples missed 1e-08 (relative) within 10 calls: 8 max_calls; the worst residual is "
    )
    assert (record.metrics["solved"], record.costs["unconverged_samples"]) == (0.0, 8)


def test_a_solve_that_runs_away_is_diverged_and_keeps_its_curves(run):
    record = run(map_="monotone[m=0.1,batch=4]", solver="picard")
    assert record.status is Status.DIVERGED
    assert "diverged" in record.reason
    assert len(curve(record, "residual")) > 3


def test_a_solver_that_cannot_serve_is_skipped(run):
    record = run(map_=f"tanh[{SMALL}]", solver="direct")
    assert record.status is Status.SKIPPED
    assert "needs an affine map" in record.reason


def test_in_float32_the_residual_is_recomputed_in_float64_of_the_same_numbers(run):
    record = run(settings={"dtype": "float32"}, stop={"tolerance": 1e-5})
    assert record.status is Status.OK
    assert 0.9 < record.metrics["reported_over_true"] < 1.1


@pytest.mark.parametrize("norm", ["absolute", "l1"])
def test_other_norms_are_recomputed_too(run, norm):
    record = run(stop={"norm": norm})
    assert record.metrics["reported_over_true"] == pytest.approx(1, abs=1e-3)


def test_what_is_counted_and_reached_repeats_itself(run):
    once, again = run(), run()
    assert once.metrics == again.metrics
    assert [once.costs[name] for name in COUNTS] == [again.costs[name] for name in COUNTS]


def test_another_seed_is_another_problem(run):
    assert run(seed=0).metrics != run(seed=1).metrics


def test_a_long_trace_is_thinned(run):
    record = run(map_=f"affine[gamma=0.99,{SMALL}]", solver="picard", stop={"max_calls": 3000})
    assert len(curve(record, "residual")) <= 80 + 1  # and the final one


def test_a_module_that_solves_twice_is_refused(registry, tmp_path):
    twice = tmp_path / "twice.py"
    twice.write_text(
        "import torch\nfrom deqbench import equilibrium\nfrom deqbench.plugin import Drawn, Entry, hookimpl\n"
        "class Module(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        for _ in range(2): z = equilibrium(lambda z, x: z / 2 + x, x * 0, x)\n"
        "        return z\n"
        "class Twice:\n"
        '    """Solves twice."""\n'
        "    def draw(self, seed): return Drawn(Module(), torch.ones(2, 2).double(), lambda z: z.sum())\n"
        "@hookimpl\n"
        "def deqbench_maps(): return [Entry('twice', Twice)]\n"
    )
    odd = Registry.load(PluginSources(paths=(str(twice),)))
    record = run_trial(map_trial(odd, "equilibrium", map="twice", solver="picard"), odd)
    assert record.status is Status.ERROR
    assert "solved 2 equilibria" in record.reason


def test_it_runs_as_a_job(registry):
    trial = map_trial(registry, "equilibrium", map=AFFINE, solver="anderson")
    emitted = []
    payload = json.loads(json.dumps({"trial": trial.to_json(), "plugins": PluginSources().to_json()}))
    record = Record.from_json(json.loads(json.dumps(run_job(payload, emitted.append), allow_nan=False)))
    assert record.status is Status.OK
    assert emitted == [point.to_json() for point in record.curves]
    assert record.trial == trial
