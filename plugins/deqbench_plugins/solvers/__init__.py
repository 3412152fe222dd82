"""Equilibrium solvers: pure ``init`` and ``step``; the core drives, counts and judges them."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.solvers"


@hookimpl
def deqbench_solvers() -> list[Entry]:
    """Offer the built-in solvers."""
    return [
        Entry("direct", f"{_ROOM}.direct:Direct", "Exact for affine maps, by one LU factorisation"),
        Entry("picard", f"{_ROOM}.picard:Picard", "Fixed-point iteration, damped on request"),
        Entry(
            "anderson",
            f"{_ROOM}.anderson:Anderson",
            "Type-II Anderson mixing with a scale-free ridge",
        ),
        Entry("broyden", f"{_ROOM}.broyden:Broyden", "Good Broyden with limited memory"),
        Entry(
            "anderson-1",
            f"{_ROOM}.anderson_type_one:AndersonTypeOne",
            "Type-I Anderson mixing with restarts and a safeguard",
        ),
        Entry("newton", f"{_ROOM}.newton:Newton", "Newton's method with dense Jacobians, for small states"),
        Entry(
            "newton-krylov",
            f"{_ROOM}.newton_krylov:NewtonKrylov",
            "Inexact Newton by GMRES on Jacobian-vector products",
        ),
        Entry(
            "forward-backward",
            f"{_ROOM}.forward_backward:ForwardBackward",
            "Forward-backward splitting, for monotone maps",
        ),
        Entry(
            "peaceman-rachford",
            f"{_ROOM}.peaceman_rachford:PeacemanRachford",
            "Peaceman-Rachford splitting, for monotone maps",
        ),
        *_references(),
    ]


def _references() -> list[Entry]:
    """Return other people's solvers, which measure ours."""
    torchdeq = {
        "picard": ("TorchdeqPicard", "fixed_point_iter"),
        "simple": ("TorchdeqSimple", "simple_fixed_point_iter"),
        "anderson": ("TorchdeqAnderson", "anderson_solver"),
        "broyden": ("TorchdeqBroyden", "broyden_solver"),
    }
    scipy = {
        "root": ("ScipyRoot", "root (Powell's hybrid method, or others)"),
        "anderson": ("ScipyAnderson", "anderson"),
        "newton-krylov": ("ScipyNewtonKrylov", "newton_krylov"),
    }
    return [
        *(
            Entry(
                f"torchdeq-{name}",
                f"{_ROOM}.torchdeq_reference:{target}",
                f"Reference: torchdeq's {theirs}",
                requires=("torchdeq",),
                extra="peers",
            )
            for name, (target, theirs) in torchdeq.items()
        ),
        *(
            Entry(f"scipy-{name}", f"{_ROOM}.scipy_reference:{target}", f"Reference: scipy's {theirs}")
            for name, (target, theirs) in scipy.items()
        ),
    ]
