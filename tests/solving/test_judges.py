"""The judges: one transfer a check, both alike, best iterates kept without copies."""

import numpy as np
import pytest
import torch
from equilibrium_families import affine_softmax, family, tanh_map
from torch.utils._python_dispatch import TorchDispatchMode

from deqbench.equilibria import host_iterates, host_residuals, solving
from deqbench.equilibria.batch_judge import BatchJudge
from deqbench.equilibria.best_iterates import HELD, BestIterates
from deqbench.equilibria.host_ends import End, HostEnds, HostVerdict
from deqbench.equilibria.host_iterates import HostIterates
from deqbench.equilibria.host_judge import HostJudge
from deqbench.equilibria.judging import Past, SingleVerdict, SolveStatus, Stop, Verdict
from deqbench.equilibria.looking_ahead import MOST
from deqbench.equilibria.maps import Map
from deqbench.equilibria.single_judge import SingleJudge
from deqbench.equilibria.solving import drive
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard

SOLVERS = [Picard(), Picard(momentum=0.3), Anderson(), Broyden()]
READS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero")


class HostReads(TorchDispatchMode):
    """Counts the operations that make the host wait for a device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.name().split(".")[0] in READS
        return func(*args, **(kwargs or {}))


@pytest.fixture
def transfers(monkeypatch):
    """Counts calls of ``tolist``, which no dispatch mode sees."""
    made = []
    plain = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda x: made.append(1) or plain(x))
    return made


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_the_host_waits_once_a_check_and_no_more(solver, every, transfers, monkeypatch):
    monkeypatch.setattr(solving, "HOST_READS", False)  # as on a device; on the CPU reading waits for nothing
    f, z0 = family("tanhsym", 16, 24, 0.9, torch.float64)
    with HostReads() as reads:
        solution = drive(solver, f, z0, Stop(1e-8, 500, check_every=every))
    assert solution.converged.all()
    checks = solution.steps // every + (every == 1)  # where every step is looked at, the start is too
    assert len(transfers) == checks
    assert reads.count <= 1  # the tolerance, before the first step


@pytest.mark.parametrize("norm", ["relative", "absolute", "l1"])
@pytest.mark.parametrize(("name", "tolerance", "limit"), [("tanh", 1e-8, 200), ("lin", 1e-8, 7)])
def test_one_sample_is_judged_as_a_batch_is(name, tolerance, limit, norm):
    f, z0 = family(name, 1, 16, 0.9, torch.float64)
    judges = [kind(z0, Stop(tolerance, limit, norm)) for kind in (SingleJudge, BatchJudge)]
    state, left = Picard().init(f, z0), [1, 1]
    for calls in range(1, limit + 1):
        left = [judge.observe(state.z, state.fz, calls) for judge in judges]
        assert left[0] == left[1]
        if left == [0, 0]:
            break
        state = Picard().step(f, state)
    if left == [1, 1]:
        [judge.give_up(limit) for judge in judges]
    single, batch = (judge.verdict() for judge in judges)
    torch.testing.assert_close(single.residual, batch.residual)
    assert torch.equal(single.status, batch.status)
    assert torch.equal(single.calls, batch.calls)
    assert torch.equal(single.z, batch.z)


@pytest.mark.parametrize("norm", ["relative", "absolute", "l1"])
@pytest.mark.parametrize(
    ("floor", "calls"),
    [(2.0**-49, 49 + 1 + 12), (2.0**-48, None), (0.0, 55)],
    ids=["at rounding", "above it", "solved"],
)
def test_all_judges_see_a_search_stall_at_the_same_call(norm, floor, calls):
    """The residuals are powers of two, of images of length 1: no judge rounds any of them."""
    image = torch.zeros(3, 16, dtype=torch.float64)
    image[:, 0] = 1
    judges = [SingleJudge(image[:1], Stop(2.0**-54, 200, norm))]
    judges += [kind(image, Stop(2.0**-54, 200, norm)) for kind in (HostJudge, BatchJudge)]
    left = [1, 3, 3]
    for call in range(1, 100):
        z = image.clone()
        z[:, 1] = max(2.0 ** (1 - call), floor)
        left = [judge.observe(z[: judge.width], image[: judge.width], call) for judge in judges]
        assert left in ([1, 3, 3], [0, 0, 0])
        if not left[0]:
            break
    else:
        assert calls is None
    if calls is not None:
        assert calls <= call <= calls + 4
        status = SolveStatus.STALLED if floor else SolveStatus.CONVERGED
        assert all((judge.verdict().status == status).all() for judge in judges)


@pytest.mark.parametrize("kind", [SingleJudge, BatchJudge])
@pytest.mark.parametrize(
    ("z", "fz", "status"),
    [
        (0.0, 0.0, SolveStatus.CONVERGED),
        (1.0, float("nan"), SolveStatus.NON_FINITE),
        (1.0, float("inf"), SolveStatus.NON_FINITE),
        (1e30, -1e30, SolveStatus.DIVERGED),
    ],
)
def test_ends_are_named_alike(kind, z, fz, status):
    z, fz = torch.full((1, 3), z), torch.full((1, 3), fz)
    judge = kind(torch.zeros(1, 3), Stop(1e-4))
    assert judge.observe(z, fz, 1) == 0
    found = judge.verdict()
    assert found.status[0] == status
    assert torch.isfinite(found.z).all()


def test_a_sample_that_runs_away_is_given_up_within_a_block():
    x = torch.ones(2, 2, dtype=torch.float64)
    f = Map(lambda z, x: -10 * z + x, (x,))
    solution = drive(Picard(), f, torch.zeros_like(x), Stop(1e-6, 500))
    assert (solution.status == SolveStatus.DIVERGED).all()
    assert (solution.calls <= 9 + MOST).all()


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("name", ["lin", "tanh", "tanhsym"])
def test_a_search_at_its_rounding_floor_ends_in_about_twenty_calls(solver, name):
    f, z0 = family(name, 8, 64, 0.9)
    solution = drive(solver, f, z0, Stop(1e-12, 2000), trace=True)
    assert ((solution.status == SolveStatus.STALLED) | solution.converged).all()
    late = []
    for row in range(8):
        points = [
            (p.calls, p.residual[p.rows == row].item()) for p in solution.trace if (p.rows == row).any()
        ]
        floor = next(calls for calls, value in points if value <= 1.25 * solution.residual[row])
        late.append(int(solution.calls[row]) - floor)
    assert sorted(late)[4] <= 20


def test_slow_progress_near_rounding_is_not_called_stalled():
    f, x = tanh_map(4, 64, 0.99, symmetric=True)
    solution = drive(Picard(), Map(f, (x,)), torch.zeros_like(x), Stop(1e-6, 2000))
    assert solution.converged.all()
    assert solution.calls.max() > 300


def test_best_iterates_are_each_samples_own():
    g = torch.Generator().manual_seed(0)
    points, better = torch.randn(12, 5, 2, 3, generator=g), torch.rand(12, 5, generator=g) > 0.6
    iterates, expected = BestIterates(points[0]), points[0].clone()
    for point, mask in zip(points[1:], better[1:], strict=True):
        iterates.take_rows(point, mask)
        expected[mask] = point[mask]
        assert len(iterates.points) <= HELD
    assert torch.equal(iterates.merged(), expected)


def test_a_point_better_for_all_is_held_not_copied():
    point = torch.ones(3, 2)
    iterates = BestIterates(torch.zeros(3, 2))
    iterates.take(point)
    assert iterates.merged() is point


def test_the_past_is_known_as_far_back_as_patience_asks():
    past = Past()
    for calls in range(4, 101, 4):
        past.remember(calls, float(calls))
    assert past.before(100 - 12) == 88
    assert past.before(100 - 28) == 72
    assert past.before(3) is None
    assert len(past.marks) <= 9


def test_a_batch_that_shrinks_keeps_every_samples_best():
    share, phi = affine_softmax(32, 16, 0.5, torch.float64)
    level = torch.linspace(0.2, 1.9, 32, dtype=torch.float64).unsqueeze(1)
    f = Map(lambda z, x, level: level * (z @ share.matrix.T) + x, (phi, level))
    solution = drive(Anderson(), f, torch.zeros_like(phi), Stop(1e-9, 300))
    assert solution.converged.all()
    fz = f(solution.z)
    true = (fz - solution.z).norm(dim=1) / fz.norm(dim=1)
    torch.testing.assert_close(solution.residual, true, rtol=1e-6, atol=1e-15)


JUDGES = [(SingleJudge, 1), (HostJudge, 3), (BatchJudge, 3)]
TINY = [(torch.float32, 1e-23), (torch.bfloat16, 1e-23), (torch.float64, 1e-170)]


@pytest.mark.parametrize(("dtype", "size"), TINY, ids=str)
@pytest.mark.parametrize(("kind", "batch"), JUDGES)
def test_a_state_whose_squares_underflow_is_not_called_solved(kind, batch, dtype, size):
    z = torch.full((batch, 8), size, dtype=dtype)
    judge = kind(torch.zeros_like(z), Stop(1e-1))
    assert judge.observe(z, 2 * z, 1) == batch
    judge.give_up(1)
    assert judge.verdict().residual.tolist() == pytest.approx([0.5] * batch, rel=1e-2)
    assert (judge.verdict().status == SolveStatus.MAX_CALLS).all()


@pytest.mark.parametrize(("dtype", "size"), TINY, ids=str)
@pytest.mark.parametrize(("kind", "batch"), JUDGES)
def test_a_tiny_state_that_is_solved_is_called_so(kind, batch, dtype, size):
    z = torch.full((batch, 8), size, dtype=dtype)
    judge = kind(torch.zeros_like(z), Stop(1e-1))
    assert judge.observe(z, 1.0625 * z, 1) == 0
    assert (judge.verdict().status == SolveStatus.CONVERGED).all()
    assert judge.verdict().residual.tolist() == pytest.approx([0.0625 / 1.0625] * batch, rel=2e-2)


@pytest.mark.parametrize(("kind", "batch"), JUDGES)
def test_a_tiny_start_does_not_make_later_steps_runaways(kind, batch):
    z = torch.full((batch, 8), 1e-23)
    judge = kind(torch.zeros_like(z), Stop(1e-3))
    for calls in range(1, 12):
        assert judge.observe(z, 2 * z, calls) == batch
        z = 2 * z


@pytest.mark.parametrize("kind", [HostJudge, BatchJudge])
def test_a_tiny_sample_and_a_large_one_are_both_measured(kind):
    z = torch.tensor([[1e-23] * 4, [1.0] * 4])
    judge = kind(torch.zeros_like(z), Stop(1e-3))
    assert judge.observe(z, torch.stack((3 * z[0], z[1])), 1) == 1
    judge.give_up(1)
    found = judge.verdict()
    assert found.residual.tolist() == pytest.approx([2 / 3, 0.0])
    assert found.status.tolist() == [SolveStatus.MAX_CALLS, SolveStatus.CONVERGED]


@pytest.mark.parametrize("norm", ["relative", "absolute", "l1"])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_the_host_judges_a_batch_as_its_device_does(solver, every, norm, monkeypatch):
    f, z0 = family("tanhsym", 16, 24, 0.9, torch.float64)
    stop = Stop(1e-9, 60, norm, check_every=every)
    host = drive(solver, f, z0, stop)
    monkeypatch.setattr(solving, "HOST_READS", False)
    device = drive(solver, f, z0, stop)
    assert torch.equal(host.status, device.status)
    assert torch.equal(host.calls, device.calls)
    torch.testing.assert_close(host.z, device.z)
    torch.testing.assert_close(host.residual, device.residual)


@pytest.mark.parametrize("copied", [0, host_iterates.COPIED], ids=["places", "copies"])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_batch_measured_block_by_block_is_judged_as_a_whole_one(solver, copied, monkeypatch):
    f, z0 = family("tanhsym", 16, 24, 0.9, torch.float64)
    whole = drive(solver, f, z0, Stop(1e-9, 60))
    monkeypatch.setattr(host_residuals, "BLOCK", 3 * 24)
    monkeypatch.setattr(host_iterates, "COPIED", copied)
    pieces = drive(solver, f, z0, Stop(1e-9, 60))
    assert torch.equal(whole.status, pieces.status)
    assert torch.equal(whole.calls, pieces.calls)
    assert torch.equal(whole.z, pieces.z)
    assert torch.equal(whole.residual, pieces.residual)


@pytest.mark.parametrize("copied", [0, host_iterates.COPIED], ids=["places", "copies"])
def test_the_best_on_the_host_is_that_on_the_device_whatever_came_nearer(copied, monkeypatch):
    monkeypatch.setattr(host_iterates, "COPIED", copied)
    generator = torch.Generator().manual_seed(0)
    start = torch.zeros(6, 2)
    host, device = HostIterates(start), BestIterates(start)
    for _ in range(12):
        point, better = torch.randn(6, 2, generator=generator), torch.rand(6, generator=generator) < 0.4
        host.take_some(point, better.numpy(), None)
        device.take_rows(point, better)
        assert len(host.points) <= HELD
    assert torch.equal(torch.as_tensor(host.of(None)), device.merged())


@pytest.mark.parametrize("copied", [0, host_iterates.COPIED], ids=["places", "copies"])
def test_samples_that_end_one_by_one_each_return_their_own_best(copied, monkeypatch):
    monkeypatch.setattr(host_iterates, "COPIED", copied)
    start = torch.zeros(5, 2)
    iterates, ends = HostIterates(start), HostEnds(start)
    first, second, third = torch.rand(3, 5, 2).unbind()

    def end(rows, residual, calls):
        ends.add(End(rows, residual, SolveStatus.CONVERGED, calls), iterates.of(rows))

    iterates.take(first)
    end(np.array([3]), np.array([0.5]), 1)
    iterates.take(second)
    done = np.array([0, 0, 0, 1, 0], bool)
    iterates.take_some(third, np.array([True, False, True, False, True]), done)
    end(np.array([0, 1, 2, 4]), np.arange(4.0), 3)
    found = ends.verdict()
    expected = torch.stack((third[0], second[1], third[2], first[3], third[4]))
    assert torch.equal(found.z, expected)
    assert found.residual.tolist() == [0.0, 1.0, 2.0, 0.5, 3.0]
    assert found.calls.tolist() == [3, 3, 3, 1, 3]


@pytest.mark.parametrize("statuses", [(0, 0, 0), (0, 4, 1), (4, 3, 2)])
def test_the_sums_of_a_verdict_are_the_same_on_the_host_and_on_a_device(statuses):
    parts = (
        torch.zeros(3, 2),
        torch.tensor([1e-7, 3.0, 2.0]),
        torch.tensor(statuses, dtype=torch.int8),
        torch.tensor([5, 5, 5], dtype=torch.int32),
    )
    lost = sum(status == SolveStatus.NON_FINITE for status in statuses)
    expected = (3, sum(status != 0 for status in statuses), lost, 15, 3.0)
    residual, status = (part.numpy() for part in parts[1:3])
    first = End(np.array([2, 0]), residual[[2, 0]], status[[2, 0]], 5)
    found = HostVerdict(parts[0], [first, End(np.array([1]), residual[1:2], SolveStatus(statuses[1]), 5)])
    for mine, theirs in zip((found.residual, found.status, found.calls), parts[1:], strict=True):
        assert torch.equal(mine, theirs)
    assert found.tally() == Verdict(*parts).tally() == expected


def test_the_verdict_of_one_sample_has_the_sums_of_its_tensors():
    f, z0 = family("tanh", 1, 16, 0.9)
    for limit in (3, 200):
        one = drive(Picard(), f, z0, Stop(1e-6, limit)).verdict
        assert isinstance(one, SingleVerdict)
        assert one.tally() == pytest.approx(Verdict(one.z, one.residual, one.status, one.calls).tally())


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1.0, 1e15, 2e18])
def test_one_small_sample_is_measured_alike_wherever_its_squares_are_finite(scale):
    generator = torch.Generator().manual_seed(0)
    z, fz = (scale * torch.randn(1, 16, generator=generator) for _ in range(2))
    judge = SingleJudge(torch.zeros(1, 16), Stop(1e-6))
    judge.observe(z, fz, 1)
    true = ((fz.double() - z.double()).norm() / fz.double().norm()).item()
    assert judge.verdict().best == pytest.approx(true, rel=1e-5)


def test_a_point_changed_in_place_is_measured_as_it_is():
    judge = SingleJudge(torch.zeros(1, 4), Stop(1e-6, norm="absolute"))
    z = torch.ones(1, 4, 2)[:, :, 0]  # its rows are no view of its memory
    judge.observe(torch.zeros(1, 4), z, 1)
    z.add_(1)
    judge.observe(z, torch.full((1, 4), 2.5), 2)
    assert judge.gap == pytest.approx(1.0)


def test_a_diverging_batch_says_so_and_warns_of_nothing():
    with np.errstate(all="raise"):
        f = Map(lambda z, x: z * z + x, (torch.full((3, 2), 2.0),))
        solution = drive(Picard(), f, torch.full((3, 2), 1e10), Stop(1e-6, 50))
    assert set(solution.status.tolist()) <= {int(SolveStatus.DIVERGED), int(SolveStatus.NON_FINITE)}
