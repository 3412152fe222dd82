"""Random contractions for property tests, of every shape, size, type and difficulty."""

from dataclasses import dataclass
from functools import cache

import torch
from hypothesis import strategies as st

from deqbench.discovery.registry import Registry
from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Map, flat_rows
from deqbench.equilibria.monotone import LinearPart, MonotoneMap, Relu
from deqbench.equilibria.solving import Stop, drive
from deqbench.errors import InapplicableError
from deqbench.interfaces import Solver
from deqbench.trials import Ref

REGISTRY = Registry.load()
OFFERED = {
    offer.entry.name: REGISTRY.build("solvers", Ref.parse(offer.entry.name))
    for offer in REGISTRY.offers("solvers")
    if offer.origin.distribution == "deqbench" and not offer.missing
    # Negative controls break the rules on purpose.
    if not offer.entry.name.startswith("control-")
}
STEPWISE = sorted(name for name, solver in OFFERED.items() if isinstance(solver, Solver))
FAMILIES = ("affine", "relu", "tanh", "sine")
CURVED = ("tanh", "sine")
TOLERANCES = {
    torch.float64: (1e-3, 1e-6, 1e-10),
    torch.float32: (1e-2, 1e-5),
    torch.bfloat16: (0.1,),
    torch.float16: (0.02,),
}


@dataclass(frozen=True)
class Problem:
    """z = f(z, x): a contraction of the norm asked for, of states of any shape."""

    family: str
    shape: tuple[int, ...]  # (batch, *state)
    norm: float
    seed: int
    dtype: torch.dtype = torch.float64

    def parts(self):
        """Matrix (d, d), inputs and a start (B, *s), drawn in float64 and rounded to the type."""
        g = torch.Generator().manual_seed(self.seed)
        d = int(torch.Size(self.shape[1:]).numel())
        matrix = torch.randn(d, d, generator=g, dtype=torch.float64)
        matrix = self.norm * matrix / torch.linalg.matrix_norm(matrix, 2)
        x, z0 = torch.randn(2, *self.shape, generator=g, dtype=torch.float64)
        if self.family == "relu":
            x = 1 + x.abs()  # so that f is not zero on whole samples, where no residual is relative
        return matrix.to(self.dtype), x.to(self.dtype), z0.to(self.dtype)

    def function(self, matrix):
        """The map; the form of the first two is known to solvers that look for it."""
        if self.family == "affine":
            return AffineMap(matrix)
        if self.family == "relu":
            return MonotoneMap(LinearPart(matrix), Relu())
        bend = torch.tanh if self.family == "tanh" else torch.sin

        def f(z, x):
            return bend((flat_rows(z) @ matrix.mT).reshape(z.shape) + x)

        return f

    def map(self):
        """A fresh counted map, and a start."""
        matrix, x, z0 = self.parts()
        return Map(self.function(matrix), (x,)), z0

    def true_residual(self, z, norm="relative"):
        """The residual of z recomputed in float64, per sample, in the norm of a `Stop`."""
        matrix, x, _ = self.parts()
        z = z.double()
        fz = self.function(matrix.double())(z, x.double())
        order = 1 if norm == "l1" else 2
        gap = torch.linalg.vector_norm(flat_rows(fz - z), order, dim=1)
        size = torch.linalg.vector_norm(flat_rows(fz), 2, dim=1)
        half = self.dtype in (torch.float16, torch.bfloat16)
        tiny = torch.finfo(torch.float32 if half else self.dtype).tiny
        return gap / size.clamp_min(tiny) if norm == "relative" else gap


@cache
def served(name):
    """The families that a solver of the registry can serve."""
    found = []
    for family in FAMILIES:
        f, z0 = Problem(family, (1, 2), 0.3, 0).map()
        try:
            drive(OFFERED[name], f, z0, Stop(1e-2, 2))
        except InapplicableError:
            continue
        found.append(family)
    return found


EXTERNAL = sorted(set(OFFERED) - set(STEPWISE))
CURVED_STEPWISE = [name for name in STEPWISE if "tanh" in served(name)]


@st.composite
def problems(draw, name, *, dtypes=(torch.float64, torch.float32), batches=(0, 1, 2, 7), families=FAMILIES):
    """A problem that the solver of that name can serve."""
    family = draw(st.sampled_from([one for one in served(name) if one in families]))
    state = st.sampled_from([(1,), (5,)] if family not in CURVED else [(), (1,), (5,), (2, 3)])
    return Problem(
        family,
        (draw(st.sampled_from(batches)), *draw(state)),
        draw(st.floats(0.0, 0.9)),
        draw(st.integers(0, 2**16)),
        draw(st.sampled_from(dtypes)),
    )


@st.composite
def stops(draw, dtype, *, max_calls=400):
    """A stop whose tolerance the type can reach."""
    return Stop(
        draw(st.sampled_from(TOLERANCES[dtype])),
        max_calls,
        draw(st.sampled_from(("relative", "absolute", "l1"))),
        draw(st.sampled_from((1, 3, 8))),
    )
