"""What entries and columns are called in tables and legends: as short as they stay distinct."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from deqbench.trials import Ref, Trial, split_outside

SEPARATOR = " | "
"""Between an entry's components, as :attr:`deqbench.trials.Trial.entry` writes them."""


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted names; a nested component's own name stands under the bare one."""
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            inner = dict(value)
            if "name" in inner:
                columns[f"{prefix}{name}"] = inner.pop("name")
            columns |= flat(inner, f"{prefix}{name}.")
        else:
            columns[f"{prefix}{name}"] = json.dumps(value) if isinstance(value, list | tuple) else value
    return columns


def dataset_name(trial: Trial) -> str:
    """Return the data set, or the map, as the suite wrote it, parameters included; or the claim's name."""
    if "claim" in trial.components:
        return trial.components["claim"].name
    return str(trial.components.get("dataset", trial.components.get("map", "")))


def entry_names(trials: Sequence[Trial]) -> list[str]:
    """Return each trial's entry, with the settings added that alone tell two of one data set apart.

    A block of a suite may repeat an entry under another dtype or budget; pooled, their seeds would count
    twice.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, trial in enumerate(trials):
        groups[dataset_name(trial), trial.entry].append(position)
    names = [trial.entry for trial in trials]
    for positions in groups.values():
        if len({trials[position].seed for position in positions}) < len(positions):
            for position, told in _differences([trials[position] for position in positions], positions):
                names[position] += SEPARATOR + told
    return names


def _differences(trials: Sequence[Trial], positions: Sequence[int]) -> list[tuple[int, str]]:
    columns = [_columns(trial) for trial in trials]
    names = list(dict.fromkeys(name for row in columns for name in row))
    varying = [name for name in names if len({repr(row.get(name)) for row in columns}) > 1]
    told = [",".join(f"{name}={row.get(name)}" for name in varying) for row in columns]
    return list(zip(positions, told, strict=True))


def _columns(trial: Trial) -> dict[str, Any]:
    columns = flat(trial.settings)
    for axis, values in trial.parameters.items():
        columns |= flat(values, f"{axis}.")
    return columns


def short_labels(entries: Sequence[str]) -> dict[str, str]:
    """Return a label for each entry: its components' names, with the parameters of those that need them.

    ``deq-linear | anderson | implicit | adam[lr=0.01]`` becomes ``deq-linear/anderson/implicit/adam``
    unless another entry differs in the learning rate alone.
    """
    parts = {entry: split_outside(entry, "|") for entry in entries}
    bare = {entry: [Ref.parse(part).name for part in split] for entry, split in parts.items()}
    alike: dict[str, list[str]] = defaultdict(list)
    for entry in parts:
        alike["/".join(bare[entry])].append(entry)
    labels: dict[str, str] = {}
    for twins in alike.values():
        same = [len(set(column)) == 1 for column in zip(*(parts[twin] for twin in twins), strict=True)]
        for twin in twins:
            shown = [bare[twin][i] if same[i] else part for i, part in enumerate(parts[twin])]
            labels[twin] = "/".join(shown)
    return {entry: labels[entry] for entry in entries}
