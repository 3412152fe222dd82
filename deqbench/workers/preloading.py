"""What workers find imported: libraries and the core, nothing of a plugin, nothing that starts a thread.

What only some suites need costs the others a second at the start and a third of each fork, so it is imported
where it is seen to be needed: by the process that planned the trials, or by a worker that imported it itself.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

CORE: tuple[str, ...] = (
    "torch",
    "torch._dynamo",  # torch.optim imports it at the first optimiser: a second a trial
    "numpy",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "psutil",
    "pydantic",
    "deqbench.discovery.parameters",
    "deqbench.discovery.loading:installed_points",  # reads the metadata of all that is installed
    "deqbench.discovery.hook_checks:keep_manager",  # reads the specifications of hooks
    "deqbench.suites.schema",  # its models have pydantic look for pydantic's own plugins
    "deqbench.experiments.training",
    "deqbench.experiments.equilibrium",
    "deqbench.experiments.gradient",
    "deqbench.experiments.claim",
    "deqbench.experiments.fingerprint",
)
"""What every run needs."""

LIBRARIES: tuple[str, ...] = (
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.linear_model",
    "sklearn.model_selection",
)
"""What some runs need."""

PRELOAD = (*CORE, *LIBRARIES)


def likely_libraries() -> tuple[str, ...]:
    """Return what a run needs whose components this process has imported; its jobs may need more.

    scipy.stats here tells nothing: reports need it, too. scikit-learn imports it.
    """
    return LIBRARIES if "sklearn" in sys.modules else ()


def imported_libraries() -> list[str]:
    """Return the libraries that this process has imported, preloaded or not."""
    return [name for name in LIBRARIES if name in sys.modules]


def preload(modules: Sequence[str]) -> None:
    """Import what most jobs need; one that cannot be is left for the job to report.

    Args:
        modules: Names of modules; ``module:function`` is called too, for what it remembers.
    """
    for name in modules:
        try:
            module, _, function = name.partition(":")
            imported = importlib.import_module(module)
            if function:
                getattr(imported, function)()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not stop jobs that do not need it
            print(f"deqbench worker: cannot preload {name}: {error}", file=sys.stderr, flush=True)
