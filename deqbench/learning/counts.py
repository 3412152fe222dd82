"""What training has evaluated: losses, gradients, Hessian products, and the samples they looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass
class Counts:
    """What has been evaluated; the samples are summed over evaluations, so a minibatch counts its share.

    Attributes:
        values: Losses without a gradient.
        gradients: Losses with a gradient.
        hessian_products: Hessian-vector products.
        linearisations: Times the Hessian was prepared at a point; each costs about one gradient.
        gradient_samples: Samples whose gradient was taken.
        samples: Samples that any evaluation above looked at.
    """

    values: int = 0
    gradients: int = 0
    hessian_products: int = 0
    linearisations: int = 0
    gradient_samples: int = 0
    samples: int = 0

    def to_costs(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)

    def add_gradients(self, number: int, samples: int) -> None:
        """Count gradients of that many samples each."""
        self.gradients += number
        self.gradient_samples += number * samples
        self.samples += number * samples
