"""Suite -> trials: the products of its grid blocks, with every component and parameter checked first.

Trials stand in the order written: block by block, later axes faster, seeds fastest. A trial that two blocks
(or two spellings of the same parameters) name is refused, not merged: a suite says each thing once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deqbench.errors import ConfigurationError
from deqbench.suites.axes import TAKEN, Axes, misplaced
from deqbench.suites.components import Components, variants
from deqbench.suites.conditions import Cell, Where
from deqbench.suites.optional import refs_of
from deqbench.suites.places import Mistake
from deqbench.suites.schema import Budget, GridBlock, Suite
from deqbench.trials import Limits, Ref, Trial, digest

MAX_TRIALS = 100_000
"""More is taken for a mistake: their plan alone would fill a disk."""

_GIB = 2**30


def grid_trials(suite: Suite, components: Components, device: str) -> tuple[list[Trial], list[Mistake]]:
    """Return the trials of a suite in order, and the mistakes of its grid.

    A block with components that cannot be used yields no trials here; ``component_mistakes`` says why.

    Args:
        suite: The suite.
        components: The registry's answers.
        device: Where trials run: ``cpu`` or ``cuda``.
    """
    trials: list[Trial] = []
    mistakes = list(misplaced(suite))
    owners: dict[str, int] = {}
    for number, block in enumerate(suite.grid):
        budget = suite.budget.overridden_by(block.budget)
        expansion = BlockExpansion(suite, block, components)
        cells, sentences = expansion.cells()
        endless = _budget_mistakes(budget) if suite.experiment == "training" else ()
        sentences = [*endless, *sentences, *_repeated(cells, owners, number)]
        mistakes += [Mistake(("grid", number), sentence) for sentence in dict.fromkeys(sentences)]
        trials += [_trial(suite, block, budget, cell, device) for cell in cells]
    return trials, mistakes


@dataclass(frozen=True)
class BlockExpansion:
    """One grid block on its way to cells.

    Attributes:
        suite: The suite it stands in, for defaults and seeds.
        block: The block.
        components: The registry's answers.
    """

    suite: Suite
    block: GridBlock
    components: Components

    @property
    def axes(self) -> Axes:
        """What a trial of the suite's experiment takes."""
        return TAKEN[self.suite.experiment]

    def cells(self) -> tuple[list[Cell], list[str]]:
        """Return the cells in order, and the mistakes that keep others from being cells."""
        options = self._options()
        mistakes = [*self._missing_axes(options), *self._vary_mistakes(options)]
        if mistakes or not self._usable(options):
            return [], mistakes
        count = math.prod(map(len, options.values())) * len(self.suite.seeds)
        if count > MAX_TRIALS:
            return [], [f"It expands to {count:,} trials; more than {MAX_TRIALS:,} are refused."]
        cells, mistakes = self._filtered(list(self._product(options)))
        return cells, mistakes or list(self._equilibrium_mistakes(cells))

    def _options(self) -> dict[str, list[Ref]]:
        """Return the components of each axis that names any: the block's, else the default, varied."""
        options: dict[str, list[Ref]] = {}
        for axis in self.axes.taken:
            refs = refs_of(self.suite, self.block, axis)
            here = [ref for ref in refs if not self._absent(axis, ref)]
            if refs:
                options[axis] = [one for ref in here for one in variants(axis, ref, self.block.vary)]
        return options

    def _absent(self, axis: str, ref: Ref) -> bool:
        return self.block.optional and self.components.lacking(f"{axis}s", ref)

    def _names(self, axis: str) -> bool:
        """Return whether the block itself names an axis, so that dropping it would go against its word."""
        varied = any(path.partition(".")[0] == axis for path in self.block.vary)
        return getattr(self.block, axis) is not None or varied

    def _missing_axes(self, options: Mapping[str, Sequence[Ref]]) -> Iterator[str]:
        for axis in self.axes.needed:
            if axis not in options:
                yield f"It has no {axis}; name one here or in [defaults]."

    def _vary_mistakes(self, options: Mapping[str, Sequence[Ref]]) -> Iterator[str]:
        for path in self.block.vary:
            axis, _, parameter = path.partition(".")
            if axis not in options:
                yield f"It varies '{path}' but has no {axis}; name one here or in [defaults]."
            for ref in getattr(self.block, axis) or ():
                if parameter in ref.parameters:
                    yield f"'{path}' is varied and also given in '{ref}'; take it out of one."

    def _usable(self, options: Mapping[str, Sequence[Ref]]) -> bool:
        return all(self.components.usable(f"{axis}s", ref) for axis, refs in options.items() for ref in refs)

    def _product(self, options: Mapping[str, Sequence[Ref]]) -> Iterator[Cell]:
        for refs in itertools.product(*options.values()):
            chosen = dict(zip(options, refs, strict=True))
            if "model" in chosen and not self.components.implicit(chosen["model"]):
                chosen = {
                    axis: ref
                    for axis, ref in chosen.items()
                    if axis not in self.axes.implicit or self._names(axis)
                }
            parameters = {axis: self.components.resolve(f"{axis}s", ref) for axis, ref in chosen.items()}
            for seed in self.suite.seeds:
                yield Cell(chosen, parameters, seed)

    def _filtered(self, cells: list[Cell]) -> tuple[list[Cell], list[str]]:
        """Return the cells that meet ``where``, and what is wrong with it."""
        if self.block.where is None or not cells:
            return cells, []
        where = Where.parse(self.block.where)
        absent = {
            text
            for axis in self.axes.taken
            for ref in refs_of(self.suite, self.block, axis)
            if self._absent(axis, ref)
            for text in (ref.name, str(ref))
        }
        mistakes = [f'where "{where.text}": {sentence}' for sentence in where.mistakes(cells, absent)]
        if mistakes:
            return [], mistakes
        try:
            kept = [cell for cell in cells if where(cell)]
        except ConfigurationError as error:
            return [], [f'where "{where.text}": {error}']
        if kept or absent:
            return kept, []
        return [], [f'where "{where.text}" leaves none of its {len(cells)} trials; loosen it.']

    def _equilibrium_mistakes(self, cells: Sequence[Cell]) -> Iterator[str]:
        for cell in cells if self.axes.implicit else ():
            model = cell.components["model"]
            given = [axis for axis in self.axes.implicit if axis in cell.components]
            lacking = [axis for axis in self.axes.implicit if axis not in cell.components]
            implicit = self.components.implicit(model)
            if implicit and lacking:
                yield (
                    f"The model '{model.name}' is implicit and needs a {' and a '.join(lacking)}; "
                    "name it here or in [defaults]."
                )
            elif not implicit and given:
                yield (
                    f"The model '{model.name}' is explicit and takes no {' and no '.join(given)}; move it to "
                    "a block without ([defaults] apply to implicit models only)."
                )


def _budget_mistakes(budget: Budget) -> Iterator[str]:
    if budget.epochs is None and budget.steps is None:
        yield (
            "Its trials would never end: set budget.epochs or budget.steps "
            "(budget.seconds only stops a trial that takes too long)."
        )


def _repeated(cells: Sequence[Cell], owners: dict[str, int], number: int) -> Iterator[str]:
    """Yield a mistake for each cell that stands twice; dtype and budget do not tell two entries apart."""
    for cell in cells:
        names = {axis: ref.name for axis, ref in cell.components.items()}
        key = digest([names, cell.parameters, cell.seed])
        if key in owners:
            text = " | ".join(str(ref) for ref in cell.components.values())
            place = "itself" if owners[key] == number else f"grid[{owners[key]}]"
            yield f"It repeats '{text}' of {place}; keep one (all parameters count, defaults too)."
        owners.setdefault(key, number)


def _trial(suite: Suite, block: GridBlock, budget: Budget, cell: Cell, device: str) -> Trial:
    memory = budget.memory_gib
    return Trial(
        suite=suite.name,
        experiment=suite.experiment,
        components=cell.components,
        parameters=cell.parameters,
        seed=cell.seed,
        settings={
            "dtype": block.dtype or suite.dtype,
            "device": device,
            "threads": suite.threads,
            "stop": suite.stop.model_dump(),
            **_own_settings(suite, budget),
        },
        probes=suite.probes if suite.experiment == "training" else (),
        limits=Limits(budget.seconds, None if memory is None else int(memory * _GIB)),
    )


def _own_settings(suite: Suite, budget: Budget) -> dict[str, Any]:
    """Return the settings that shape this experiment alone."""
    if suite.experiment == "claim":
        return {}
    if suite.experiment != "training":
        return {"repeats": suite.repeats, "counting": suite.operations}
    return {
        "budget": {"epochs": budget.epochs, "steps": budget.steps},
        "loss": suite.loss.model_dump(),
        "evaluations": suite.evaluations,
        "counting": suite.operations,
    }
