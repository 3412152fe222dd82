"""Families of equilibrium maps of controlled difficulty: what solvers and gradients are measured on."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.maps"


@hookimpl
def deqbench_maps() -> list[Entry]:
    """Offer the built-in families."""
    return [
        Entry("affine", f"{_ROOM}.affine:Affine", "z = gamma S z + phi(x), S a column softmax; rate gamma"),
        Entry("tanh", f"{_ROOM}.tanh:Tanh", "z = tanh(W z + U x + b), W Gaussian of a given norm"),
        Entry(
            "tanh-symmetric",
            f"{_ROOM}.tanh:TanhSymmetric",
            "The same with symmetric W and a small input: rate near the norm",
        ),
        Entry(
            "monotone",
            f"{_ROOM}.monotone:Monotone",
            "z = relu(W z + U x + b), I - W strongly monotone; no contraction",
        ),
        Entry("trained", f"{_ROOM}.trained:Trained", "The map of a trained model, on test samples"),
    ]
