"""What the trials of an experiment are made of: its axes, and the keys of a suite that shape it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deqbench.suites.places import KeyPath, Mistake

if TYPE_CHECKING:
    from deqbench.suites.schema import Suite

AXES = ("dataset", "model", "map", "solver", "gradient", "trainer", "claim")
"""What a cell is made of, in the order in which a grid is expanded; ``<axis>s`` is the kind of component."""


@dataclass(frozen=True)
class Axes:
    """What a trial of one experiment takes.

    Attributes:
        needed: Axes that every trial has.
        implicit: Axes that a trial has if its model is implicit.
        keys: Keys of a suite that shape no other experiment's trials, with the dots of a table.
    """

    needed: tuple[str, ...]
    implicit: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def taken(self) -> tuple[str, ...]:
        """All its axes, in the order of :data:`AXES`."""
        return tuple(axis for axis in AXES if axis in (*self.needed, *self.implicit))


TAKEN: Mapping[str, Axes] = {
    "training": Axes(
        ("dataset", "model", "trainer"),
        ("solver", "gradient"),
        ("probes", "loss", "evaluations", "budget.epochs", "budget.steps"),
    ),
    "equilibrium": Axes(("map", "solver"), keys=("repeats",)),
    "gradient": Axes(("map", "solver", "gradient"), keys=("repeats",)),
    "claim": Axes(("claim",)),
}
"""Experiment to what its trials take."""


def misplaced(suite: Suite) -> Iterator[Mistake]:
    """Yield a mistake for each axis and each key that the suite's experiment does not take.

    A key that is set to its default is none: a suite that was written back holds every key.
    """
    axes = TAKEN[suite.experiment]
    takes = f"The experiment '{suite.experiment}' takes {_listed(axes.taken)}"
    tables: list[tuple[KeyPath, object]] = [(("defaults",), suite.defaults)]
    tables += [(("grid", number), block) for number, block in enumerate(suite.grid)]
    for path, table in tables:
        for axis in AXES:
            if axis not in axes.taken and getattr(table, axis) is not None:
                yield Mistake((*path, axis), f"{takes}, no {axis}; take it out.")
    for key in _foreign_keys(axes):
        if _is_set(suite, key):
            yield Mistake(tuple(key.split(".")), _foreign(suite.experiment, key))
    for number, block in enumerate(suite.grid):
        for key in _foreign_keys(axes):
            table_name, _, name = key.partition(".")
            if table_name == "budget" and block.budget is not None and getattr(block.budget, name):
                yield Mistake(("grid", number, "budget", name), _foreign(suite.experiment, key))


def _foreign_keys(axes: Axes) -> list[str]:
    """Return the keys that only other experiments take."""
    others = dict.fromkeys(key for other in TAKEN.values() for key in other.keys)
    return [key for key in others if key not in axes.keys]


def _foreign(experiment: str, key: str) -> str:
    owners = " and ".join(f"'{name}'" for name, axes in TAKEN.items() if key in axes.keys)
    return f"'{key}' shapes the experiment {owners} only, not '{experiment}'; take it out."


def _is_set(suite: Suite, key: str) -> bool:
    """Return whether a key differs from its default."""
    default = type(suite).model_fields[key.partition(".")[0]].default
    given: object = suite
    for number, part in enumerate(key.split(".")):
        given = getattr(given, part)
        default = getattr(default, part) if number else default
    return bool(given != default)


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
