"""Map families of known difficulty: what the solver tests and benchmarks are run on."""

import torch

from deqbench.equilibria.solving import AffineMap, Map


def affine_softmax(batch, d, gamma, dtype=torch.float32):
    """z = gamma S z + phi with S a column softmax of N(0, 1): rate gamma."""
    g = torch.Generator().manual_seed(0)
    share = torch.softmax(torch.randn(d, d, generator=g, dtype=torch.float64), 0)
    phi = torch.randn(batch, d, generator=g, dtype=torch.float64)
    return AffineMap((gamma * share).to(dtype), column_sum=1 - gamma), phi.to(dtype)


def tanh_weights(d, norm, symmetric=False, dtype=torch.float32):
    """W with the spectral norm asked for."""
    g = torch.Generator().manual_seed(0)
    w = torch.randn(d, d, generator=g, dtype=torch.float64)
    w = (w + w.T) / 2 if symmetric else w
    return (w * norm / torch.linalg.matrix_norm(w, 2)).to(dtype)


def tanh_map(batch, d, norm, symmetric=False, dtype=torch.float32):
    """z = tanh(W z + x); symmetric W with small x keeps the rate near the norm."""
    w = tanh_weights(d, norm, symmetric, dtype)
    g = torch.Generator().manual_seed(1)
    x = torch.randn(batch, d, generator=g, dtype=torch.float64).to(dtype)
    x = x * (0.05 if symmetric else 1.0)
    return (lambda z, x: torch.tanh(torch.addmm(x, z, w.T))), x


def family(name, batch, d, level, dtype=torch.float32, *, scale=1.0):  # noqa: PLR0913 -- a case's facts
    """The counted map of a family and a zero start; ``scale`` changes the units of the state."""
    if name == "lin":
        f, x = affine_softmax(batch, d, level, dtype)
    else:
        f, x = tanh_map(batch, d, level, name == "tanhsym", dtype)
    if scale == 1:
        return Map(f, (x,)), torch.zeros_like(x)
    return Map(lambda z, x: scale * f(z / scale, x), (x,)), torch.zeros_like(x)
