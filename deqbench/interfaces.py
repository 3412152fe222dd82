"""What a plugin must offer, kind by kind, with shapes.

Interfaces are protocols: a component is any class with these methods. Its parameters are the fields of a
frozen dataclass, annotated with their types, so that the core can validate, document and record them.
Nothing here imports torch, so listing plugins costs nothing.

Shapes: ``B`` samples in a batch, ``N`` samples in a split, ``*s`` the shape of one equilibrium state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from deqbench.claims import Evidence
    from deqbench.equilibria.binding import Ledger, Problem
    from deqbench.equilibria.solving import Map, Stop
    from deqbench.learning.objective import Objective


class Task(StrEnum):
    """What is to be learned; the loss and the score follow from it."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


@dataclass(frozen=True)
class Split:
    """Part of a data set.

    Attributes:
        x: Inputs, (N, *in), float64 on the CPU; the core casts and moves them.
        y: Class indices, (N,) int64, or targets, (N, out) float64.
    """

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return int(self.x.shape[0])


@dataclass(frozen=True)
class Splits:
    """A data set, split.

    Attributes:
        train: What parameters are fitted to; every statistic used for scaling comes from it alone.
        val: For choosing; never fitted to.
        test: For reporting.
        task: Regression or classification.
        outputs: Number of classes, or of target columns.
    """

    train: Split
    val: Split
    test: Split
    task: Task
    outputs: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.train.x.shape[1:])


class Dataset(Protocol):
    """Loads its splits; the same seed gives the same bits on every machine."""

    def load(self, seed: int) -> Splits:
        """Return the splits that the named stream ``data`` of this seed draws."""
        ...


class Model(Protocol):
    """Builds a module.

    An implicit one calls ``deqbench.equilibrium`` in forward; an explicit one never sees a solver.
    """

    implicit: ClassVar[bool]

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return a module, (B, *inputs) -> (B, outputs), initialised from torch's seeded generator."""
        ...


@dataclass(frozen=True)
class Drawn:
    """One equilibrium problem that a family drew.

    Attributes:
        module: forward(x) -> output (B, ...), one ``deqbench.equilibrium``; float64, moved by the core.
        x: Inputs, (B, *in), float64 on the CPU.
        loss: Output, float64 on the CPU, -> scalar; what the experiment ``gradient`` differentiates.
        bare: f(z, *inputs), the map's values by less work, which solves are timed beside; None: the map.
    """

    module: nn.Module
    x: Tensor
    loss: Callable[[Tensor], Tensor]
    bare: Callable[..., Tensor] | None = None


class MapFamily(Protocol):
    """Equilibrium problems of a known kind and difficulty; the same seed gives the same bits."""

    def draw(self, seed: int) -> Drawn:
        """Return the problem that the named stream ``map`` of this seed draws."""
        ...


class Iterate(NamedTuple):
    """The smallest solver state: a point and the map's value there, both (B, *s)."""

    z: Tensor
    fz: Tensor


class State(Protocol):
    """A solver's state: a NamedTuple or a dataclass.

    Every tensor in it carries the batch first, (B, ...), so that the core can freeze, drop or isolate rows;
    anything else in it (counters) is shared by the batch, unless it has a method ``rows(index)`` that returns
    the same of some samples alone. ``fz`` is what the map returned for ``z``.
    """

    @property
    def z(self) -> Tensor:
        """Current point, (B, *s)."""
        ...

    @property
    def fz(self) -> Tensor:
        """The map's value at ``z``, (B, *s)."""
        ...


@runtime_checkable
class Solver(Protocol):
    """Finds z = f(z), one step at a time; the core drives, counts, judges residuals and stops."""

    def init(self, f: Map, z0: Tensor) -> Any:
        """Return the first state, at z0 (B, *s); one call of f."""
        ...

    def step(self, f: Map, state: Any) -> Any:
        """Return the next state.

        Pure: nothing is kept outside the state, nothing in it is changed in place.
        """
        ...


@runtime_checkable
class ExternalSolver(Protocol):
    """Somebody else's closed loop.

    The counted map sees every call and interrupts it when the core is satisfied.
    """

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:
        """Return a point near the equilibrium, (B, *s)."""
        ...


@runtime_checkable
class QuasiNewton(Protocol):
    """A stepwise solver whose state holds an estimate H of (I - J)^-1, J = df/dz, that others may use."""

    def init(self, f: Map, z0: Tensor) -> Any:
        """As a :class:`Solver`'s."""
        ...

    def step(self, f: Map, state: Any) -> Any:
        """As a :class:`Solver`'s."""
        ...

    def inverse_transposed(self, state: Any, v: Tensor) -> Tensor:
        """Return H^T v for each sample, (B, *s); no call of f."""
        ...


class Gradient(Protocol):
    """How the gradient of a loss passes an equilibrium."""

    def attach(self, problem: Problem) -> Tensor:
        """Solve, and return z* (B, *s) connected to the graph of the map's inputs and parameters."""
        ...


class Trainer(Protocol):
    """How parameters move."""

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Update the objective's parameters for ever, yielding the loss (a scalar tensor) after each update.

        The generator ends by itself only when the trainer's own criterion is met. The core stops it
        otherwise.
        """
        ...


@dataclass(frozen=True)
class Observation:
    """What a probe may look at; nothing it does is timed or counted.

    Attributes:
        module: The model, in evaluation mode.
        objective: Its training objective.
        splits: The data, on the trial's device and in its dtype.
        predictions: Split name to the module's output on it, (N, outputs), computed once for all probes.
        ledger: Forward solves of those predictions; empty for explicit models.
        training_ledger: All solves of training since the observation before.
        step: Updates done.
        seed: Seed of the named stream ``probe``.
    """

    module: nn.Module
    objective: Objective
    splits: Splits
    predictions: Mapping[str, Tensor]
    ledger: Ledger
    training_ledger: Ledger
    step: int
    seed: int


class Probe(Protocol):
    """Numbers observed off the clock, along a trial."""

    def observe(self, view: Observation) -> Mapping[str, float]:
        """Return observations by name, e.g. ``{"test_accuracy": 0.97}``; empty where it does not apply."""
        ...


class Claim(Protocol):
    """A statement of a theory; it is a :class:`LiveClaim`, a :class:`RecordClaim`, or both.

    Attributes:
        code: Its short name: ``C1``.
        statement: What is claimed, in one sentence.
        source: Who claims it; what was derived here, or recalled, says so.
        tolerance: By how much quantity / bound may pass 1.
    """

    code: ClassVar[str]
    statement: ClassVar[str]
    source: ClassVar[str]
    tolerance: ClassVar[float]


@runtime_checkable
class LiveClaim(Claim, Protocol):
    """A claim that makes its own case; ``finest``, 1 unless it says otherwise, is its last precision."""

    def examine(self, seed: int, precision: int) -> Evidence:
        """Return what one case shows.

        Args:
            seed: The case is drawn from it.
            precision: 0 as standard, 1 with tolerances 100 times tighter, 2 in more digits than float64.
        """
        ...


@runtime_checkable
class RecordClaim(Claim, Protocol):
    """A claim that is checked on the records of any run; its module does not import torch."""

    def read(self, trials: Any, curves: Any) -> Sequence[tuple[tuple[str, ...], Evidence]]:
        """Return the evidence in a run's tables: pandas frames as in :mod:`deqbench.telling.tables`.

        Returns:
            Keys of the trials that each piece of evidence rests on, and the evidence.
        """
        ...


HessianProduct = Callable[["Tensor"], "Tensor"]
"""v -> H v at fixed parameters; both flat, (P,)."""


@runtime_checkable
class Penalised(Protocol):
    """A module that asks for more than a small loss; the objective adds its penalty to the loss."""

    def penalty(self) -> Tensor:
        """Return what the last forward pass is to be charged with, a scalar, attached to the parameters."""
        ...


@runtime_checkable
class AnalyticCurvature(Protocol):
    """A module that knows its loss's curvature in closed form; the objective prefers it to autograd's."""

    def hessian_product(self, x: Tensor, y: Tensor, loss: str) -> HessianProduct | None:
        """Return v -> H v of the mean ``loss`` at the current parameters, or None if it is not known.

        Args:
            x: Inputs, (N, *in).
            y: Targets, as in :class:`Split`.
            loss: ``square``, ``logistic`` or ``cross-entropy``.
        """
        ...


@runtime_checkable
class AnalyticDiagonal(Protocol):
    """A module that knows the diagonal of its loss's Hessian in closed form."""

    def hessian_diagonal(self, x: Tensor, y: Tensor, loss: str) -> Tensor | None:
        """Return the diagonal (P,) of the Hessian of the mean ``loss`` at the current parameters, or None."""
        ...
