"""What weakens comparisons beside failures and machines: few pairs, uncounted operations, a lucky seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from deqbench.statistics.failures import failures_last, higher_is_better
from deqbench.statistics.power import can_reach, power_sentence
from deqbench.telling.contests import counted_of
from deqbench.telling.report.numbers import percent
from deqbench.telling.tables import PENDING, Frames, primary_metric, summed

COVERED = 0.95
"""Share of the operations that must have had a formula."""
_NAMED = 3


def weaknesses(frames: Frames) -> Iterator[str]:
    """Yield what weakens the comparisons of a run."""
    trials = frames.trials[frames.trials["status"] != PENDING]
    if trials.empty:
        return
    entries, datasets = trials["label"].nunique(), trials["dataset"].nunique()
    seeds = int(trials.groupby(["dataset", "label"], observed=True)["seed"].nunique().min())
    family = entries * (entries - 1) // 2
    if entries > 1 and not can_reach(seeds, family):
        said = power_sentence(seeds, entries=entries, datasets=datasets)
        yield said.replace("data set", frames.subject.ground)
    yield from _uncounted(trials)
    yield from _turned(frames, trials)


def _uncounted(trials: pd.DataFrame) -> Iterator[str]:
    share = summed(trials, "operations_coverage")
    low = share < COVERED
    if low.any():
        labels = list(dict.fromkeys(trials.loc[low, "label"]))
        yield (
            f"As little as {percent(float(share.min()))}% of the operations had a formula for "
            f"{_listed(labels)}: their place on the operations axis is too low."
        )


def _turned(frames: Frames, trials: pd.DataFrame) -> Iterator[str]:
    """Yield the data sets on which another entry leads once one seed is left out."""
    datasets = [str(dataset) for dataset in dict.fromkeys(trials["dataset"])]
    found = {dataset: turning_seeds(frames, dataset) for dataset in datasets}
    turned = {dataset: seeds for dataset, seeds in found.items() if seeds}
    if len(found) == 1 and turned:
        dataset, seeds = next(iter(turned.items()))
        which = _listed(list(map(str, seeds)), "or")
        yield f"Without seed {which} another entry has the best median on {dataset}."
    elif turned:
        yield (
            f"On {len(turned)} of {len(found)} {frames.subject.ground}s another entry has the best median "
            f"once one seed is left out: {_listed(list(turned))}."
        )


def turning_seeds(frames: Frames, dataset: str) -> list[int]:
    """Return the seeds without which another entry would have the best median; a tie counts as no change."""
    metric = primary_metric(frames, dataset)
    rows = frames.trials[(frames.trials["dataset"] == dataset) & (frames.trials["status"] != PENDING)]
    better = higher_is_better(metric)
    ok = rows["status"].isin(counted_of(frames, metric))
    ranked = failures_last(summed(rows, metric), ok, higher_is_better=better)
    table = rows.assign(value=ranked if better else -ranked).pivot_table(
        index="seed", columns="label", values="value", aggfunc="max", observed=True
    )
    values = table.dropna(axis="columns").to_numpy(dtype="float64")  # (seeds, entries), more is better
    if len(values) < 3 or values.shape[1] < 2:
        return []
    whole = np.median(values, axis=0)
    leading = whole >= whole.max()
    without = [np.median(np.delete(values, place, axis=0), axis=0) for place in range(len(values))]
    return [
        int(seed)
        for seed, medians in zip(table.index, without, strict=True)
        if not (leading & (medians >= medians.max())).any()
    ]


def _listed(names: list[str], word: str = "and") -> str:
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} {word} {len(names) - _NAMED} more"
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
