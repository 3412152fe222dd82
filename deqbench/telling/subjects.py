"""What the telling of each experiment is about: where it is run, what ranks its entries, what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """One experiment's nouns.

    Attributes:
        axes: Columns of the trials that name their components, ``dataset`` first; for an experiment on maps
            that column holds the map as the suite wrote it.
        leading: The axis whose components share a colour.
        ground: What a person calls the first axis: ``data set`` or ``map``.
        scores: Metrics or costs that may rank the entries; the first that was measured does.
        numbers: Further columns of the summary, in order.
        findings: Those of both that a solve which missed its tolerance still has: the miss is what they show.
        seconds: The cost that settles a tie.
        unit: In what a person reads it: ``s`` or ``ms``.
        fastest: What an entry with the least of it is.
        is_fastest: What it does.
        points: What ``step``, ``epoch`` and ``seconds`` of a curve are called in ``curves.csv``.
        design: Settings of the suite that shaped its trials.
        note: How the costs are to be read.
    """

    axes: tuple[str, ...]
    leading: str
    ground: str
    scores: tuple[str, ...]
    numbers: tuple[str, ...]
    findings: frozenset[str]
    seconds: str
    unit: str
    fastest: str
    is_fastest: str
    points: Mapping[str, str]
    design: tuple[str, ...]
    note: str


TRAINING = Subject(
    axes=("dataset", "model", "solver", "gradient", "trainer"),
    leading="model",
    ground="data set",
    scores=("test_accuracy", "test_r2", "test_loss"),
    numbers=(
        "train_seconds",
        "steps",
        "map_calls",
        "vjps",
        "hessian_products",
        "peak_bytes",
        "operations",
        "operations_coverage",
        "operations_replayed",
        "map_operations",
        "evaluation_seconds",
        "compile_seconds",
        "effective_depth",
    ),
    findings=frozenset(),
    seconds="train_seconds",
    unit="s",
    fastest="the fastest to train",
    is_fastest="trains fastest",
    points={},
    design=("stop", "loss", "device", "threads", "evaluations"),
    note=(
        "Medians over seeds, counted by the harness. Map calls, vector-Jacobian products (vjps) and "
        "Hessian-vector products (Hv products) include backward solves and rejected steps."
    ),
)

EQUILIBRIUM = Subject(
    axes=("dataset", "map", "solver"),
    leading="solver",
    ground="map",
    scores=("map_equivalents", "map_calls", "residual"),
    numbers=(
        "solved",
        "map_calls",
        "map_equivalents",
        "vjps",
        "jvps",
        "resolvents",
        "solve_seconds",
        "overhead",
        "true_residual",
        "reported_over_true",
        "peak_bytes",
        "operations",
        "operations_coverage",
        "map_operations",
    ),
    findings=frozenset({"solved", "residual", "true_residual", "reported_over_true"}),
    seconds="solve_seconds",
    unit="ms",
    fastest="the fastest",
    is_fastest="is fastest",
    points={"step": "map_calls", "epoch": "map_equivalents"},
    design=("stop", "device", "threads", "repeats"),
    note=(
        "Medians over seeds, counted by the harness. A map-equivalent is one evaluation, or one product with "
        "the Jacobian, of every sample of the batch; samples that are done cost nothing more. Overhead is "
        "the time of a solve over that of as many bare calls. The true residual is recomputed in "
        "float64 from the state that was returned."
    ),
)

GRADIENT = Subject(
    axes=("dataset", "map", "solver", "gradient"),
    leading="gradient",
    ground="map",
    scores=("error_inputs", "error_parameters"),
    numbers=(
        "error_inputs",
        "error_parameters",
        "cosine_inputs",
        "cosine_parameters",
        "residual",
        "forward_seconds",
        "backward_seconds",
        "map_calls",
        "map_equivalents",
        "vjps",
        "saved_bytes",
        "peak_bytes",
        "operations",
        "operations_coverage",
    ),
    findings=frozenset(
        {"error_inputs", "error_parameters", "cosine_inputs", "cosine_parameters", "residual"}
    ),
    seconds="backward_seconds",
    unit="ms",
    fastest="the cheapest",
    is_fastest="has the cheapest backward pass",
    points={"step": "map_calls", "epoch": "map_equivalents"},
    design=("stop", "device", "threads", "repeats"),
    note=(
        "Medians over seeds, counted by the harness. Errors are relative, in the 2-norm, against the exact "
        "float64 gradient: by the inputs (dL/dx) and by all parameters stacked (dL/dθ). Map calls and "
        "vector-Jacobian products (vjps) add up forward and backward; saved KiB is what autograd keeps from "
        "the forward pass for the backward pass."
    ),
)

CLAIM = Subject(
    axes=("dataset", "claim"),
    leading="dataset",
    ground="claim",
    scores=("worst",),
    numbers=("margin", "control_worst"),
    findings=frozenset(),
    seconds="wall_seconds",
    unit="s",
    fastest="the fastest",
    is_fastest="is fastest",
    points={"step": "checkpoint", "epoch": "t"},
    design=("device", "threads"),
    note="",
)

SUBJECTS: Mapping[str, Subject] = {
    "training": TRAINING,
    "equilibrium": EQUILIBRIUM,
    "gradient": GRADIENT,
    "claim": CLAIM,
}
"""Experiment to what its telling is about."""


def subject_of(experiment: object) -> Subject:
    """Return what an experiment's telling is about; that of training where none is named."""
    return SUBJECTS.get(str(experiment), TRAINING)
