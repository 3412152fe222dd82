"""What a map uses without being given it: weights in its closure, found and replaced as it runs.

A second derivative must know every tensor the map depends on. ``torch`` reports each call a
function makes, so a map can be run once to list the tensors it reached for, and again with others put in
their places. What escapes that (arguments of hand-written autograd functions) is found afterwards in the
recorded graph and refused, never differentiated wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from deqbench.plugin import InapplicableError


class Hidden(TorchFunctionMode):
    """While active, lists tensors that need a gradient and were neither given nor made inside.

    Args:
        given: The map's own arguments.
    """

    def __init__(self, given: Sequence[Tensor]) -> None:
        super().__init__()
        self.known = {id(tensor): tensor for tensor in given}  # holds them: an id must not be reused
        self.found: dict[int, Tensor] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        for value in (*args, *kwargs.values()) if kwargs else args:
            for tensor in (value,) if isinstance(value, Tensor) else _tensors(value):
                if tensor.requires_grad and id(tensor) not in self.known:
                    self.found[id(tensor)] = tensor
        result = func(*args, **kwargs) if kwargs else func(*args)
        for tensor in (result,) if isinstance(result, Tensor) else _tensors(result):
            self.known[id(tensor)] = tensor
        return result


class Replaced(TorchFunctionMode):
    """While active, every use of some tensors is a use of their stand-ins.

    Args:
        stand_ins: ``id`` of a tensor to what takes its place.
    """

    def __init__(self, stand_ins: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.stand_ins = stand_ins

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return func(*self._replace(args), **self._replace(kwargs or {}))

    def _replace(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.stand_ins.get(id(value), value)
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(self._replace(part) for part in value)
        if isinstance(value, dict):
            return {key: self._replace(part) for key, part in value.items()}
        return value


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in _tensors(part)]


def refuse_unknown_leaves(result: Tensor, known: Sequence[Tensor]) -> None:
    """Raise if a recorded graph reaches a leaf otherwise than through the known tensors.

    Raises:
        InapplicableError: It does, so that a derivative by the known ones would lack a part.
    """
    stops = {tensor.grad_fn for tensor in known}
    leaves = {id(tensor) for tensor in known}
    pending, seen = [result.grad_fn], set()
    while pending:
        node = pending.pop()
        if node is None or node in stops or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            if id(node.variable) in leaves:
                continue
            raise InapplicableError(
                f"The map hides a tensor of shape {tuple(node.variable.shape)} from second derivatives "
                "(through a hand-written autograd function); give it to the map as an input, or use "
                "the gradient 'unrolled'."
            )
        pending.extend(edge[0] for edge in node.next_functions)
