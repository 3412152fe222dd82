"""The numbers of tensors as arrays, and arithmetic on them that warns of nothing.

A search that diverges overflows, and that is a finding. numpy keeps what it does about overflow in a context
variable, so a context in which it does nothing is made once. Entering a copy of it costs a third of
``numpy.errstate``, and a tenth between two calls of a map, which leave little of anybody's code in the
processor's caches.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import Context
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

_SILENT = Context()
_SILENT.run(np.seterr, all="ignore")


def numbers(x: Tensor) -> NDArray[Any]:
    """Return the numbers of a tensor on the CPU; a view of its memory, where it has these numbers."""
    try:
        return x.numpy()
    except RuntimeError:  # it has a graph, or is negated lazily: asking first would cost every look
        return x.numpy(force=True)


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, within which numpy warns of no overflow, underflow, division by 0 or NaN.

    It is for small functions of arrays: within it every other context variable has its default.
    """

    @functools.wraps(function)
    def silent(*args: P.args, **kwargs: P.kwargs) -> R:
        # A context is entered by one thread at a time; a copy costs nothing to speak of.
        return _SILENT.copy().run(function, *args, **kwargs)

    return silent
