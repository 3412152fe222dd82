"""What happens when an equilibrium misses its tolerance: recorded, said once, or raised."""

from __future__ import annotations

import warnings
from typing import Literal

from deqbench.equilibria.judging import SolveStatus, Stop
from deqbench.equilibria.solving import Solution
from deqbench.errors import EquilibriumError

Unconverged = Literal["record", "warn", "raise"]
"""Recorded in the ledger alone; there and in a warning, once a process; or in an error as well."""


class EquilibriumWarning(UserWarning):
    """An equilibrium was returned whose residual misses its tolerance."""


def respond(unconverged: Unconverged, solution: Solution, stop: Stop, *, adjoint: bool) -> None:
    """Say what samples missed the tolerance, as was asked for; the solve is recorded already.

    Args:
        unconverged: How.
        solution: What was found.
        stop: What it was to reach.
        adjoint: Whether it is an adjoint equation's.

    Raises:
        EquilibriumError: A sample missed the tolerance and ``unconverged`` is ``raise``.
    """
    if unconverged == "record" or bool(solution.converged.all()):
        return
    sentence = _sentence(solution, stop, "an adjoint equation" if adjoint else "an equilibrium")
    if unconverged == "raise":
        raise EquilibriumError(sentence)
    if "unconverged" not in _warned:
        _warned.add("unconverged")
        warnings.warn(f"{sentence} This is said once a process.", EquilibriumWarning, stacklevel=5)


_warned: set[str] = set()


def _sentence(solution: Solution, stop: Stop, what: str) -> str:
    missed = solution.status[~solution.converged]
    names = [status.name.lower() for status in SolveStatus if bool((missed == status).any())]
    tolerance = stop.tolerance_for(solution.z.dtype)
    return (
        f"{missed.numel()} of {solution.status.numel()} samples of {what} missed the tolerance "
        f"{tolerance:g} ({stop.norm}) within {stop.max_calls} calls ({', '.join(names)}); the worst "
        f"residual is {float(solution.residual.max()):.2g}. Raise max_calls, change the solver, or pass "
        "unconverged='record' with a Ledger to keep count."
    )
