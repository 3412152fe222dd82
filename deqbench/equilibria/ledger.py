"""What happened in equilibrium solves: totals of calls, products and outcomes, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from deqbench.equilibria.maps import Counter, Map
from deqbench.equilibria.solving import Solution


@dataclass
class Totals:
    """Sums over solves of one direction; everything is a count but ``worst_residual``.

    Attributes:
        solves: Solves.
        map_calls: Evaluations of f on a batch.
        sample_calls: Evaluations of f on a sample.
        vjps: Vector-Jacobian products on a batch; the adjoint equation's calls are these.
        jvps: Jacobian-vector products on a batch.
        resolvents: Resolvents of a monotone map's linear part on a batch.
        samples: Samples solved for.
        unconverged_samples: Samples that missed the tolerance, for whatever reason.
        non_finite_samples: Samples that met an infinity or a NaN.
        sample_steps: Sum over samples of the calls (backward: products) until each was done.
        worst_residual: Greatest residual of any sample, in the norm it was solved in.
    """

    solves: int = 0
    map_calls: int = 0
    sample_calls: int = 0
    vjps: int = 0
    jvps: int = 0
    resolvents: int = 0
    samples: int = 0
    unconverged_samples: int = 0
    non_finite_samples: int = 0
    sample_steps: int = 0
    worst_residual: float = 0.0

    def add_calls(self, counter: Counter, *, adjoint: bool = False) -> None:
        """Charge what a counter saw; an adjoint map's calls are vector-Jacobian products."""
        self.vjps += counter.vjps + (counter.calls if adjoint else 0)
        self.jvps += counter.jvps
        self.resolvents += counter.resolvents
        if not adjoint:
            self.map_calls += counter.calls
            self.sample_calls += counter.sample_calls

    def add_outcome(self, solution: Solution) -> None:
        """Count one solve and how its samples fared."""
        self.solves += 1
        if solution.z.shape[0] == 0:
            return
        tally = solution.verdict.tally()
        self.samples += tally.samples
        self.unconverged_samples += tally.unconverged
        self.non_finite_samples += tally.non_finite
        self.sample_steps += tally.calls
        self.worst_residual = max(self.worst_residual, tally.worst)


@dataclass
class Ledger:
    """What equilibrium solves cost and how they ended.

    Attributes:
        forward: Solves of z = f(z), and evaluations that attach a gradient to them.
        backward: Solves of the adjoint equation.
        keep_last: Whether to keep the last forward solve for probes.
        last: (map, z*) of the last forward solve, detached; None unless ``keep_last``.
        start: z0 of the last forward solve, detached; None unless ``keep_last``.
        solution: Statuses, residuals and calls of the last forward solve; None unless ``keep_last``.
    """

    forward: Totals = field(default_factory=Totals)
    backward: Totals = field(default_factory=Totals)
    keep_last: bool = False
    last: tuple[Map, Tensor] | None = None
    start: Tensor | None = None
    solution: Solution | None = None

    def record_forward(self, f: Map, z0: Tensor, solution: Solution) -> None:
        """Count the outcome of one forward solve; its calls are charged with ``add_calls``."""
        self.forward.add_outcome(solution)
        if self.keep_last:
            inputs = [part.detach() for part in f.inputs]
            self.last = (Map(f.function, inputs), solution.z.detach())
            self.start = z0.detach()
            self.solution = solution.at(solution.z.detach())

    def to_costs(self) -> dict[str, float | int]:
        """Return every total as ``forward_...`` and ``backward_...``, numbers only."""
        return {
            f"{direction}_{name}": value
            for direction in ("forward", "backward")
            for name, value in vars(getattr(self, direction)).items()
        }
