"""Models: implicit ones call ``deqbench.equilibrium``, explicit ones never see a solver."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.models"


@hookimpl
def deqbench_models() -> list[Entry]:
    """Offer the built-in models."""
    return [
        Entry(
            "deq-linear",
            f"{_ROOM}.deq_linear:DeqLinear",
            "Implicit: the deep equilibrium linear model (DELM)",
        ),
        Entry("deq-mlp", f"{_ROOM}.deq_mlp:DeqMlp", "Implicit: z = act(W z + U x + b), W contractive"),
        Entry(
            "deq-monotone",
            f"{_ROOM}.deq_monotone:DeqMonotone",
            "Implicit: a monotone operator equilibrium network",
        ),
        Entry(
            "deq-monotone-conv",
            f"{_ROOM}.deq_monotone:DeqMonotoneConv",
            "Implicit: the same with circular convolutions",
        ),
        Entry("linear", f"{_ROOM}.linear:Linear", "Explicit: affine, with its Hessian in closed form"),
        Entry("mlp", f"{_ROOM}.mlp:Mlp", "Explicit: a multilayer perceptron"),
        Entry(
            "unrolled",
            f"{_ROOM}.unrolled:Unrolled",
            "Explicit: the map of deq-mlp, K weight-tied steps",
        ),
    ]
