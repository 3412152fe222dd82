"""A registry of components that compute nothing, named and parametrised like the built-in ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from deqbench.discovery.registry import Offer, Origin, PluginSources, Registry
from deqbench.interfaces import Solver
from deqbench.plugin import Component, Entry


@dataclass(frozen=True)
class Plain:
    """Takes no parameters."""


@dataclass(frozen=True)
class DeqMlp:
    """Implicit."""

    implicit: ClassVar[bool] = True
    width: Annotated[int, Field(ge=1, description="Units.")] = 64


@dataclass(frozen=True)
class Mlp:
    """Explicit."""

    implicit: ClassVar[bool] = False
    width: Annotated[int, Field(ge=1, description="Units.")] = 64


@dataclass(frozen=True)
class Anderson:
    """A solver."""

    memory: Annotated[int, Field(ge=1, description="Past iterates.")] = 5


@dataclass(frozen=True)
class Implicit:
    """A gradient with a solver of its own."""

    solver: Annotated[Solver | None, Component("solvers"), Field(description="Of the adjoint.")] = None


@dataclass(frozen=True)
class Adam:
    """A trainer."""

    lr: Annotated[float, Field(gt=0, description="Step length.")] = 1e-2


@dataclass(frozen=True)
class TrustRegion:
    """A trainer without a step length."""

    radius: Annotated[float, Field(gt=0, description="First radius.")] = 10.0


OFFERED = {
    "datasets": {"digits": Plain, "wine": Plain},
    "models": {"deq-linear": DeqMlp, "deq-mlp": DeqMlp, "linear": Mlp, "mlp": Mlp},
    "solvers": {"direct": Plain, "anderson": Anderson},
    "gradients": {"implicit": Implicit, "one-step": Plain},
    "trainers": {"adam": Adam, "gd": Adam, "trust-region-newton": TrustRegion},
    "probes": {"loss": Plain, "accuracy": Plain, "r2": Plain},
}


@pytest.fixture(scope="session")
def registry():
    origin = Origin("fakes")
    offers = [
        Offer(kind, Entry(name, target), origin)
        for kind, targets in OFFERED.items()
        for name, target in targets.items()
    ]
    shipped = Path(__file__).parents[2] / "plugins" / "deqbench_plugins" / "suites" / "smoke.toml"
    return Registry(PluginSources(), [*offers, Offer("suites", Entry("shipped", shipped), origin)])


HEAD = """
[budget]
epochs = 2

[defaults]
dataset = "digits"
trainer = "adam"
"""


@pytest.fixture
def write(tmp_path):
    """Write a suite with a budget and defaults around the given text; return its path."""

    def written(text, head=HEAD):
        path = tmp_path / "some.toml"
        path.write_text(head + text, encoding="utf-8")
        return str(path)

    return written
