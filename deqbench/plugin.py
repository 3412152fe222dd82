"""What a plugin's author imports: ``Entry`` and ``hookimpl``, and the words interfaces are written in.

A solver in a bare file, tried with ``deqbench run SUITE --plugin halved.py``::

    from deqbench.plugin import Entry, Iterate, hookimpl

    class Halved:
        def init(self, f, z0): return Iterate(z0, f(z0))
        def step(self, f, state):
            z = (state.z + state.fz) / 2
            return Iterate(z, f(z))

    @hookimpl
    def deqbench_solvers(): return [Entry("halved", Halved)]
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

from deqbench.errors import InapplicableError, NonFiniteError
from deqbench.interfaces import Drawn, Iterate, Observation, Split, Splits, Task

__all__ = [
    "PROJECT",
    "Component",
    "Drawn",
    "Entry",
    "InapplicableError",
    "Iterate",
    "NonFiniteError",
    "Observation",
    "Split",
    "Splits",
    "Task",
    "hookimpl",
]

PROJECT = "deqbench"
"""Name of the pluggy project and of the entry-point group."""

KINDS = ("datasets", "models", "maps", "solvers", "gradients", "trainers", "probes", "claims", "suites")
"""The kinds of component; ``deqbench_<kind>`` is the hook that offers them."""

hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Entry:
    """One component on offer.

    Attributes:
        name: What suites and the command line call it: lower case, digits and dashes.
        target: The class, or ``"module:attribute"`` to import it only when it is used, or a suite's path.
        summary: One line for ``deqbench list``; a class given as target lends its docstring's first line.
        requires: Import names of packages that an extra brings; if one is missing the entry is listed as
            unavailable.
        extra: The extra that brings them, e.g. ``mnist5k``.
    """

    name: str
    target: Any
    summary: str = ""
    requires: tuple[str, ...] = ()
    extra: str = ""

    def __post_init__(self) -> None:
        if not self.summary and isinstance(self.target, type):
            doc = inspect.getdoc(self.target) or ""
            object.__setattr__(self, "summary", doc.partition("\n")[0])

    def resolve(self) -> Any:
        """Import and return the target; a path is returned as it is."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True)
class Component:
    """Marks a parameter that is itself a component.

    As in ``solver: Annotated[Solver | None, Component("solvers")] = None``. In a suite such a parameter is
    written as any Ref, ``implicit[solver=anderson[memory=3]]``, and arrives built.
    """

    kind: str


def suite_entries(folder: Path) -> list[Entry]:
    """Return an entry for each TOML file in a folder: its name, and its first comment line as summary."""
    return [Entry(path.stem, path, _first_comment(path)) for path in sorted(folder.glob("*.toml"))]


def _first_comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
