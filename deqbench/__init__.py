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
    from deqbench.equilibria.binding import bound as bound
    from deqbench.equilibria.binding import equilibrium as equilibrium
    from deqbench.equilibria.judging import Stop as Stop
    from deqbench.equilibria.ledger import Ledger as Ledger
    from deqbench.telling.results import Results as Results

_HOMES = {
    "Ledger": "deqbench.equilibria.ledger",
    "Results": "deqbench.telling.results",
    "Stop": "deqbench.equilibria.judging",
    "bound": "deqbench.equilibria.binding",
    "equilibrium": "deqbench.equilibria.binding",
    "run": "deqbench.api",
}

__all__ = ["Ledger", "Results", "Stop", "__version__", "bound", "equilibrium", "run"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  tens of milliseconds that few need

        return version("deqbench")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'deqbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
