import torch

from deqbench.experiments.saved import SavedTensors

BYTES = 8 * 10


def leaf():
    return torch.ones(10, dtype=torch.float64, requires_grad=True)


def test_a_product_saves_both_factors_once():
    x, y = leaf(), leaf()
    with SavedTensors() as saved:
        z = x * y * y
    assert saved.alive_bytes == 3 * BYTES  # x, y, and x * y
    z.sum().backward()


def test_what_is_there_anyway_is_not_counted():
    x, y = leaf(), leaf()
    with SavedTensors([x, y]) as saved:
        z = x * y * y
    assert saved.alive_bytes == BYTES
    del z


def test_views_of_one_storage_count_once():
    x = leaf()
    with SavedTensors() as saved:
        z = x[:5] * x[5:]
    assert saved.alive_bytes == BYTES
    del z


def test_a_graph_that_is_gone_holds_nothing():
    x = leaf()
    with SavedTensors() as saved:
        (x * x).sum().backward()
    assert saved.alive_bytes == 0


def test_the_gradient_is_what_it_would_be_without():
    x, y = leaf(), leaf()
    with SavedTensors():
        z = torch.tanh(x * y).sum()
    plain = torch.autograd.grad(torch.tanh(x * y).sum(), x)[0]
    assert torch.equal(torch.autograd.grad(z, x)[0], plain)
