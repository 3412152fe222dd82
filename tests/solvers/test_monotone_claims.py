"""The claims C14, C15 and C16 on monotone equilibria (Winston and Kolter 2020), with negative controls."""

import math

import pytest
import torch

from deqbench.equilibria.maps import Map
from deqbench.equilibria.monotone import Identity, LinearPart, MonotoneMap, Relu, Tanh, monotone_blocks
from deqbench.equilibria.solving import SolveStatus, Stop, drive
from deqbench_plugins.claims.monotone import ratios
from deqbench_plugins.solvers.forward_backward import ForwardBackward, best_step
from deqbench_plugins.solvers.peaceman_rachford import PeacemanRachford, SplitState
from deqbench_plugins.solvers.picard import Picard

SIZE, BATCH = 24, 8
SLACK = 1 + 1e-9


def drawn(margin, seed=0, size=SIZE):
    """A monotone linear part and the offsets of a batch."""
    generator = torch.Generator().manual_seed(seed)
    factor, skew = torch.randn(2, size, size, generator=generator, dtype=torch.float64) / math.sqrt(size)
    offset = 3 * torch.randn(BATCH, size, generator=generator, dtype=torch.float64)
    return LinearPart(monotone_blocks(factor, skew, margin)), offset


def solved(map_, offset, start):
    solution = drive(PeacemanRachford(), Map(map_, (offset,)), start, Stop(1e-13, 2000))
    assert solution.converged.all()
    return solution.z


@pytest.mark.parametrize("activation", [Relu(), Tanh()])
@pytest.mark.parametrize("seed", range(3))
def test_c14_far_starts_reach_one_equilibrium(activation, seed):
    part, offset = drawn(0.2, seed)
    assert float(torch.linalg.matrix_norm(part.blocks, 2)) > 1.5  # far from a contraction
    map_ = MonotoneMap(part, activation)
    generator = torch.Generator().manual_seed(seed)
    starts = [
        size * torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64) for size in (0, 1, 1e3, 1e6)
    ]
    found = torch.stack([solved(map_, offset, start) for start in starts])
    spread = (found - found[0]).abs().max() / found[0].abs().max()
    assert spread < 1e-11


def test_c14_control_without_the_margin_there_are_two_equilibria():
    part = LinearPart(2 * torch.eye(1, dtype=torch.float64))  # I - W = -1: not monotone
    assert part.monotonicity < 0
    map_ = MonotoneMap(part, Tanh())
    offset = torch.zeros(1, 1, dtype=torch.float64)
    ends = [
        float(drive(Picard(), Map(map_, (offset,)), offset + side, Stop(1e-12, 500)).z) for side in (-1, 1)
    ]
    assert ends[1] - ends[0] > 1.5


def turning(margin, speed):
    """I - W = margin I + a rotation's generator: every bound is attained."""
    gap = torch.tensor([[margin, -speed], [speed, margin]], dtype=torch.float64)
    return LinearPart(torch.eye(2, dtype=torch.float64) - gap)


def forward_bound(part, step):
    return math.sqrt(1 - 2 * step * part.monotonicity + step**2 * part.lipschitz**2)


@pytest.mark.parametrize("share", [0.25, 1.0, 1.75])
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_c15_forward_backward_contracts_by_its_factor(share, margin):
    part, offset = drawn(margin)
    step = share * part.monotonicity / part.lipschitz**2  # below 2 m / L^2
    map_ = MonotoneMap(part, Relu())
    target = solved(map_, offset, torch.zeros_like(offset))
    bound = forward_bound(part, step)
    assert bound < 1
    assert part.forward_factor(step) <= bound * SLACK
    found = ratios(ForwardBackward(step), map_, offset, lambda state: state.z, target)
    assert max(found) <= part.forward_factor(step) * SLACK


def test_c15_control_the_bound_is_attained_and_a_margin_2_percent_larger_is_refuted():
    part = turning(0.3, 2.0)
    step, offset = 0.5 * part.monotonicity / part.lipschitz**2, torch.zeros(1, 2, dtype=torch.float64)
    map_ = MonotoneMap(part, Identity())
    found = ratios(ForwardBackward(step), map_, offset, lambda state: state.z, offset)
    assert max(found) == pytest.approx(forward_bound(part, step), rel=1e-12)
    claimed = math.sqrt(1 - 2 * step * 1.02 * part.monotonicity + step**2 * part.lipschitz**2)
    assert max(found) > claimed * SLACK


def test_c15_control_a_step_too_long_diverges():
    part = turning(0.2, 2.0)
    limit = 2 * part.monotonicity / part.lipschitz**2
    offset = torch.ones(1, 2, dtype=torch.float64)
    ends = {}
    for share in (0.9, 1.1):
        f = Map(MonotoneMap(part, Identity()), (offset,))
        ends[share] = drive(ForwardBackward(share * limit), f, 0 * offset, Stop(1e-8, 20000))
    assert ends[0.9].converged.all()
    assert (ends[1.1].status == SolveStatus.DIVERGED).all()


def test_the_default_step_has_the_least_factor():
    part, _ = drawn(0.2)
    best = part.forward_factor(best_step(part))
    grid = [part.forward_factor(k / 500 * 2 / part.lipschitz) for k in range(1, 501)]
    assert best <= min(grid) + 1e-3 * (1 - min(grid))
    assert best < part.forward_factor(part.monotonicity / part.lipschitz**2)


def cayley_bound(part, step):
    return math.sqrt(1 - 4 * step * part.monotonicity / (1 + step * part.lipschitz) ** 2)


@pytest.mark.parametrize("step", [0.05, 0.3, 1.0, 5.0, 50.0])
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_c16_peaceman_rachford_contracts_at_every_step_size(step, margin):
    part, offset = drawn(margin)
    map_ = MonotoneMap(part, Relu())
    target = solved(map_, offset, torch.zeros_like(offset))
    # u* with z* = prox(u*): the fixed point of the reflected iterate.
    fixed = target + step * (map_.inner(target, offset) - target)
    found = ratios(PeacemanRachford(step), map_, offset, lambda state: state.reflected, fixed)
    assert max(found) <= cayley_bound(part, step) * SLACK


def test_c16_control_the_bound_is_attained_and_a_margin_2_percent_larger_is_refuted():
    # W = 0: the Cayley factor is |1 - a| / (1 + a), and m = L = 1 make the bound the same.
    part, step = LinearPart(torch.zeros(3, 3, dtype=torch.float64)), 3.0
    map_, offset = MonotoneMap(part, Relu()), torch.full((1, 3), 50.0, dtype=torch.float64)
    found = ratios(PeacemanRachford(step), map_, offset, lambda state: state.reflected, offset)
    assert found[0] == pytest.approx(cayley_bound(part, step), rel=1e-12)
    assert found[0] > math.sqrt(1 - 4 * step * 1.02 / (1 + step) ** 2)


def test_c16_control_without_the_margin_it_does_not_converge():
    part, offset = turning(0.0, 2.0), torch.ones(1, 2, dtype=torch.float64)
    f = Map(MonotoneMap(part, Identity()), (offset,))
    state = SplitState(0 * offset, f(0 * offset), 0 * offset)  # init would refuse such a map
    gaps = []
    for _ in range(200):
        state = PeacemanRachford().step(f, state)
        gaps.append(float(torch.linalg.vector_norm(state.fz - state.z)))
    assert min(gaps[100:]) > 0.5 * max(gaps[:100])
