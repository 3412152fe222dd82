"""How deep a model is in effect: the longest chain of products with parameters, from input to prediction.

Read off the autograd graph of one forward pass, so that it needs no names of layers: a link is a product
(matrix, convolution, solve) of something that depends on the input with something that depends on parameters
alone. A bias or a scale of each element is no link. An implicit model's map is applied once and twice by
hand; what the second call adds is what each call of the solver adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from deqbench.equilibria.binding import Ledger, Stop, bound
from deqbench.experiments.ground import Glance

if TYPE_CHECKING:
    from torch import Tensor, nn

    from deqbench.equilibria.binding import Problem

_FACTORS = {
    "Mm": (0, 1),
    "Addmm": (1, 2),
    "Bmm": (0, 1),
    "Baddbmm": (1, 2),
    "Addbmm": (1, 2),
    "Mv": (0, 1),
    "Addmv": (1, 2),
    "Dot": (0, 1),
    "Convolution": (0, 1),
    "LinalgSolveEx": (0, 1),
    "LinalgSolveTriangular": (0, 1),
    "LinalgLuSolve": (0, 2),
}
"""Nodes of autograd that are products, by name without ``Backward0``, and which inputs are the factors."""


def effective_depth(module: nn.Module, x: Tensor, calls: float | None = None) -> float | None:
    """Return the number of parameterised products in sequence on the longest path of a forward pass.

    Args:
        module: The model.
        x: A few inputs, (B, *in).
        calls: Calls of the map that a sample took, on average; None if the model is explicit.

    Returns:
        The depth of an explicit model, a whole number; of an implicit one that of the pass with one call of
        its map, and for each call beyond it what a call adds. None where the inputs are not real, or no
        prediction depends on them.
    """
    if not x.is_floating_point():
        return None
    once = _chain(module, x, 1)
    if once is None or calls is None:
        return once
    twice = _chain(module, x, 2)
    return None if twice is None else once + (twice - once) * max(calls - 1, 0)


def _chain(module: nn.Module, x: Tensor, calls: int) -> float | None:
    leaf = x.detach().clone().requires_grad_()
    training = module.training
    module.eval()
    try:
        with (
            torch.enable_grad(),
            bound(solver=Glance(), gradient=_Repeated(calls), stop=Stop(max_calls=1), ledger=Ledger()),
        ):
            output = module(leaf)
    finally:
        module.train(training)
    place = _longest(output.grad_fn, leaf) if output.grad_fn is not None else _NOWHERE
    return None if place.depth is None else float(place.depth)


@dataclass(frozen=True)
class _Repeated:
    """A gradient that solves nothing: it applies the map so many times, attached to the graph."""

    calls: int

    def attach(self, problem: Problem) -> Tensor:
        """Return f(...f(z0)), attached."""
        z = problem.z0.detach()
        for _ in range(self.calls):
            z = problem.call(z)
        return z


class _Place(NamedTuple):
    """What a node of the graph depends on.

    Attributes:
        depth: Links on the longest path from the input; None if it does not depend on the input.
        learned: Whether it depends on parameters.
    """

    depth: int | None
    learned: bool


_NOWHERE = _Place(None, learned=False)


def _longest(root: Any, leaf: Tensor) -> _Place:
    """Return the place of the root, every node visited once, its inputs first."""
    places: dict[Any, _Place] = {None: _NOWHERE}
    waiting = [root]
    while waiting:
        node = waiting[-1]
        inputs = [before for before, _ in node.next_functions]
        missing = [before for before in inputs if before not in places]
        if missing and node not in places:
            waiting.extend(missing)
            continue
        waiting.pop()
        places[node] = _placed(node, [places[before] for before in inputs], leaf)
    return places[root]


def _placed(node: Any, inputs: list[_Place], leaf: Tensor) -> _Place:
    variable = getattr(node, "variable", None)
    if variable is not None:  # a leaf of the graph
        return _Place(0, learned=False) if variable is leaf else _Place(None, learned=True)
    learned = any(one.learned for one in inputs)
    depths = [one.depth for one in inputs if one.depth is not None]
    if not depths:
        return _Place(None, learned)
    factors = _FACTORS.get(type(node).__name__.partition("Backward")[0], ())
    parts = [inputs[place] for place in factors if place < len(inputs)]
    links = [one.depth + 1 for one in parts if one.depth is not None]
    by_parameters = any(one.learned and one.depth is None for one in parts)
    return _Place(max([*depths, *links] if by_parameters else depths), learned)
