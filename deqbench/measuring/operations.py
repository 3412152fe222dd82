"""Floating-point operations of a stretch of code, counted below torch's dispatcher, and what was not seen.

torch's own counter knows matrix products, convolutions and attention, and counts everything else as 0. This
one asks its formulas for those and our own (``formulas``, ``dense_formulas``) for the rest, and says which
share of the work had a formula. It slows small operations several times: never count under a clock.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from deqbench.measuring.formulas import (
    FORMULAS,
    FREE_NAMESPACES,
    Formula,
    elements,
    fourier,
    plain_name,
)

importlib.import_module("deqbench.measuring.dense_formulas")  # registers its formulas

_COMPLEX = 4
"""Complex arithmetic in real operations: 8 for a product and a sum against 2."""

_VIEW: Formula = lambda args, kwargs, out: 0  # noqa: E731, ARG005 -- compared by identity


class CountingEnded(BaseException):
    """The count is broken off: its time is over, or work goes where nothing is seen."""


@dataclass
class Tally:
    """What was counted.

    Attributes:
        operations: Floating-point operations of everything that had a formula.
        known: Elements (of result or first argument, whichever are more) of operations with a formula.
        unknown: The same of each operation without one, by name.
        outside: Whether work may have been done where nothing is seen: in another thread, or in numpy.
    """

    operations: int = 0
    known: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    outside: bool = False

    def add(self, other: Tally) -> None:
        """Add what another one counted."""
        self.operations += other.operations
        self.known += other.known
        self.unknown.update(other.unknown)
        self.outside |= other.outside

    @property
    def coverage(self) -> float:
        """Share of the elements that had a formula, in [0, 1]; views move nothing and weigh nothing."""
        whole = self.known + self.unknown.total()
        return self.known / whole if whole else 1.0


class OperationCounter(TorchDispatchMode):
    """Context manager that counts the operations which torch dispatches in this thread.

    The backward pass is counted wherever autograd runs it. Code that starts a thread of its own, or hands a
    tensor to numpy, is noticed (``tally.outside``): what it does there cannot be counted.

    Args:
        until: When to break off at the latest, on the monotonic clock.

    Raises:
        CountingEnded: In the middle of what was to be counted: the time is over, or work went outside.
    """

    def __init__(self, until: float | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # unannotated in torch
        self.tally = Tally()
        self._until = until
        self._formulas: dict[Any, Formula | None] = {}
        self._depth = 0  # an operation made of others is run in the same counter, entered again
        self._watching: Any = None

    def __enter__(self) -> OperationCounter:
        if self._depth == 0:
            self._watching = _departures_noticed(self.tally)
            self._watching.__enter__()
        self._depth += 1
        super().__enter__()  # type: ignore[no-untyped-call]  # unannotated in torch
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]  # unannotated in torch
        self._depth -= 1
        if self._depth == 0:
            self._watching.__exit__(None, None, None)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation and count it; one that is made of others is counted by those."""
        del types
        if self.tally.outside or (self._until is not None and time.monotonic() > self._until):
            raise CountingEnded
        kwargs = kwargs or {}
        if func not in self._formulas:
            self._formulas[func] = formula_of(func)
        one = self._formulas[func]
        if one is None and _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        out = func(*args, **kwargs)
        if one is not _VIEW:
            self._charge(one, func, args, kwargs, out)
        return out

    def _charge(self, one: Formula | None, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        weight = max(elements(out), elements(args[0]) if args else 0)
        if one is None:
            self.tally.unknown[str(func)] += max(weight, 1)
            return
        self.tally.known += weight
        count = one(args, kwargs, out)
        if count:
            self.tally.operations += count * (_COMPLEX if one is not fourier and _complex(args) else 1)


def formula_of(func: Any) -> Formula | None:
    """Return the formula of an overload: ours, else torch's; that of nothing for a view; None for none."""
    if getattr(func, "is_view", False) or getattr(func, "namespace", "") in FREE_NAMESPACES:
        return _VIEW
    schema = getattr(func, "_schema", None)
    if schema is not None and (own := FORMULAS.get(plain_name(schema.name))) is not None:
        return own
    theirs = flop_registry.get(getattr(func, "_overloadpacket", func))
    if theirs is None:
        return None
    return lambda args, kwargs, out: int(theirs(*args, **kwargs, out_val=out))


def _is_composite(func: Any) -> bool:
    if not isinstance(func, torch._ops.OpOverload):
        return False
    name = func.name()  # type: ignore[no-untyped-call]  # unannotated in torch
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd"))


def _complex(args: tuple[Any, ...]) -> bool:
    first = args[0] if args else None
    if isinstance(first, (tuple, list)):
        first = first[0] if first else None
    return isinstance(first, torch.Tensor) and first.is_complex()


@contextmanager
def _departures_noticed(tally: Tally) -> Iterator[None]:
    """Note in the tally if work may go where nothing is seen: into a new thread, or into numpy.

    ``threading``'s own hook sees the first line that a thread runs; what goes to numpy passes through
    ``Tensor.numpy``. The core may: it judges residuals there, which is no competitor's work.
    """
    threads, numpy = threading.getprofile(), torch.Tensor.numpy
    inherited = "numpy" not in vars(torch.Tensor)

    def started(frame: Any, event: str, argument: Any) -> None:  # noqa: ARG001 -- a profile function's signature
        tally.outside = True
        sys.setprofile(None)  # one line was enough, and a profiled thread is slow

    def handed_over(tensor: torch.Tensor, *, force: bool = False) -> Any:
        if not sys._getframe(1).f_globals.get("__name__", "").startswith("deqbench."):
            tally.outside = True
            raise CountingEnded
        return numpy(tensor, force=force)

    threading.setprofile(started)
    torch.Tensor.numpy = handed_over  # type: ignore[method-assign,assignment]  # taken away below
    try:
        yield
    finally:
        if inherited:
            del torch.Tensor.numpy
        else:  # a counter inside a counter
            torch.Tensor.numpy = numpy  # type: ignore[method-assign]  # as it was
        threading.setprofile(threads)
