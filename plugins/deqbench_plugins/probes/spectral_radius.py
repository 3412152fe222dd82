"""Spectral radius of the map's Jacobian at equilibrium: the asymptotic rate of plain iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

from deqbench.equilibria.spectra import spectral_radius

if TYPE_CHECKING:
    from deqbench.interfaces import Observation


@dataclass(frozen=True)
class SpectralRadius:
    """Largest modulus of an eigenvalue of df/dz at z*, over some test samples; nothing for explicit models.

    Below 1, plain iteration converges near z*, asymptotically by this factor a step. Power iteration on
    ||J v|| is wrong here: for a non-normal Jacobian the norm of a step is not an eigenvalue, and a complex
    pair makes the iterate turn for ever. Eigenvalues are computed instead: by QR (LAPACK) where the
    Jacobian is small enough to be written down, by Arnoldi (ARPACK) from products where it is not.

    Source: R. Lehoucq, D. Sorensen & C. Yang, ARPACK Users' Guide, SIAM (1998), for large states.
    """

    samples: Annotated[int, Field(ge=1, description="Test samples that are looked at, from the first.")] = 16
    dense: Annotated[
        int, Field(ge=4, description="State sizes up to this have their Jacobian written down.")
    ] = 128

    def observe(self, view: Observation) -> dict[str, float]:
        """Return ``spectral_radius``."""
        if view.ledger.last is None:
            return {}
        f, z = view.ledger.last
        if f.inputs:  # a map without inputs may hide tensors with a row per sample: it cannot be narrowed
            rows = torch.arange(min(self.samples, z.shape[0]), device=z.device)
            f, z = f.rows(rows), z[rows]
        radii = spectral_radius(f.function, z, *f.inputs, dense=self.dense, seed=view.seed)
        return {"spectral_radius": float(radii.max())}
