"""What claims read in the records of trainings: runs of one entry, and what was observed along them.

Nothing here imports torch: claims read records in the wing that tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from deqbench.claims import Assumption, Evidence

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    Piece = tuple[tuple[str, ...], Evidence]
    Row = dict[str, float]

DELM = "deq-linear"
FINISHED = ("ok", "not_converged")
"""Statuses of trials that spent their budget."""
PRECISE = "float64"
BLOWN_UP = 10.0
"""Multiple of the first training loss from which on a run is beyond mathematics."""


@dataclass(frozen=True)
class Runs:
    """All finished trials of one entry on one data set, and their curves.

    Attributes:
        trials: Their rows.
        curves: Their observations.
    """

    trials: pd.DataFrame
    curves: pd.DataFrame

    @property
    def keys(self) -> tuple[str, ...]:
        """The trials' keys."""
        return tuple(self.trials["key"])

    @property
    def dataset(self) -> str:
        """The data set, as the suite wrote it."""
        return str(self.trials["dataset"].iloc[0])

    @property
    def trainer(self) -> str:
        """Name of the trainer."""
        return str(self.trials["trainer"].iloc[0])

    @property
    def precise(self) -> bool:
        """Whether it ran in float64."""
        return bool((self.trials["dtype"] == PRECISE).all())

    def value(self, column: str) -> float:
        """Return a number of the first trial's row, such as ``trainer.lr``; NaN where there is none."""
        return float(self.trials[column].iloc[0]) if column in self.trials else float("nan")

    def along(self, *names: str, beside: str = "") -> list[list[Row]]:
        """Return, for each trial that observed all of them, its observations: ``step`` and the names.

        Args:
            names: What must have been observed.
            beside: What may be missing, and is NaN then; nothing if empty.
        """
        wanted = self.curves[self.curves["name"].isin([*names, beside])]
        found = []
        for _, curve in wanted.groupby("key", sort=False, observed=True):
            once = curve.drop_duplicates(["step", "name"], keep="last")
            table = once.pivot_table(
                index="step", columns="name", values="value", observed=True
            ).reset_index()
            if set(names) <= set(table):
                whole = table.reindex(columns=["step", *names, *([beside] if beside else [])])
                found.append(cast("list[Row]", whole.dropna(subset=list(names)).to_dict("records")))
        return [rows for rows in found if rows]


def finished(trials: Any, curves: Any, models: Collection[str]) -> list[Runs]:
    """Return the finished runs of some models, an entry on a data set each; none without trainings.

    Trials whose training loss passed ten times its first are left out: rounding grows with the weights, and
    where those blow up nothing exact can be read.

    Args:
        trials: A row a trial, as in ``deqbench.telling.tables``.
        curves: A row an observation.
        models: Names of models.
    """
    if not {"model", "trainer"} <= set(trials):
        return []
    losses = curves[curves["name"] == "train_loss"].sort_values("step").groupby("key", observed=True)["value"]
    blown = losses.max() > BLOWN_UP * losses.first()
    chosen = trials[trials["model"].isin(models) & trials["status"].isin(FINISHED)]
    chosen = chosen[~chosen["key"].isin(blown[blown].index)]
    groups = chosen.groupby(["dataset", "entry"], sort=False)
    return [Runs(group, curves[curves["key"].isin(group["key"])]) for _, group in groups]


def unobserved(runs: Collection[Runs], what: str, probe: str) -> list[Piece]:
    """Return the one piece of evidence of runs that lack a probe: an assumption that names it."""
    sentence = f"{what} were observed (add '{probe}' to the suite's probes)"
    lacking = Assumption("observed", None, holds=False, sentence=sentence)
    keys = tuple(key for one in runs for key in one.keys)
    return [(keys, Evidence((lacking,), ()))] if keys else []


def plain(runs: Runs) -> Assumption:
    """Return the assumption that nothing but the loss was minimised."""
    l2 = runs.value("loss.l2")
    return Assumption("l2", l2, not l2 > 0, "the loss has no weight decay")
