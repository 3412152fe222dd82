"""The experiment on one gradient and one map: its errors are those of known gradients."""

import pytest
import torch
from map_bench import map_trial

from deqbench.discovery.registry import Registry
from deqbench.experiments import run_trial
from deqbench.experiments.gradient import Derivatives, compared
from deqbench.records import Status

SMALL = "batch=6,dimension=10"


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


@pytest.fixture
def run(registry):
    def run(gradient="implicit", map_=f"tanh[norm=0.9,{SMALL}]", solver="anderson", **options):
        trial = map_trial(registry, "gradient", map=map_, solver=solver, gradient=gradient, **options)
        return run_trial(trial, registry)

    return run


@pytest.mark.parametrize(
    "map_", [f"affine[gamma=0.99,{SMALL}]", f"tanh[{SMALL}]", f"tanh-symmetric[norm=0.9,{SMALL}]"]
)
@pytest.mark.parametrize("gradient", ["implicit", "unrolled"])
def test_an_exact_gradient_has_no_error_but_the_tolerance(run, map_, gradient):
    record = run(gradient, map_, stop={"tolerance": 1e-12})
    assert (record.status, record.reason) == (Status.OK, None)
    assert record.metrics["error_parameters"] < 1e-6
    assert record.metrics["error_inputs"] < 1e-6
    assert record.metrics["cosine_parameters"] == pytest.approx(1)
    assert record.metrics["cosine_inputs"] == pytest.approx(1)


def test_one_step_on_an_affine_map_errs_as_its_formula_says(run, registry):
    # dL/dx by one step is g, exactly it is (I - M)^-T g: both follow from the drawn matrices.
    map_ = f"affine[gamma=0.8,{SMALL}]"
    record = run("one-step", map_, stop={"tolerance": 1e-13})
    trial = map_trial(registry, "gradient", map=map_)
    drawn = registry.build("maps", trial.components["map"]).draw(0)
    matrix = 0.8 * torch.softmax(drawn.module.A.detach(), 0)
    phi = torch.cat((drawn.x, drawn.x.new_ones(6, 1)), 1)
    system = torch.eye(10, dtype=torch.float64) - matrix
    z = torch.linalg.solve(system, phi.mT).mT.requires_grad_()
    (g,) = torch.autograd.grad(drawn.loss(z), z)
    exact = torch.linalg.solve(system.mT, g.mT).mT[:, :-1]  # the last entry of phi is a constant
    truth = float((g[:, :-1] - exact).norm() / exact.norm())
    assert record.metrics["error_inputs"] == pytest.approx(truth, rel=1e-6)
    assert record.metrics["cosine_inputs"] < 0.999


def test_unrolling_saves_what_grows_with_the_calls_and_the_implicit_gradient_does_not(run):
    saved = {
        (gradient, norm): run(gradient, f"tanh-symmetric[norm={norm},{SMALL}]", "picard").costs["saved_bytes"]
        for gradient in ("unrolled", "implicit")
        for norm in (0.5, 0.9)
    }
    assert saved["unrolled", 0.9] > 2 * saved["unrolled", 0.5]
    assert saved["implicit", 0.9] == saved["implicit", 0.5] < saved["unrolled", 0.5]


def test_both_directions_are_timed_and_counted(run):
    costs = run().costs
    assert costs["forward_seconds"] > 0
    assert costs["backward_seconds"] > 0
    assert costs["forward_solves"] == costs["backward_solves"] == 1
    assert costs["forward_map_calls"] > 1
    assert costs["backward_vjps"] > 1
    assert costs["repeats"] == 2


def test_a_forward_solve_that_misses_is_a_finding(run):
    record = run(solver="picard", stop={"max_calls": 3})
    assert record.status is Status.NOT_CONVERGED
    assert "6 of 6 equilibria missed their tolerance" in record.reason
    assert record.metrics["error_parameters"] > 1e-3


def test_an_adjoint_solve_that_misses_is_told(run):
    record = run("implicit[max_products=2]")
    assert record.status is Status.NOT_CONVERGED
    assert record.reason.startswith("6 of 6 adjoint equations missed their tolerance")


def test_in_float32_the_exact_gradient_is_of_the_rounded_problem(run):
    record = run(settings={"dtype": "float32"}, stop={"tolerance": 1e-6})
    assert record.status is Status.OK
    assert record.metrics["error_parameters"] < 1e-4


def test_a_solver_that_cannot_serve_is_skipped(run):
    assert run(solver="direct").status is Status.SKIPPED


def test_errors_are_relative_and_cosines_are_angles():
    found = Derivatives(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 2.0]))
    exact = Derivatives(torch.tensor([3.0, 0.0]).double(), torch.tensor([1.0, 0.0]).double())
    values = compared(found, exact)
    assert values["error_parameters"] == pytest.approx(4 / 3)
    assert values["cosine_parameters"] == pytest.approx(0.6)
    assert values["cosine_inputs"] == 0
