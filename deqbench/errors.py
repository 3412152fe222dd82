"""Every error a person can cause, as one tree.

::

    DeqbenchError                what was given, what is allowed, what to do
    ├── ConfigurationError       a suite, an option or a parameter is wrong (several mistakes, one a line)
    ├── UnknownNameError         no component, suite, run or trial has that name
    ├── PluginError              a plugin could not be loaded, or clashes with another
    ├── StoreError               a run folder cannot be read or written
    ├── InapplicableError        a component cannot serve here (a direct solver, a map that is not affine)
    ├── IncomparableError        two runs answer different questions (exit 7)
    ├── EquilibriumError         an equilibrium missed its tolerance, and was asked to raise
    └── NonFiniteError           a number that must be finite is not

The command line prints the message and exits 2, or what the error's class says. Any other exception is a
mistake of ours and keeps its traceback. Inside a trial every exception becomes a row with a status: nothing
here stops a run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class DeqbenchError(Exception):
    """A mistake that a person can mend; its message is one clear sentence or a list of them."""

    exit_code: ClassVar[int] = 2


class ConfigurationError(DeqbenchError):
    """One or more mistakes in a suite or in options, each with its place.

    Args:
        mistakes: One sentence each.
        where: The file or option they stand in; becomes the first line.
    """

    def __init__(self, mistakes: str | Sequence[str], where: str | None = None) -> None:
        self.mistakes = (mistakes,) if isinstance(mistakes, str) else tuple(mistakes)
        self.where = where
        super().__init__(self._message())

    def _message(self) -> str:
        if self.where is None and len(self.mistakes) == 1:
            return self.mistakes[0]
        count = len(self.mistakes)
        head = f"{self.where or 'configuration'}: {count} mistake{'s' if count > 1 else ''}."
        return "\n".join([head, *(f"  - {mistake}" for mistake in self.mistakes)])


class UnknownNameError(DeqbenchError):
    """A name that nothing answers to; the message offers the nearest valid one."""


class PluginError(DeqbenchError):
    """A plugin that a run needs is broken, or two plugins claim the same name."""


class StoreError(DeqbenchError):
    """A run folder is missing, unreadable, or written by a newer deqbench."""


class InapplicableError(DeqbenchError):
    """A component that cannot serve this trial; the trial is recorded as skipped, with this reason."""


class IncomparableError(DeqbenchError):
    """Two runs that cannot be compared or merged; the message says what differs."""

    exit_code = 7


class EquilibriumError(DeqbenchError):
    """An equilibrium, or its adjoint equation, missed its tolerance where ``unconverged`` is ``raise``."""


class NonFiniteError(DeqbenchError):
    """A loss, gradient or state holds inf or nan; the trial is recorded as diverged."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest valid name, or an empty string.

    Args:
        name: What was given.
        valid: The names that are allowed.
    """
    near = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
