"""What a suite's TOML may hold: pydantic models, frozen, strict, unknown keys refused.

They know shapes, types and ranges. Whether a component exists and its parameters fit is asked of the registry
in ``expansion``; where a mistake stands in the file is found in ``suite``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
)

from deqbench.errors import ConfigurationError
from deqbench.suites.axes import AXES
from deqbench.suites.conditions import Where
from deqbench.trials import Ref

DType = Literal["float32", "float64"]
Device = Literal["cpu", "cuda", "auto"]
Experiment = Literal["training", "equilibrium", "gradient", "claim"]


def _ref(value: Any) -> Ref:
    try:
        return Ref.of(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error  # the exception type that pydantic collects


def _listed(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = [value for position, value in enumerate(values) if value in values[:position]]
    if twice:
        raise ValueError(f"{twice[0]} is listed twice; each may stand once.")
    return values


def _where(text: str) -> str:
    try:
        Where.parse(text)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error  # the exception type that pydantic collects
    return text


def flat_vary(value: Any) -> Any:
    """Return ``{"trainer.lr": [...]}`` for that table or the nested ``{trainer: {lr: [...]}}`` TOML makes."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[str, Any] = {}
    for axis, inner in value.items():
        if isinstance(inner, Mapping):
            flat.update({f"{axis}.{name}": values for name, values in inner.items()})
        else:
            flat[axis] = inner
    return flat


def _varied(value: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    for path in value:
        axis, _, parameter = path.partition(".")
        if axis not in AXES or not parameter.isidentifier():
            raise ValueError(f"'{path}' is no axis.parameter; write e.g. 'trainer.lr' = [0.1, 0.01].")
    return value


def _share(value: Any) -> Any:
    """Return 0 for false, the usual share for true: whether, or how much of it, is counted."""
    return (COUNTED if value else 0.0) if isinstance(value, bool) else value


COUNTED = 0.05
"""Share of a training's updates whose operations are counted, unless a suite says otherwise."""

ComponentRef = Annotated[Ref, BeforeValidator(_ref), PlainSerializer(Ref.to_json)]
Refs = Annotated[
    tuple[ComponentRef, ...],
    BeforeValidator(_listed),
    Field(strict=False, min_length=1),
]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Budget(_Table):
    """What a trial may spend.

    Attributes:
        epochs: Passes over the training split whose gradients are used.
        steps: Parameter updates.
        seconds: Wall time of the whole trial, warm-up and evaluation included; not part of its identity.
        memory_gib: Resident memory of the trial's processes, in GiB; not part of its identity.
    """

    epochs: PositiveFloat | None = None
    steps: PositiveInt | None = None
    seconds: PositiveFloat | None = None
    memory_gib: PositiveFloat | None = None

    def overridden_by(self, other: Budget | None) -> Budget:
        """Return this budget with the keys that the other one sets."""
        given = {} if other is None else {key: getattr(other, key) for key in other.model_fields_set}
        return self.model_copy(update=given)


class StopSettings(_Table):
    """When an equilibrium counts as found; see ``deqbench.equilibria.solving.Stop``."""

    tolerance: PositiveFloat = 1e-4
    max_calls: PositiveInt = 100
    norm: Literal["relative", "absolute", "l1"] = "relative"
    check_every: PositiveInt = 1


class LossSettings(_Table):
    """What is minimised; ``auto`` is cross-entropy for classes and square for targets."""

    name: Literal["auto", "square", "logistic", "cross-entropy"] = "auto"
    l2: Annotated[float, Field(ge=0)] = 0.0


class Defaults(_Table):
    """Components of the axes that a grid block leaves out."""

    dataset: ComponentRef | None = None
    model: ComponentRef | None = None
    map: ComponentRef | None = None
    solver: ComponentRef | None = None
    gradient: ComponentRef | None = None
    trainer: ComponentRef | None = None
    claim: ComponentRef | None = None


class GridBlock(_Table):
    """One product of components.

    Attributes:
        where: Condition a cell must meet; see ``deqbench.suites.conditions.Where``.
        vary: ``axis.parameter`` to the values it takes; multiplies the product.
        dtype: Overrides the suite's.
        budget: Overrides the suite's, key by key.
        optional: Leave out components that need a package which is not installed, instead of refusing them.
    """

    dataset: Refs | None = None
    model: Refs | None = None
    map: Refs | None = None
    solver: Refs | None = None
    gradient: Refs | None = None
    trainer: Refs | None = None
    claim: Refs | None = None
    where: Annotated[str, AfterValidator(_where)] | None = None
    vary: Annotated[
        dict[str, Annotated[tuple[Any, ...], Field(strict=False, min_length=1)]],
        BeforeValidator(flat_vary),
        AfterValidator(_varied),
    ] = Field(default_factory=dict)
    dtype: DType | None = None
    budget: Budget | None = None
    optional: bool = False


class Suite(_Table):
    """A benchmark as pure data.

    Attributes:
        name: Names the run's folder; the file's stem unless given.
        title: One line for people.
        description: A paragraph for the report.
        experiment: What a trial measures; see ``deqbench.suites.axes`` for what each takes.
        seeds: One trial a cell for each.
        device: Where trials run; ``auto`` takes a GPU if there is one.
        dtype: Type of data and parameters.
        threads: Threads of a trial; fixed, because they change the last bits.
        probes: What is observed along a trial.
        claims: Claims that read records, judged on this run's and told in its report.
        primary: The metric that ranks entries; None for the task's score.
        evaluations: About how many times the probes look, besides the start and the end.
        repeats: Timed runs of a trial that measures a solve, whose median counts.
        operations: Share of a training's updates that are made again, off the clock, to count floating-point
            operations: 1 for all, 0 or false for none. A solve is counted whole, or not at all.
        budget: What a trial may spend.
        stop: When an equilibrium counts as found.
        loss: What is minimised.
        defaults: Components of axes that a block leaves out.
        grid: Products of components, in order.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")] = "suite"
    title: str = ""
    description: str = ""
    experiment: Experiment = "training"
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), AfterValidator(_unique)] = (0,)
    device: Device = "cpu"
    dtype: DType = "float32"
    threads: PositiveInt = 1
    probes: Annotated[tuple[ComponentRef, ...], Field(strict=False), AfterValidator(_unique)] = (
        Ref("loss"),
        Ref("accuracy"),
        Ref("r2"),
    )
    claims: Annotated[tuple[ComponentRef, ...], Field(strict=False), AfterValidator(_unique)] = ()
    primary: Annotated[str, Field(min_length=1)] | None = None
    evaluations: PositiveInt = 20
    repeats: PositiveInt = 5
    operations: Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)] = COUNTED
    budget: Budget = Budget()
    stop: StopSettings = StopSettings()
    loss: LossSettings = LossSettings()
    defaults: Defaults = Defaults()
    grid: Annotated[tuple[GridBlock, ...], Field(strict=False, min_length=1)]

    _source: Path | None = PrivateAttr(default=None)

    @property
    def source(self) -> Path | None:
        """The file it was read from; None if it was made in Python."""
        return self._source

    def to_json(self) -> dict[str, Any]:
        """Return the suite as JSON values, every default filled in; components as tables."""
        return self.model_dump(mode="json")
