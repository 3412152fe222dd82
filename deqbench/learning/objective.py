"""What trainers minimise: a module's loss on the training split, with every evaluation counted.

Shapes: ``N`` training samples, ``P`` parameters that require a gradient, flattened in the module's order.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

from deqbench.errors import InapplicableError
from deqbench.interfaces import AnalyticCurvature, AnalyticDiagonal, HessianProduct, Penalised, Split
from deqbench.learning.counts import Counts

if TYPE_CHECKING:
    from torch import Tensor, nn

    from deqbench.learning.losses import Loss


class Batch(NamedTuple):
    """Samples of the training split: x (B, *in) and y (B,) or (B, out)."""

    x: Tensor
    y: Tensor


class Objective:
    """Mean loss of a module on its training split plus ``l2 / 2 ||theta||^2`` over all its parameters.

    A module that is ``Penalised`` has its penalty added; a closed form of its curvature is then not used.

    Attributes:
        module: The model; trainers change its parameters in place.
        loss: The loss and its l2.
        x: Training inputs, (N, *in), on the device and in the dtype of the trial.
        y: Training labels (N,) or targets (N, out).
        order_seed: Seed of the order in which minibatches are drawn.
        counts: What has been evaluated so far.
        flow_time: Time of gradient flow that the trainer has covered, if it keeps to the flow: its own time,
            or the sum of gradient descent's step lengths. 0 where a trainer does not say.
        hessian_products_by: How the products with the Hessian are made: ``closed form`` or ``reverse over
            reverse``; None if none was asked for.
    """

    def __init__(self, module: nn.Module, loss: Loss, train: Split, order_seed: int = 0) -> None:
        self.module = module
        self.loss = loss
        self.x, self.y = train.x, train.y
        self.order_seed = order_seed
        self.counts = Counts()
        self.flow_time = 0.0
        self.hessian_products_by: str | None = None
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self._penalised = isinstance(module, Penalised)
        self._copies = False  # whether a copy of the module is known to be independent of it

    @property
    def n(self) -> int:
        """Number of training samples."""
        return int(self.x.shape[0])

    @property
    def size(self) -> int:
        """Number of parameters, P."""
        return sum(p.numel() for p in self.parameters)

    @property
    def epochs(self) -> float:
        """Passes over the training split whose gradients were used."""
        return self.counts.gradient_samples / self.n

    @property
    def data_passes(self) -> float:
        """Passes over the training split by every value, gradient, linearisation and Hessian product."""
        return self.counts.samples / self.n

    def batches(self, size: int | None = None) -> Iterator[Batch]:
        """Yield minibatches for ever, reshuffled each epoch; an epoch's last one may be smaller.

        Args:
            size: Samples in a batch; None or >= N for the full split, which is never copied or reordered.
        """
        if size is None or size >= self.n:
            full = Batch(self.x, self.y)
            while True:
                yield full
        generator = torch.Generator().manual_seed(self.order_seed)
        while True:
            order = torch.randperm(self.n, generator=generator).to(self.x.device)
            for index in torch.split(order, size):
                yield Batch(self.x[index], self.y[index])

    def backward(self, batch: Batch | None = None) -> Tensor:
        """Fill ``.grad`` of the parameters and return the detached loss, l2 included.

        Args:
            batch: The samples; None for the whole split.
        """
        x, y = batch or (self.x, self.y)
        for parameter in self.parameters:
            parameter.grad = None
        loss = self._loss(self.module, x, y)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward unannotated
        self.counts.add_gradients(1, int(x.shape[0]))
        return loss.detach() + self._decay_into_gradients()

    def _loss(self, module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the differentiable loss of the module on some samples, its penalty included, l2 not."""
        loss = self.loss(module(x), y)
        if not self._penalised:
            return loss
        assert isinstance(module, Penalised), "a copy is what the module is"
        return loss + module.penalty()

    def _decay_into_gradients(self) -> Tensor | float:
        """Add l2 theta to the gradients and return l2 / 2 ||theta||^2: cheaper than a graph for it."""
        if self.loss.l2 == 0.0:
            return 0.0
        with torch.no_grad():
            for parameter in self.parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                parameter.grad.add_(parameter, alpha=self.loss.l2)
        return self._decay()

    def _decay(self) -> Tensor:
        squares = torch.stack([p.detach().square().sum() for p in self.parameters])
        return squares.sum() * (self.loss.l2 / 2)

    def value(self) -> Tensor:
        """Return the loss on the whole split, l2 included, as a detached scalar."""
        with torch.no_grad():
            loss = self._loss(self.module, self.x, self.y)
        self.counts.values += 1
        self.counts.samples += self.n
        return loss + self._decay() if self.loss.l2 else loss

    def value_and_gradient(self) -> tuple[Tensor, Tensor]:
        """Return the loss (a scalar) and its flat gradient (P,) on the whole split, l2 included."""
        loss = self.backward()
        return loss, flat([_dense(p.grad, p) for p in self.parameters])

    def at(self, vector: Tensor) -> Tensor:
        """Return the differentiable loss at flat parameters (P,), for others' autograd; not counted.

        The module is copied with pieces of the vector for parameters. ``torch.func.functional_call`` would
        put the old ones back, but an implicit model's map is called again when its gradient is taken.

        Raises:
            InapplicableError: The copy still reads the module's own parameters.
        """
        pieces = torch.split(vector, [p.numel() for p in self.parameters])
        memo = {id(p): piece.view_as(p) for p, piece in zip(self.parameters, pieces, strict=True)}
        loss = self._loss(copy.deepcopy(self.module, memo), self.x, self.y)
        if not self._copies and loss.requires_grad:
            self._copies = self._check_copy(loss)
        return loss + vector.square().sum() * (self.loss.l2 / 2)

    def _check_copy(self, loss: Tensor) -> bool:
        """Return True if a copy's loss depends on none of the module's own parameters."""
        found = torch.autograd.grad(loss, self.parameters, retain_graph=True, allow_unused=True)
        if any(gradient is not None for gradient in found):
            raise InapplicableError(
                f"{type(self.module).__name__} holds a function bound to its own parameters, such as a "
                "lambda made in __init__; a copy of it is no copy. Make it a method, or use another trainer."
            )
        return True

    def hessian_product(self) -> HessianProduct:
        """Return v -> H v at the current parameters, l2 included; each call is counted.

        It is valid until the parameters move: without a closed form it fails from then on.
        The module's closed form serves where it has one; otherwise one gradient graph is kept and
        differentiated once a product: far cheaper than a fresh forward-over-reverse product each time.
        """
        self.counts.linearisations += 1
        self.counts.samples += self.n
        closed = None
        if isinstance(self.module, AnalyticCurvature) and not self._penalised:
            closed = self.module.hessian_product(self.x, self.y, self.loss.name)
        self.hessian_products_by = "reverse over reverse" if closed is None else "closed form"
        product = closed or self._double_backward()
        l2 = self.loss.l2

        def counted(vector: Tensor) -> Tensor:
            self.counts.hessian_products += 1
            self.counts.samples += self.n
            image = product(vector)
            return image.add(vector, alpha=l2) if l2 else image

        return counted

    def _double_backward(self) -> HessianProduct:
        """Return v -> H v of the mean loss from one kept graph of its gradient."""
        loss = self._loss(self.module, self.x, self.y)
        gradients = torch.autograd.grad(loss, self.parameters, create_graph=True, materialize_grads=True)
        gradient = flat(gradients)

        def product(vector: Tensor) -> Tensor:
            if not gradient.requires_grad:  # a loss linear in the parameters has no curvature
                return torch.zeros_like(vector)
            images = torch.autograd.grad(
                gradient, self.parameters, vector, retain_graph=True, materialize_grads=True
            )
            return flat(images)

        return product

    def hessian_diagonal(self) -> Tensor | None:
        """Return the diagonal of H (P,), l2 included, where the module knows it in closed form; else None."""
        if not isinstance(self.module, AnalyticDiagonal) or self._penalised:
            return None
        diagonal = self.module.hessian_diagonal(self.x, self.y, self.loss.name)
        self.counts.linearisations += 1
        self.counts.samples += self.n
        return None if diagonal is None else diagonal + self.loss.l2

    @property
    def vector(self) -> Tensor:
        """A copy of the parameters, flat, (P,)."""
        return flat([p.detach() for p in self.parameters]).clone()

    def set_vector(self, vector: Tensor) -> None:
        """Write flat parameters (P,) into the module."""
        pieces = torch.split(vector.detach(), [p.numel() for p in self.parameters])
        with torch.no_grad():
            for parameter, piece in zip(self.parameters, pieces, strict=True):
                parameter.copy_(piece.view_as(parameter))

    def clone(self) -> Objective:
        """Return the same objective on a deep copy of the module, with counts of its own, for warming up."""
        return Objective(copy.deepcopy(self.module), self.loss, Split(self.x, self.y), self.order_seed)

    def charge(self, *, values: int = 0, gradients: int = 0, hessian_products: int = 0) -> None:
        """Count full-split evaluations that somebody else's code made on this objective's data."""
        self.counts.values += values
        self.counts.hessian_products += hessian_products
        self.counts.samples += self.n * (values + hessian_products)
        self.counts.add_gradients(gradients, self.n)


def flat(tensors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """Return tensors as one vector (P,); a single one is reshaped, not copied."""
    return tensors[0].reshape(-1) if len(tensors) == 1 else torch.cat([t.reshape(-1) for t in tensors])


def _dense(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient
