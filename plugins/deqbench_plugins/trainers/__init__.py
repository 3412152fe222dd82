"""Trainers: generators that yield after each update of the parameters."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.trainers"

_TRAINERS = (
    Entry("gd", f"{_ROOM}.first_order:GradientDescent", "Full-batch gradient descent"),
    Entry("sgd", f"{_ROOM}.first_order:Sgd", "Minibatch SGD with momentum"),
    Entry("adam", f"{_ROOM}.first_order:Adam", "Adam"),
    Entry("adamw", f"{_ROOM}.first_order:AdamW", "Adam with decoupled weight decay"),
    Entry("lbfgs", f"{_ROOM}.lbfgs:Lbfgs", "Full-batch L-BFGS with a strong Wolfe line search"),
    Entry(
        "trust-region-newton",
        f"{_ROOM}.trust_region_newton:TrustRegionNewton",
        "Trust-region Newton in a given metric (Steihaug-Toint or exact)",
    ),
    Entry(
        "gradient-flow",
        f"{_ROOM}.gradient_flow:GradientFlow",
        "Gradient flow, as a stiff differential equation (scipy)",
    ),
    Entry(
        "deq-metric-trust-region",
        f"{_ROOM}.deq_metric_trust_region:DeqMetricTrustRegion",
        "Theorem 2 as an optimiser: the linear model in a DELM's metric, along its flow",
    ),
    Entry(
        "deq-metric-newton",
        f"{_ROOM}.deq_metric_newton:DeqMetricNewton",
        "Trust-region Newton in a DELM's metric: superlinear, on the linear model",
    ),
    Entry(
        "scipy-trust-ncg",
        f"{_ROOM}.scipy_reference:ScipyTrustNcg",
        "Reference: scipy's trust-ncg",
    ),
    Entry(
        "scipy-trust-exact",
        f"{_ROOM}.scipy_reference:ScipyTrustExact",
        "Reference: scipy's trust-exact",
    ),
    Entry(
        "newton-cholesky",
        f"{_ROOM}.sklearn_reference:NewtonCholesky",
        "Oracle for the optimal loss: scikit-learn's newton-cholesky",
    ),
    Entry(
        "torchmin-trust-ncg",
        f"{_ROOM}.torchmin_reference:TorchminTrustNcg",
        "Reference: pytorch-minimize's trust-ncg",
        requires=("torchmin",),
        extra="peers",
    ),
)


@hookimpl
def deqbench_trainers() -> list[Entry]:
    """Offer the built-in trainers."""
    return list(_TRAINERS)
