"""The counter of operations: what it sees, what it says it does not see, and that it changes nothing."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from deqbench.measuring.compiling import compile_seconds, eager
from deqbench.measuring.operations import CountingEnded, OperationCounter, Tally


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))


def test_a_forward_and_backward_pass_takes_what_the_layers_do():
    model, x = network(), torch.randn(11, 5)
    with OperationCounter() as counter:
        model(x).sum().backward()
    forward = 2 * 11 * (5 * 7 + 7 * 3)  # products; the biases are in them, as in torch's own formula
    backward = 2 * 11 * (2 * 7 * 3 + 5 * 7)  # by the weights of both layers, by the input of the second
    tanh = 11 * 7 * (1 + 3)
    sums = 11 * 3 + 11 * 3 + 11 * 7  # the loss, and the gradients of both biases
    assert counter.tally.operations == forward + backward + tanh + sums
    assert counter.tally.coverage == 1.0


def test_what_is_computed_under_it_is_the_same_to_the_bit():
    model, x = network(), torch.randn(11, 5)
    bare = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    with OperationCounter():
        counted = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(bare, counted, strict=True))


def test_an_operation_without_a_formula_is_named_and_lowers_the_coverage_by_its_elements():
    x = torch.rand(30)
    with OperationCounter() as counter:
        torch.special.bessel_j0(x)
        x[:10] * 2
    assert list(counter.tally.unknown) == ["aten.special_bessel_j0.default"]
    assert counter.tally.coverage == 10 / 40
    assert counter.tally.operations == 10


def test_nothing_done_is_all_covered():
    assert Tally().coverage == 1.0


def test_views_weigh_nothing():
    x = torch.rand(30)
    with OperationCounter() as counter:
        x.view(5, 6).mT.unsqueeze(0)[0, 1]
    assert counter.tally == Tally()


def test_operations_made_of_others_are_counted_in_inference_mode():
    a, b = torch.rand(2, 3, 4), torch.rand(2, 4, 5)
    with torch.inference_mode(), OperationCounter() as counter:
        torch.matmul(a, b)
    assert counter.tally.operations == 2 * 2 * 3 * 4 * 5
    assert counter.tally.coverage == 1.0
    assert "numpy" not in vars(torch.Tensor)  # what was watched is watched no more


def test_a_counter_inside_a_counter_leaves_the_outer_one_watching():
    def inside():
        with OperationCounter():
            torch.rand(2) * 2
        return torch.rand(4).numpy()

    with pytest.raises(CountingEnded), OperationCounter() as outer:
        inside()
    assert outer.tally.outside
    assert "numpy" not in vars(torch.Tensor)
    assert threading.getprofile() is None


def test_a_gradient_of_a_gradient_is_counted():
    x = torch.rand(6, requires_grad=True)
    with OperationCounter() as counter:
        (slope,) = torch.autograd.grad(x.tanh().sum(), x, create_graph=True)
        once = counter.tally.operations
        torch.autograd.grad(slope.sum(), x)
    assert counter.tally.operations > 2 * once


def test_work_in_another_thread_is_noticed_and_ends_the_count():
    def elsewhere():
        thread = threading.Thread(target=lambda: torch.rand(9) * 2)
        thread.start()
        thread.join()
        return torch.rand(1)

    with pytest.raises(CountingEnded), OperationCounter() as counter:
        elsewhere()
    assert counter.tally.outside


def test_a_tensor_handed_to_numpy_is_noticed_and_ends_the_count():
    x = torch.rand(4)
    with pytest.raises(CountingEnded), OperationCounter() as counter:
        x.numpy()
    assert counter.tally.outside
    assert x.numpy().shape == (4,)  # as it was before


def test_it_ends_when_its_time_is_over():
    with pytest.raises(CountingEnded), OperationCounter(time.monotonic() - 1):
        torch.rand(1) + 1


def test_no_handler_of_exceptions_holds_its_end():
    def stubborn():
        try:
            return torch.rand(1) + 1
        except Exception:  # noqa: BLE001 -- what somebody's code may do
            return None

    with pytest.raises(CountingEnded), OperationCounter(time.monotonic() - 1):
        stubborn()


def test_compiling_is_timed_by_torch_and_left_out_on_request():
    before = compile_seconds()
    seen = []

    def backend(graph, examples):
        seen.append(graph)
        return graph.forward

    compiled = torch.compile(lambda x: x * 2 + 1, backend=backend)
    assert compiled(torch.ones(3)).tolist() == [3.0] * 3
    assert compile_seconds() > before
    x = torch.ones(3, dtype=torch.float64)  # another type would be compiled anew
    with eager(), OperationCounter() as counter:
        compiled(x)
    assert (len(seen), counter.tally.operations) == (1, 6)
