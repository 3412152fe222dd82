"""The norm of a map's Jacobian df/dz, estimated so that a model can be trained to keep it small."""

from __future__ import annotations

import torch
from torch import Tensor

from deqbench.equilibria.maps import Function, flat_rows


def jacobian_norm(
    f: Function, z: Tensor, *inputs: Tensor, probes: int = 1, generator: torch.Generator | None = None
) -> Tensor:
    """Estimate ||J||_F^2 / d of each sample, (B,), J = df/dz (d, d), without bias and differentiably.

    A penalty on it keeps a trained map contracting. Its derivative reaches f's weights, the inputs, and z
    if z has a graph; hand in ``z.detach()`` to hold the equilibrium itself constant, as is usual.

    Args:
        f: The map f(z, *inputs).
        z: Where, (B, *s).
        inputs: What f takes after z.
        probes: Random signs e that ||e^T J||^2 is averaged over, each one product; >= 1.
        generator: Where the signs come from, on z's device; None: torch's own.

    Source: M. F. Hutchinson (1989), "A stochastic estimator of the trace of the influence matrix"; as a
    penalty S. Bai, V. Koltun, J. Z. Kolter (2021), "Stabilizing Equilibrium Models by Jacobian
    Regularization", arXiv 2106.14342.
    """
    wanted = torch.is_grad_enabled()
    with torch.enable_grad():
        point = z if z.requires_grad and wanted else z.detach().requires_grad_()
        fz = f(point, *inputs)
        total = torch.zeros(z.shape[0], dtype=z.dtype, device=z.device)
        for _ in range(probes if fz.requires_grad else 0):
            signs = torch.randint(0, 2, z.shape, generator=generator, device=z.device).to(z.dtype) * 2 - 1
            product = torch.autograd.grad(
                fz, point, signs, create_graph=wanted, retain_graph=True, materialize_grads=True
            )[0]
            total = total + flat_rows(product).square().mean(1)
    return total / probes
