"""deqbench: the benchmark of implicit deep learning.

::

    import deqbench

    results = deqbench.run("quickstart")
    results.trials    # a pandas frame, one row a trial
    results.curves    # long form: every observation along every trial

What is named here is imported when it is first used: ``import deqbench`` loads neither torch nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deqbench.api import run as run
    from deqbench.results import Results as Results
    from deqbench.solving import Stop as Stop

_HOMES = {
    "Results": "deqbench.results",
    "Stop": "deqbench.solving",
    "run": "deqbench.api",
}

__all__ = ["Results", "Stop", "__version__", "run"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  tens of milliseconds that few need

        return version("deqbench")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'deqbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
