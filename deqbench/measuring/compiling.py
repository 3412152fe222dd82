"""Time spent by ``torch.compile``, read from torch's own account, and a way to run without it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def compile_seconds() -> float:
    """Return the seconds that this process has spent compiling so far; 0 if nothing was.

    Nothing is imported for it: importing torch's compiler alone takes seconds.
    """
    account: Any = sys.modules.get("torch._dynamo.utils")
    if account is None:
        return 0.0
    return float(account.calculate_time_spent().get("total_wall_time", 0.0))


@contextmanager
def eager() -> Iterator[None]:
    """Run what was compiled uncompiled inside: a compiled graph hides its operations."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    import torch  # noqa: PLC0415 -- it is there already

    with torch.compiler.set_stance("force_eager"):
        yield
