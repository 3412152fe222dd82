"""What each entry's solve of each problem cost, as profiles take it.

A problem is one map or data set drawn from one seed. A trial that did not end ``ok`` has no cost: it is
solved at no budget, however near it came.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.telling.tables import PENDING, Frames


def costs(frames: Frames, name: str, maps: Sequence[str] | None = None) -> pd.DataFrame:
    """Return what each solver's solve of each problem cost: a row a problem, a column a label.

    Infinite where the solver was tried and did not solve it, nan where it was not tried: not planned there,
    or not run yet.

    Args:
        frames: The run.
        name: The cost, e.g. ``map_equivalents``.
        maps: Maps to keep; all by default. Labels that were tried on none of them are left out.
    """
    trials = frames.trials[frames.trials["status"] != PENDING]
    if maps is not None:
        trials = trials[trials["dataset"].isin(maps)]
    cost = trials[name].astype("float64") if name in trials else pd.Series(np.nan, index=trials.index)
    solved = cost.where((trials["status"] == Status.OK) & cost.notna(), np.inf)
    table = trials.assign(cost=solved).pivot_table(
        index=["dataset", "seed"], columns="label", values="cost", aggfunc="max", sort=False
    )
    return table.reindex(columns=list(dict.fromkeys(trials["label"])))
