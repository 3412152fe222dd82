"""A fixed budget: the same steps, no looking, one graph, and an honest verdict at the end."""

import pytest
import torch
from equilibrium_families import family
from torch.utils._python_dispatch import TorchDispatchMode

from deqbench.equilibria.binding import Ledger, Stop, equilibrium
from deqbench.equilibria.fixed_budget import Compiled, iterate
from deqbench.equilibria.lowering import one_row_addmm, one_row_mm
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import SolveStatus, drive
from deqbench.errors import ConfigurationError
from deqbench.interfaces import Iterate
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard

SOLVERS = [Picard(), Picard(damping=0.5, momentum=0.3), Anderson(), Broyden(memory=4)]
STEPS = 7


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()


def draw(batch=3, d=8, norm=0.9):
    f, z0 = family("tanh", batch, d, norm, torch.float64)
    return f.function, z0, f.inputs[0]


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_iterate_takes_exactly_the_solvers_steps(solver):
    f, z0, x = draw()
    counted = Map(f, (x,))
    state = solver.init(counted, z0)
    for _ in range(STEPS):
        state = solver.step(counted, state)
    found = iterate(solver, f, z0, x, steps=STEPS)
    assert torch.equal(found.z, state.z)
    assert torch.equal(found.fz, state.fz)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_fixed_budget_is_one_graph_without_a_break(solver):
    f, z0, x = draw()
    found = torch._dynamo.explain(lambda z0, x: iterate(solver, f, z0, x, steps=STEPS))(z0, x)
    assert (found.graph_count, found.graph_break_count) == (1, 0)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_the_whole_graph_computes_what_the_steps_do(solver):
    f, z0, x = draw()
    whole = torch.compile(
        lambda z0, x: iterate(solver, f, z0, x, steps=STEPS), fullgraph=True, backend="aot_eager"
    )
    with torch.no_grad():
        torch.testing.assert_close(whole(z0, x).fz, iterate(solver, f, z0, x, steps=STEPS).fz)


def test_the_gradient_of_a_compiled_budget_is_that_of_its_steps():
    f, z0, x = draw()
    x.requires_grad_()
    loop = torch.compile(
        lambda x: iterate(Picard(), f, z0, x, steps=STEPS).fz, fullgraph=True, backend="aot_eager"
    )
    z = z0
    for _ in range(STEPS + 1):
        z = f(z, x)
    expected = torch.autograd.grad(z.square().sum(), x)[0]
    torch.testing.assert_close(torch.autograd.grad(loop(x).square().sum(), x)[0], expected)


class Lying:
    """Claims that f(z) = z."""

    def init(self, f, z0):
        return Iterate(z0, f(z0))

    def step(self, f, state):
        return Iterate(state.z + 1, state.z + 1)


def test_iterate_takes_no_value_of_the_map_on_trust():
    f, z0, x = draw()
    found = iterate(Lying(), f, z0, x, steps=2)
    assert torch.equal(found.fz, f(found.z, x))


def test_no_steps_are_the_start():
    f, z0, x = draw()
    assert torch.equal(iterate(Picard(), f, z0, x, steps=0).z, z0)


def test_negative_steps_are_refused():
    f, z0, x = draw()
    with pytest.raises(ConfigurationError, match="steps is -1; give a whole number >= 0"):
        iterate(Picard(), f, z0, x, steps=-1)


def test_a_map_that_changes_shape_is_refused():
    _, z0, x = draw()
    with pytest.raises(ConfigurationError, match="an equilibrium map keeps both"):
        iterate(Picard(), lambda z, x: z[:, :1], z0, x, steps=1)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_equilibrium_judges_a_fixed_budget_once_and_truly(solver):
    f, z0, x = draw()
    for tolerance in (1e-2, 1e-13):
        ledger = Ledger(keep_last=True)
        stop = Stop(tolerance, max_calls=STEPS + 1, check_every=None)
        with torch.no_grad():
            z = equilibrium(f, z0, x, solver=solver, stop=stop, ledger=ledger)
            fz = f(z, x)
        true = (fz - z).norm(dim=1) / fz.norm(dim=1)
        assert ledger.forward.map_calls == STEPS + 1
        torch.testing.assert_close(ledger.solution.residual, true)
        assert torch.equal(ledger.solution.status == SolveStatus.CONVERGED, true <= tolerance)


def test_a_budget_that_ends_in_infinity_says_so():
    z0 = torch.ones(1, 4)
    stop = Stop(max_calls=200, check_every=None)
    solution = drive(Picard(), Map(lambda z: 10 * z), z0, stop)
    assert solution.status.tolist() == [SolveStatus.NON_FINITE]
    assert torch.isfinite(solution.z).all()


class Reads(TorchDispatchMode):
    """Counts reads of a number from the device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_the_host_reads_no_number_on_the_way(solver):
    f, z0, x = draw()
    with torch.no_grad(), Reads() as judged:
        drive(solver, Map(f, (x,)), z0, Stop(1e-20, 40, check_every=None))
    with torch.no_grad(), Reads() as plain:
        iterate(solver, f, z0, x, steps=40)
    assert judged.count <= 5  # the one verdict
    assert plain.count == 0


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_compiled_solver_finds_and_charges_what_its_solver_does(solver):
    f, z0, x = draw()
    stop = Stop(1e-12, max_calls=13, check_every=None)
    plain, compiled = Map(f, (x,)), Map(f, (x,))
    with torch.no_grad():
        expected = drive(solver, plain, z0, stop)
        found = drive(Compiled(solver, stride=6, backend="eager"), compiled, z0, stop)
    torch.testing.assert_close(found.z, expected.z)
    assert compiled.counter == plain.counter
    assert torch.equal(found.calls, expected.calls)


def test_a_compiled_solver_stops_after_the_stride_that_suffices():
    f, z0, x = draw(norm=0.5)
    with torch.no_grad():
        found = drive(Compiled(Picard(), stride=5, backend="eager"), Map(f, (x,)), z0, Stop(1e-6, 100))
    assert found.converged.all()
    assert int(found.calls.max()) % 5 == 1


@pytest.mark.parametrize("gradient", ["implicit", "one-step", "unrolled"])
def test_gradients_through_a_compiled_solver_are_those_of_its_solver(gradient):
    f, z0, x = draw()
    x.requires_grad_()
    stop = Stop(1e-10, max_calls=41, check_every=None)
    found = [
        torch.autograd.grad(
            equilibrium(f, z0, x, solver=solver, gradient=gradient, stop=stop, ledger=Ledger()).sum(), x
        )[0]
        for solver in (Picard(), Compiled(Picard(), stride=10, backend="eager"))
    ]
    torch.testing.assert_close(found[1], found[0])


def test_second_derivatives_pass_a_compiled_solver():
    f, z0, x = draw(batch=2, d=3, norm=0.5)
    x.requires_grad_()
    stop, solver = Stop(1e-12, max_calls=61, check_every=None), Compiled(Picard(), 30, "eager")
    assert torch.autograd.gradgradcheck(
        lambda x: equilibrium(f, z0, x, solver=solver, stop=stop, ledger=Ledger()), x
    )


def test_a_graph_serves_new_weights_new_closures_and_new_batches():
    solver = Compiled(Picard(), 5, "eager")
    torch._dynamo.utils.counters.clear()
    for batch in (4, 7, 9, 5):
        weights = torch.full((6, 6), 0.1 / batch)
        ledger = Ledger()
        x = torch.ones(batch, 6)
        with torch.no_grad():
            found = equilibrium(
                lambda z, x, weights=weights: torch.tanh(z @ weights) + x,
                torch.zeros_like(x),
                x,
                solver=solver,
                stop=Stop(max_calls=21, check_every=None),
                ledger=ledger,
            )
        torch.testing.assert_close(found, torch.tanh(found @ weights) + x)
        assert ledger.forward.sample_calls == 21 * batch
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2  # the second is for any batch


def test_an_affine_adjoint_is_compiled_too():
    f, z0 = family("lin", 3, 8, 0.5, torch.float64)
    affine, x = f.affine, f.inputs[0].requires_grad_()
    ledger = Ledger()
    z = equilibrium(affine, z0, x, solver=Compiled(Picard(), 20, "eager"), stop=Stop(1e-9, 61), ledger=ledger)
    (found,) = torch.autograd.grad(z.sum(), x)
    system = torch.eye(8, dtype=torch.float64) - affine.matrix
    torch.testing.assert_close(found, torch.linalg.solve(system.mT, torch.ones(8, 3).double()).mT)
    assert ledger.backward.vjps % 20 == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Compiled(Picard(), stride=0), "stride is 0; give a whole number >= 1"),
        (lambda: Compiled(object()), "has no init and step; give a stepwise solver"),
        (lambda: Stop(check_every=0), "give a whole number >= 1, 'auto' or None"),
        (lambda: Stop(check_every="often"), "check_every is 'often'; give a whole number >= 1"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_one_row_times_a_matrix_is_a_sum():
    g = torch.Generator().manual_seed(0)
    row, matrix = torch.randn(1, 5, generator=g).double(), torch.randn(5, 4, generator=g).double()
    bias = torch.randn(4, generator=g).double()
    torch.testing.assert_close(one_row_mm(row, matrix), row @ matrix)
    found = one_row_addmm(bias, row, matrix, beta=2, alpha=3)
    torch.testing.assert_close(found, torch.addmm(bias, row, matrix, beta=2, alpha=3))


def test_other_products_are_left_as_they_are():
    assert one_row_mm(torch.ones(2, 5), torch.ones(5, 4)) is NotImplemented
    assert one_row_addmm(torch.ones(4), torch.ones(2, 5), torch.ones(5, 4)) is NotImplemented
    assert one_row_mm(torch.ones(1, 512), torch.ones(512, 512)) is NotImplemented
