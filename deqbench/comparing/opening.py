"""Runs as a person names them on a command line, opened, each under a name as short as they stay distinct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deqbench.keeping.finding import find_run
from deqbench.telling.loading import load

if TYPE_CHECKING:
    from deqbench.telling.tables import Frames


def open_runs(words: Sequence[str]) -> Mapping[str, Frames]:
    """Return each run's frames under the name of its folder, or under as much of its path as tells it apart.

    Raises:
        StoreError: One of them is no run.
    """
    folders = [find_run(word).folder.resolve() for word in words]
    return {name: load(folder) for name, folder in zip(distinct_names(folders), folders, strict=True)}


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Return the last parts of each path, as few as make all differ; a path given twice is numbered."""
    for depth in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-depth:]) for folder in folders]
        if len(set(names)) == len(set(folders)):
            break
    return [
        name if names.index(name) == place else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]
