"""The command line's ``--only``: which trials of a suite are run.

Clauses that must all hold, each with alternatives; a value is a glob over names, or a component with
parameters::

    --only 'model=deq-*,solver=direct|anderson[memory=5],trainer.lr=0.1,seed=0'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from deqbench.errors import ConfigurationError, did_you_mean
from deqbench.suites.axes import AXES
from deqbench.trials import Ref, Trial, split_outside, toml_value

_OPTION = "--only"


@dataclass(frozen=True)
class Clause:
    """One ``path=value|value`` of a selection.

    Attributes:
        path: An axis, ``axis.parameter`` or ``seed``.
        values: The alternatives, as they were written.
    """

    path: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Clause:
        """Read ``path=value|value``.

        Raises:
            ConfigurationError: There is no value, or the path is no axis, axis.parameter or seed.
        """
        path, equals, values = (part.strip() for part in text.partition("="))
        alternatives = tuple(split_outside(values, "|"))
        if not equals or not alternatives:
            raise ConfigurationError(
                f"'{text}' is no clause; write axis=value, e.g. model=deq-linear or seed=0|1."
            )
        axis, dot, _ = path.partition(".")
        if axis not in AXES and (axis != "seed" or dot):
            names = (*AXES, "seed")
            raise ConfigurationError(
                f"Unknown axis '{axis}'.{did_you_mean(axis, names)} Axes: {', '.join(names)}."
            )
        return cls(path, alternatives)

    def holds(self, trial: Trial) -> bool:
        """Return whether any alternative matches the trial."""
        return any(self.matches(value, trial) for value in self.values)

    def matches(self, value: str, trial: Trial) -> bool:
        """Return whether one alternative matches the trial."""
        axis, dot, parameter = self.path.partition(".")
        if axis == "seed":
            return fnmatchcase(str(trial.seed), value)
        if axis not in trial.components:
            return False
        resolved = trial.parameters.get(axis, {})
        if dot:
            return parameter in resolved and _equals(toml_value(value), resolved[parameter])
        wanted = Ref.parse(value)
        name = trial.components[axis].name
        return fnmatchcase(name, wanted.name) and all(
            key in resolved and _equals(given, resolved[key]) for key, given in wanted.parameters.items()
        )

    def choices(self, trials: Iterable[Trial]) -> list[str]:
        """Return what the path takes among the trials, each once, in their order."""
        axis, dot, parameter = self.path.partition(".")
        found: list[str] = []
        for trial in trials:
            if axis == "seed":
                found.append(str(trial.seed))
            elif dot and parameter in trial.parameters.get(axis, {}):
                found.append(str(trial.parameters[axis][parameter]))
            elif not dot and axis in trial.components:
                found.extend([trial.components[axis].name, str(trial.components[axis])])
        return list(dict.fromkeys(found))


def select(trials: Sequence[Trial], only: str) -> list[Trial]:
    """Return the trials that every clause selects, in their order.

    Args:
        trials: All trials of a suite.
        only: The selection; clauses separated by commas.

    Raises:
        ConfigurationError: A clause cannot be read, a value matches no trial of the suite, or no trial meets
            all clauses.
    """
    clauses, mistakes = _parsed(split_outside(only))
    if not clauses and not mistakes:
        mistakes.append("It is empty; write e.g. model=deq-linear,seed=0.")
    mistakes += [mistake for clause in clauses for mistake in _unmatched(clause, trials)]
    if mistakes:
        raise ConfigurationError(mistakes, where=f"{_OPTION} '{only}'")
    selected = [trial for trial in trials if all(clause.holds(trial) for clause in clauses)]
    if not selected:
        raise ConfigurationError(
            f"{_OPTION} '{only}' selects none of the {len(trials)} trials: each clause matches some, "
            "no trial meets all of them. See them with --dry-run."
        )
    return selected


def _parsed(texts: Iterable[str]) -> tuple[list[Clause], list[str]]:
    clauses: list[Clause] = []
    mistakes: list[str] = []
    for text in texts:
        try:
            clauses.append(Clause.parse(text))
        except ConfigurationError as error:
            mistakes.extend(error.mistakes)
    return clauses, mistakes


def _unmatched(clause: Clause, trials: Sequence[Trial]) -> list[str]:
    mistakes: list[str] = []
    for value in clause.values:
        try:
            if any(clause.matches(value, trial) for trial in trials):
                continue
        except ConfigurationError as error:  # brackets of a component that do not close
            mistakes.extend(error.mistakes)
            continue
        choices = clause.choices(trials)
        listed = ", ".join(choices) or "nothing"
        mistakes.append(
            f"{clause.path}={value} matches no trial.{did_you_mean(value, choices)} Here: {listed}."
        )
    return mistakes


def _equals(given: Any, resolved: Any) -> bool:
    if isinstance(resolved, dict) and isinstance(given, str):  # a nested component
        return resolved.get("name") == Ref.parse(given).name
    if isinstance(resolved, (list, tuple)) and isinstance(given, (list, tuple)):
        return list(resolved) == list(given)
    return bool(given == resolved)
