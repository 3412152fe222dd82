"""May two runs be compared? Only if they ask the same question, of the same data, measured the same way.

What differs is named, one sentence each. A protocol, a data set or a setting that differs makes the numbers
of the two runs answers to different questions. A machine that differs makes only times and memory so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from deqbench.telling.naming import flat

if TYPE_CHECKING:
    from deqbench.telling.tables import Frames

SETTINGS = ("dtype", "loss", "loss.l2", "evaluations", "repeats")
"""Columns of settings that both runs must share where they share a trial; ``budget.`` and ``stop.`` too."""
PLACES = ("cpu.model", "cpu.usable", "gpus", "blas.torch", "blas.torch_cpu_capability", "versions.torch")
"""Facts of the environment that times and memory depend on."""
PLACE_SETTINGS = ("device", "device_name", "threads")
"""Columns of the trials that they depend on too."""
MACHINE_BOUND = ("seconds", "bytes", "overhead")
"""A metric or cost whose name holds one of these depends on the machine."""
MOST_NAMED = 5


def conflicts(first: Frames, second: Frames, names: tuple[str, str]) -> list[str]:
    """Return why two runs cannot be compared, one sentence each; none if they can.

    Args:
        first: One run.
        second: The other.
        names: What a person calls them.
    """
    experiments = [str(one.suite.get("experiment", "training")) for one in (first, second)]
    if experiments[0] != experiments[1]:
        return [_differ("the experiment", experiments, names)]
    return [*_protocol(first, second, names), *_data(first, second, names), *_settings(first, second, names)]


def environment_differences(first: Frames, second: Frames) -> list[str]:
    """Return how the machines of two runs differ, as far as times and memory depend on it."""
    ours, theirs = flat(first.environment), flat(second.environment)
    for column in PLACE_SETTINGS:
        ours[column], theirs[column] = (_values(one.trials, column) for one in (first, second))
    return [
        f"{place} is {_shown(ours.get(place))} in one and {_shown(theirs.get(place))} in the other"
        for place in (*PLACES, *PLACE_SETTINGS)
        if ours.get(place) != theirs.get(place)
    ]


def machine_bound(metric: str) -> bool:
    """Return whether a metric depends on the machine it was measured on."""
    return any(word in metric for word in MACHINE_BOUND)


def _protocol(first: Frames, second: Frames, names: tuple[str, str]) -> Iterator[str]:
    ours, theirs = first.protocol, second.protocol
    if ours != theirs:
        yield _differ("the protocol, what a trial means,", [ours, theirs], names)


def _data(first: Frames, second: Frames, names: tuple[str, str]) -> Iterator[str]:
    """Compare the digests of the data under every (ground, seed) that both runs hold."""
    digests = [_digests(one.trials) for one in (first, second)]
    shared = digests[0].index.intersection(digests[1].index)
    ours, theirs = digests[0].loc[shared], digests[1].loc[shared]
    changed: dict[str, list[int]] = {}
    for ground, seed in shared[(ours != theirs).to_numpy()]:
        changed.setdefault(str(ground), []).append(int(seed))
    for ground, seeds in changed.items():
        place = (ground, seeds[0])
        yield (
            f"the data of '{ground}' differ under seed{'s' if len(seeds) > 1 else ''} {_listed(seeds)}: "
            f"fingerprint {ours[place]} in {names[0]}, {theirs[place]} in {names[1]}"
        )


def _digests(trials: pd.DataFrame) -> pd.Series[str]:
    known = trials.dropna(subset=["data_digest"]) if "data_digest" in trials else trials.iloc[:0]
    return (
        known.drop_duplicates(["dataset", "seed"])
        .set_index(["dataset", "seed"])
        .get("data_digest", pd.Series(dtype=str))
    )


def _settings(first: Frames, second: Frames, names: tuple[str, str]) -> Iterator[str]:
    """Compare settings trial by trial, over what both runs hold: a block may have its own budget."""
    columns = _setting_columns([first.trials, second.trials])
    keys = ["dataset", "entry", "seed"]
    tables = [one.trials.drop_duplicates(keys).set_index(keys) for one in (first, second)]
    shared = tables[0].index.intersection(tables[1].index)
    for column in columns:
        values = [
            table[column].loc[shared] if column in table else pd.Series(None, index=shared, dtype=object)
            for table in tables
        ]
        unlike = [place for place, one, other in zip(shared, *values, strict=True) if not _alike(one, other)]
        if unlike:
            told = [_shown(value.loc[unlike[0]]) for value in values]
            yield _differ(f"the setting {column} of '{unlike[0][0]}', {unlike[0][1]}", told, names)


def _setting_columns(tables: Sequence[pd.DataFrame]) -> list[str]:
    names = dict.fromkeys(str(name) for table in tables for name in table)
    return [name for name in names if name in SETTINGS or name.startswith(("budget.", "stop."))]


def _values(trials: pd.DataFrame, column: str) -> str:
    found = trials[column].dropna().unique().tolist() if column in trials else []
    return ", ".join(sorted(str(value) for value in found)) or "unknown"


def _alike(one: Any, other: Any) -> bool:
    return bool((pd.isna(one) and pd.isna(other)) or one == other)


def _differ(what: str, values: Sequence[Any], names: tuple[str, str]) -> str:
    return f"{what} is {values[0]} in {names[0]} and {values[1]} in {names[1]}"


def _shown(value: Any) -> str:
    return "unknown" if value is None or value is pd.NA else str(value)


def _listed(seeds: Sequence[int]) -> str:
    told = ", ".join(str(seed) for seed in seeds[:MOST_NAMED])
    return told if len(seeds) <= MOST_NAMED else f"{told} and {len(seeds) - MOST_NAMED} others"
