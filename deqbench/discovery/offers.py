"""One component on offer: its entry, its plugin, what it lacks, and where its code lies."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deqbench.discovery.loading import BARE_MODULE
from deqbench.discovery.sources import Origin
from deqbench.plugin import Entry

KIND_NAMES = {
    "datasets": "data set",
    "models": "model",
    "maps": "map",
    "solvers": "solver",
    "gradients": "gradient",
    "trainers": "trainer",
    "probes": "probe",
    "claims": "claim",
    "suites": "suite",
}
"""Each kind in the singular, for messages."""


@dataclass(frozen=True)
class Offer:
    """A component on offer.

    Attributes:
        kind: One of ``KINDS``.
        entry: The entry, as its plugin wrote it.
        origin: The plugin.
        plugin: The plugin's module or object; its source counts where the target is an object made there.
    """

    kind: str
    entry: Entry
    origin: Origin
    plugin: Any = field(default=None, repr=False, compare=False)

    @property
    def missing(self) -> tuple[str, ...]:
        """Required packages that are not installed."""
        return tuple(name for name in self.entry.requires if find_spec(name.partition(".")[0]) is None)

    @property
    def remedy(self) -> str:
        """What to install, in words; empty if nothing is missing."""
        if not self.missing:
            return ""
        needs = f"needs {', '.join(self.missing)}"
        if not self.entry.extra:
            return f"{needs}; install {'it' if len(self.missing) == 1 else 'them'}"
        return f"{needs}; install {self.origin.distribution or 'deqbench'}[{self.entry.extra}]"

    @property
    def code(self) -> list[str | Path]:
        """Where its code starts: its module, or for an object also the plugin that made it."""
        if self.kind == "suites":
            return [Path(self.entry.target)]
        target = self.entry.target
        if isinstance(target, str):
            return [target.partition(":")[0]]
        maker = getattr(target, "func", target)  # functools.partial
        modules = dict.fromkeys([_module(self.plugin), _module(maker)])
        return [start for start in modules if start is not None]


def clash_sentence(offers: tuple[Offer, ...]) -> str:
    """Return what is wrong, and what to do, when several plugins offer the same component."""
    first = offers[0]
    origins = " and ".join(offer.origin.name for offer in offers)
    return (
        f"The {KIND_NAMES[first.kind]} '{first.entry.name}' is offered by {origins}. "
        "Leave one out with --no-plugin NAME."
    )


def _module(thing: Any) -> str | Path | None:
    """Return a module's dotted name, or the path of a bare file, which no import finds by its name."""
    module = inspect.getmodule(thing) or inspect.getmodule(type(thing))
    if module is None or module.__spec__ is None or module.__file__ is None:
        return None
    return Path(module.__file__) if module.__name__.startswith(BARE_MODULE) else module.__name__
