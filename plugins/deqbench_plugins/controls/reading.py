"""What the claims of the controls share: how a run's table is read. Nothing here imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deqbench.claims import Evidence
from deqbench.statistics.paired import Layout

if TYPE_CHECKING:
    import pandas as pd

Piece = tuple[tuple[str, ...], Evidence]
"""Keys of the trials that a piece of evidence rests on, and the evidence."""

BY_SOLVER = Layout(entry="solver")
"""Solvers are compared, on the same map from the same seed."""


def of_solvers(trials: pd.DataFrame, control: str) -> pd.DataFrame:
    """Return the trials of all solvers on the maps that a control was tried on; empty if it did not run."""
    if "solver" not in trials:
        return trials[:0].assign(solver=None)  # its callers ask for that column
    maps = trials.loc[trials["solver"] == control, "dataset"]
    return trials[trials["dataset"].isin(maps) & (trials["status"] != "pending")]
