"""Where plugins come from: what a command line names, and what each plugin found there is called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH_VARIABLE = "DEQBENCH_PLUGIN_PATH"
"""Environment variable that adds paths, separated as in PATH, to those of ``--plugin``."""


@dataclass(frozen=True)
class PluginSources:
    """Where plugins come from; all that a worker needs to load the same registry.

    Attributes:
        paths: Files and folders, absolute, in the order they were given.
        without: Plugins left out: the name of an origin, a distribution, an entry point or a file.
        entry_points: Whether installed distributions are asked.
    """

    paths: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    entry_points: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the sources as JSON values."""
        return {"paths": list(self.paths), "without": list(self.without), "entry_points": self.entry_points}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PluginSources:
        """Return the sources that :meth:`to_json` wrote."""
        return cls(tuple(value["paths"]), tuple(value["without"]), value["entry_points"])


def sources_from(paths: Sequence[str] = (), without: Sequence[str] = ()) -> PluginSources:
    """Return the sources of a command line, with the paths of ``DEQBENCH_PLUGIN_PATH`` after its own.

    Args:
        paths: Values of ``--plugin``.
        without: Values of ``--no-plugin``.
    """
    environment = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    absolute = [str(Path(path).expanduser().resolve()) for path in (*paths, *environment) if path]
    return PluginSources(tuple(dict.fromkeys(absolute)), tuple(without))


@dataclass(frozen=True)
class Origin:
    """Where a component comes from.

    Attributes:
        name: ``distribution:entry-point``, e.g. ``deqbench:solvers``, or the path of a file.
        distribution: The installed distribution; None for a path.
        version: Its version.
        aliases: What else ``--no-plugin`` may call it.
    """

    name: str
    distribution: str | None = None
    version: str | None = None
    aliases: tuple[str, ...] = ()

    def answers_to(self, name: str) -> bool:
        """Whether ``--no-plugin NAME`` means this plugin."""
        return name in self.names

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it answers to."""
        return tuple(filter(None, (self.name, self.distribution, *self.aliases)))
