"""The account of a training's equilibrium solves: one live ledger, read off window by window."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from deqbench.equilibria.binding import Ledger, Totals


@dataclass
class Account:
    """Solves of training, since the last observation and in all.

    The live ledger stays the same object for the whole training: a trainer that drives somebody else's loop
    in a thread of its own keeps the binding it started with.

    Attributes:
        live: Where solves of training are recorded.
        closed: Windows read off so far, summed.
    """

    live: Ledger = field(default_factory=Ledger)
    closed: Ledger = field(default_factory=Ledger)

    def close_window(self) -> Ledger:
        """Return the solves since the last call, and start a new window."""
        window = Ledger(self.live.forward, self.live.backward)
        self.live.forward, self.live.backward = Totals(), Totals()
        self.closed = Ledger(
            added(self.closed.forward, window.forward), added(self.closed.backward, window.backward)
        )
        return window

    def to_costs(self) -> dict[str, float | int]:
        """Return the totals of the whole training."""
        self.close_window()
        return self.closed.to_costs()


def added(first: Totals, second: Totals) -> Totals:
    """Return the sums of two totals' counts, and the greater of their worst residuals."""
    names = [field.name for field in fields(Totals)]
    sums = {name: getattr(first, name) + getattr(second, name) for name in names}
    return Totals(**{**sums, "worst_residual": max(first.worst_residual, second.worst_residual)})
