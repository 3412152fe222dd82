"""Reference solvers: scipy's roots of f(z) - z, sample by sample, on the counted map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import scipy.optimize
import torch
from pydantic import Field

from deqbench_plugins.solvers.lockstep import Search, Vector, in_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from deqbench.equilibria.solving import Map, Stop

ENDLESS = 10**6
"""Limit of iterations given to scipy: the core's limit of calls ends a search, not scipy's."""


@dataclass(frozen=True)
class ScipyRoot:
    """``scipy.optimize.root``, one system a sample, the samples' searches in step.

    ``hybr`` (Powell's hybrid method, MINPACK) forms a Jacobian by d further calls before its first step;
    ``df-sane`` is derivative-free. Vectors are float64 on the CPU, and each sample's loop is a
    thread, so seconds are not scipy's alone; calls are.
    """

    method: Annotated[
        Literal["hybr", "df-sane", "broyden1"], Field(description="scipy's name of the method.")
    ] = "hybr"

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:  # noqa: ARG002 -- the core interrupts it
        """Search until the core interrupts or every sample's search has ended."""
        # MINPACK's finite differences must outgrow the rounding of the map, not of float64.
        choices: dict[str, dict[str, Any]] = {
            "hybr": {"xtol": 1e-15, "maxfev": ENDLESS, "eps": torch.finfo(z0.dtype).eps},
            "df-sane": {"fatol": 0.0, "ftol": 0.0, "maxfev": ENDLESS},
            "broyden1": {"fatol": 0.0, "maxiter": ENDLESS, "jac_options": {"alpha": 1.0}},
        }
        options = choices[self.method]
        root: Any = scipy.optimize.root  # its stubs want the options of one method at a time
        return in_step(_guarded(lambda gap, x: root(gap, x, method=self.method, options=options).x), f, z0)


@dataclass(frozen=True)
class ScipyAnderson:
    """``scipy.optimize.anderson``, one system a sample, the samples' searches in step.

    ``alpha`` = 1 makes its first step the map's own; scipy's default guesses it from ||x||. Its line search
    (Armijo) spends calls that plain Anderson mixing does not.
    """

    memory: Annotated[int, Field(ge=1, description="Past changes that are mixed; scipy's M.")] = 5
    alpha: Annotated[float, Field(gt=0, description="The first Jacobian is -1/alpha.")] = 1.0
    ridge: Annotated[float, Field(ge=0, description="Relative ridge; scipy's w0.")] = 0.01
    line_search: Annotated[bool, Field(description="Whether steps are searched (Armijo).")] = True

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:  # noqa: ARG002 -- the core interrupts it
        """Search until the core interrupts or every sample's search has ended."""
        options: dict[str, Any] = {"M": self.memory, "alpha": self.alpha, "w0": self.ridge}
        options |= {"line_search": "armijo" if self.line_search else None}
        anderson: Any = scipy.optimize.anderson  # its stubs take no f_tol = 0
        return in_step(_endless(anderson, options), f, z0)


@dataclass(frozen=True)
class ScipyNewtonKrylov:
    """``scipy.optimize.newton_krylov`` (LGMRES), one system a sample, the samples' searches in step.

    Its products J v are finite differences, a call each; their width follows the state's type.
    """

    krylov: Annotated[int, Field(ge=1, description="Inner iterations; scipy's inner_maxiter.")] = 20

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:  # noqa: ARG002 -- the core interrupts it
        """Search until the core interrupts or every sample's search has ended."""
        options = {"inner_maxiter": self.krylov, "rdiff": torch.finfo(z0.dtype).eps ** 0.5}
        newton_krylov: Any = scipy.optimize.newton_krylov  # its stubs take no f_tol = 0
        return in_step(_endless(newton_krylov, options), f, z0)


def _endless(method: Any, options: dict[str, Any]) -> Search:
    """Return a search that never calls itself done before F is exactly 0."""
    return _guarded(lambda gap, x: method(gap, x, f_tol=0.0, maxiter=ENDLESS, **options))


def _guarded(search: Search) -> Search:
    """Return a search that ends at its last point where scipy breaks down, as at a Jacobian of zeros."""

    def guarded(gap: Callable[[Vector], Vector], start: Vector) -> Vector:
        last = start

        def watched(x: Vector) -> Vector:
            nonlocal last
            last = np.array(x, dtype=np.float64)
            return gap(x)

        try:
            with np.errstate(all="ignore"):  # unlike warnings' filters, this holds for one thread
                found: Vector = search(watched, start)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError, scipy.optimize.NoConvergence):
            return last
        return found

    return guarded
