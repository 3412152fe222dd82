"""The small problems that solvers are checked on: contractions of known equilibrium; a tally of their use.

Each is built anew for every use. All of them multiply by one matrix, so who multiplies by it evaluates the
map or takes a product with its Jacobian, by whatever way; ``Tally`` sees that beneath everything a solver
can reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Function, Map
from deqbench.equilibria.monotone import LinearPart, MonotoneMap, Relu
from deqbench.equilibria.solving import Stop, drive
from deqbench.errors import InapplicableError
from deqbench.interfaces import Solver

BATCH, SIZE, STEPS = 5, 4, 3

PRODUCTS = frozenset(
    (torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm, torch.ops.aten.baddbmm, torch.ops.aten.mv)
)
"""What torch multiplies by a matrix with."""


class Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's is untyped
    """While active, counts products with a matrix and notes what was multiplied.

    Rows are multiplied one by one: how a processor adds up depends on how many there are, and a loop that
    takes finite differences would make of that rounding what looks like samples that mix.

    Args:
        matrix: Told by its memory, so that its transpose and views of it are it too.

    Attributes:
        products: How many, each on a batch.
        samples: How many rows they had in all.
        points: What was multiplied, oldest first.
    """

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.place = matrix.untyped_storage().data_ptr()
        self.products = 0
        self.samples = 0
        self.points: list[Tensor] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket in PRODUCTS:
            factors = [part for part in args[-2:] if isinstance(part, Tensor)]
            others = [part for part in factors if part.untyped_storage().data_ptr() != self.place]
            if len(others) == 1:
                self.products += 1
                self.samples += others[0].numel() // SIZE
                self.points.append(others[0].detach().clone())
                return _by_rows(func, args, kwargs or {}, len(others[0]))
        return func(*args, **(kwargs or {}))


def _by_rows(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], batch: int) -> Any:
    """Return a product of ``batch`` rows with a matrix, (batch, SIZE), each row's by itself."""
    rows = [isinstance(part, Tensor) and part.shape == (batch, SIZE) for part in args]
    if batch in (0, 1, SIZE) or not rows[-2] or rows[-1]:  # another shape, or the matrix comes first
        return func(*args, **kwargs)
    parts = [
        func(*(part[row : row + 1] if has else part for part, has in zip(args, rows, strict=True)), **kwargs)
        for row in range(batch)
    ]
    return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class Contraction:
    """One problem: the map is (function, inputs), its equilibrium ``exact``.

    Attributes:
        matrix: What the map multiplies by, (SIZE, SIZE).
        function: The map.
        inputs: What it takes after z, each with a row per sample.
        z0: Start, (B, SIZE).
        exact: Its equilibrium, (B, SIZE).
    """

    matrix: Tensor
    function: Function
    inputs: tuple[Tensor, ...]
    z0: Tensor
    exact: Tensor

    @property
    def f(self) -> Map:
        """A fresh counted map."""
        return Map(self.function, self.inputs)

    def value(self, z: Tensor) -> Tensor:
        """Return f(z), uncounted."""
        with torch.no_grad():
            return self.function(z, *self.inputs)


Build = Callable[..., Contraction]


def _numbers() -> tuple[Tensor, Tensor, Tensor]:
    """Return a matrix of norm 0.5 that is not normal, (SIZE, SIZE); offsets and starts, (BATCH, SIZE)."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64)
    matrix = matrix * (0.5 / torch.linalg.matrix_norm(matrix, ord=2))
    offset, z0 = torch.randn(2, BATCH, SIZE, generator=generator, dtype=torch.float64)
    return matrix, offset, z0


def affine(rows: slice = slice(None), *, spoilt: int | None = None) -> Contraction:
    """Return z -> M z + b.

    Args:
        rows: Which samples.
        spoilt: A sample whose offset is NaN.
    """
    matrix = _numbers()[0]
    return _contraction(matrix, AffineMap(matrix), rows, spoilt)


def curved(rows: slice = slice(None), *, spoilt: int | None = None) -> Contraction:
    """Return z -> tanh(M z + b), a map that nothing is known of; arguments as :func:`affine`."""
    matrix = _numbers()[0]

    def function(z: Tensor, offset: Tensor) -> Tensor:
        return torch.tanh(z @ matrix.mT + offset)

    return _contraction(matrix, function, rows, spoilt)


def monotone(rows: slice = slice(None), *, spoilt: int | None = None) -> Contraction:
    """Return z -> max(M z + b, 0) as a monotone map; arguments as :func:`affine`."""
    matrix = _numbers()[0]
    return _contraction(matrix, MonotoneMap(LinearPart(matrix), Relu()), rows, spoilt)


def _contraction(matrix: Tensor, function: Function, rows: slice, spoilt: int | None) -> Contraction:
    _, offset, z0 = _numbers()
    exact = z0
    for _ in range(100):  # 0.5^100 is below rounding
        exact = function(exact, offset)
    if spoilt is not None:
        offset[spoilt] = torch.nan
    return Contraction(matrix, function, (offset[rows],), z0[rows], exact[rows])


PROBLEMS: tuple[Build, ...] = (affine, curved, monotone)
"""Every kind of map that a solver may be made for."""


def served(solver: Any) -> list[Build]:
    """Return the problems whose map the solver can serve.

    Raises:
        InapplicableError: It serves none of them.
    """
    found, reasons = [], []
    for build in PROBLEMS:
        problem = build()
        try:
            drive(solver, problem.f, problem.z0, Stop(tolerance=1e-3, max_calls=2))
        except InapplicableError as error:
            reasons.append(error)
        else:
            found.append(build)
    if not found:
        raise reasons[0]
    return found


def states(solver: Any, problem: Contraction, steps: int = STEPS) -> Iterator[Any]:
    """Yield the solver's first states; none for an external solver."""
    if not isinstance(solver, Solver):
        return
    f = problem.f
    state = solver.init(f, problem.z0)
    yield state
    for _ in range(steps):
        state = solver.step(f, state)
        yield state


def tensors(state: Any) -> dict[str, Tensor]:
    """Return every tensor of a state, those in its tuples, lists and dicts included, by its place."""
    found: dict[str, Tensor] = {}
    _collect("", state, found)
    return found


def _collect(place: str, value: Any, found: dict[str, Tensor]) -> None:
    if isinstance(value, Tensor):
        found[place] = value
        return
    if hasattr(value, "_fields"):
        parts = value._asdict()
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: getattr(value, part.name) for part in fields(value)}
    elif isinstance(value, dict):
        parts = value
    elif isinstance(value, list | tuple):
        parts = dict(enumerate(value))
    else:
        return
    for name, part in parts.items():
        _collect(f"{place}.{name}" if place else str(name), part, found)
