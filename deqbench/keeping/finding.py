"""The run that a person means: a folder, a suite's name, or the newest."""

from __future__ import annotations

from pathlib import Path

from deqbench.errors import StoreError
from deqbench.keeping.store import Store

REPORTS = Path("reports")
"""Where runs lie unless a person says otherwise, under the current directory."""


def find_run(name: str | None) -> Store:
    """Return the store of a run.

    Args:
        name: A folder, a suite's name under ``reports/``, or None for the newest run there.

    Raises:
        StoreError: There is no such run.
    """
    if name is not None:
        for folder in (Path(name), REPORTS / name):
            if Store(folder).exists():
                return Store(folder)
        raise StoreError(f"No run lies in '{name}' or '{REPORTS / name}'. Name the folder of a run.")
    plans = sorted(REPORTS.glob("*/plan.json"), key=lambda path: path.stat().st_mtime)
    if not plans:
        raise StoreError(f"No run lies under '{REPORTS}'. Run a suite, or name a run's folder.")
    return Store(plans[-1].parent)
