"""Equilibrium maps: ``Map``, what a solver is handed, counts every call.

A map is a plain callable ``f(z, *inputs)``. State and inputs carry the batch first and samples do not
mix: row i of the result depends on row i of z and of each input alone. What all samples share
(weights) lives in the callable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.monotone import Identity, LinearPart, MonotoneMap
from deqbench.errors import ConfigurationError

Function = Callable[..., Tensor]
"""f(z, *inputs) -> (B, *s)."""


def flat_rows(x: Tensor) -> Tensor:
    """Return x, (B, *s), as (B, d): one row per sample, for an empty batch and for scalar states too."""
    return x.flatten(1) if x.dim() > 1 else x.unsqueeze(1)


def edits(x: Tensor) -> int:
    """Return how often x was changed in place; 0 in inference mode, where torch does not count."""
    try:
        return x._version
    except RuntimeError:  # asking is_inference() first would cost every call of a small map a tenth more
        return 0


@dataclass
class Counter:
    """What a map was asked for; one counter serves a map and every selection of its rows.

    Attributes:
        calls: Evaluations of f.
        sample_calls: The same, each times the number of samples in it.
        vjps: Vector-Jacobian products u^T J.
        jvps: Jacobian-vector products J v.
        resolvents: Resolvents (I + a (I - W))^-1 v of a monotone map's linear part.
        sample_products: vjps, jvps and resolvents, each times the number of samples in it.
    """

    calls: int = 0
    sample_calls: int = 0
    vjps: int = 0
    jvps: int = 0
    resolvents: int = 0
    sample_products: int = 0

    def equivalents(self, batch: int) -> float:
        """Return what was asked for in map-equivalents: calls and products on a whole batch of ``batch``."""
        return (self.sample_calls + self.sample_products) / max(batch, 1)


class Map:
    """The counted map z -> f(z, *inputs) on a batch; every call is counted and charged.

    Args:
        function: f(z, *inputs). If it has ``linear(v)``, that is its Jacobian-vector product.
        inputs: Batch-first tensors, each with as many rows as z.
        counter: Where calls are counted; a fresh one if None.
    """

    __slots__ = ("counter", "function", "fz", "inputs", "versions", "z")

    def __init__(
        self, function: Function, inputs: Sequence[Tensor] = (), counter: Counter | None = None
    ) -> None:
        self.function = function
        self.inputs = tuple(inputs)
        self.counter = Counter() if counter is None else counter
        self.z: Tensor | None = None
        self.fz: Tensor | None = None
        self.versions = (0, 0)

    @property
    def affine(self) -> AffineMap | None:
        """The affine map behind it, if it is one; its offset is then ``inputs[0]``."""
        return self.function if isinstance(self.function, AffineMap) else None

    @property
    def monotone(self) -> MonotoneMap | None:
        """The map behind it as s(W z + offset), if it has that form; an affine map's s is the identity."""
        if isinstance(self.function, MonotoneMap):
            return self.function
        affine = self.affine
        if affine is None:
            return None
        part = LinearPart(affine.matrix, memo=affine.memo, transposed=affine.transposed)
        return MonotoneMap(part, Identity())

    def __call__(self, z: Tensor) -> Tensor:
        """Return f(z), (B, *s).

        Raises:
            ConfigurationError: f changed the shape or the type of its state, or changed it in place.
        """
        before = edits(z)
        fz = self.function(z, *self.inputs)
        after = edits(z)
        if after != before:
            raise _changed_in_place()
        counter, shape = self.counter, z.shape
        counter.calls += 1
        counter.sample_calls += shape[0]
        if fz.shape != shape or fz.dtype != z.dtype:
            raise _changed(shape, z.dtype, fz)
        self.z, self.fz, self.versions = z, fz, (after, edits(fz))
        return fz

    def repeated(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the last point and the value there of ``count`` >= 1 calls, each at the value before.

        The first is at what the last call returned. All are charged; shape and type are compared once, for a
        call that changed them feeds the next one.

        Raises:
            ConfigurationError: As by a single call.
        """
        assert self.fz is not None, "it has been called"
        point = fz = self.fz
        if type(self) is not Map or fz.is_inference():
            for _ in range(count):
                point, fz = fz, self(fz)
            return point, fz
        function, inputs, shape, dtype = self.function, self.inputs, fz.shape, fz.dtype
        single = function.at(fz, *inputs) if isinstance(function, AffineMap) else None
        self.z = self.fz = None  # nothing is held that is not needed: its memory serves the next value
        for _ in range(count):
            point = fz
            version = point._version
            fz = single(point) if single is not None else function(point, *inputs)
            if point._version != version:
                raise _changed_in_place()
        self.counter.calls += count - 1
        self.counter.sample_calls += (count - 1) * shape[0]
        if point.shape != shape or point.dtype != dtype:
            raise _changed(shape, dtype, point)
        return point, self._returned(point, fz)

    def _returned(self, z: Tensor, fz: Tensor) -> Tensor:
        """Charge a call that gave fz at z, and remember the pair."""
        self.counter.calls += 1
        self.counter.sample_calls += z.shape[0]
        if fz.shape != z.shape or fz.dtype != z.dtype:
            raise _changed(z.shape, z.dtype, fz)
        self.z, self.fz, self.versions = z, fz, (edits(z), edits(fz))
        return fz

    def witnessed(self, z: Tensor, fz: Tensor) -> bool:
        """Whether ``fz`` is, untouched, what the last call returned for this very ``z``."""
        return z is self.z and fz is self.fz and self.versions == (edits(z), edits(fz))

    def vouch(self, z: Tensor, fz: Tensor) -> None:
        """Take ``fz`` as its value at z, for a compiled graph whose calls nobody else could see."""
        self.z, self.fz, self.versions = z, fz, (edits(z), edits(fz))

    def linearise(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return a fresh leaf at z and f there, attached to it; one call.

        ``torch.autograd.grad(fz, leaf, u, retain_graph=True)`` then gives any number of products u^T J.
        """
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            return leaf, self(leaf)

    def vjp(self, z: Tensor, u: Tensor) -> Tensor:
        """Return u^T J(z) for each sample, (B, *s): one vjp, and one call unless f is affine."""
        self.counter.vjps += 1
        self.counter.sample_products += z.shape[0]
        if self.affine is not None:
            return self.affine.T.linear(u)
        leaf, fz = self.linearise(z)
        return torch.autograd.grad(fz, leaf, u)[0]

    def jvp(self, z: Tensor, v: Tensor) -> Tensor:
        """Return J(z) v for each sample, (B, *s): one jvp, and one call unless f knows its ``linear``."""
        self.counter.jvps += 1
        self.counter.sample_products += z.shape[0]
        linear: Callable[[Tensor], Tensor] | None = getattr(self.function, "linear", None)
        if linear is not None:
            return linear(v)
        self.counter.calls += 1
        self.counter.sample_calls += z.shape[0]
        product: Tensor = torch.func.jvp(lambda point: self.function(point, *self.inputs), (z,), (v,))[1]
        return product

    def pushforward(self, z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z) and J(z) v, (B, *s) each: one call and one jvp; the call is as good as any other."""
        if hasattr(self.function, "linear"):
            return self(z), self.jvp(z, v)
        self.counter.jvps += 1
        self.counter.sample_products += z.shape[0]
        pair = torch.func.jvp(lambda point: self.function(point, *self.inputs), (z,), (v,))
        return self._returned(z, pair[0]), pair[1]

    def jacobian(self, z: Tensor) -> Tensor:
        """Return J(z) of each sample, (B, d, d), held constant.

        Made of one call and d vjps, or of d jvps if f knows its ``linear``.
        """
        places = range(flat_rows(z).shape[1])
        if hasattr(self.function, "linear"):
            return torch.stack([flat_rows(self.jvp(z, _unit(z, place))) for place in places], 2)
        leaf, fz = self.linearise(z)
        self.counter.vjps += len(places)
        self.counter.sample_products += len(places) * z.shape[0]
        rows = [
            torch.autograd.grad(fz, leaf, _unit(z, place), retain_graph=True, materialize_grads=True)[0]
            for place in places
        ]
        return torch.stack([flat_rows(row) for row in rows], 1)

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return W z + offset and s of it, which is f(z), for a monotone map: one call."""
        monotone = self.monotone
        assert monotone is not None, "only a map that has the form s(W z + offset) is split"
        inner = monotone.inner(z, self.inputs[0])
        return inner, self._returned(z, monotone.activation(inner, *self.inputs[1:]))

    def resolvent(self, v: Tensor, step: float) -> Tensor:
        """Return (I + step (I - W))^-1 v, (B, *s), for a monotone map: one resolvent."""
        monotone = self.monotone
        assert monotone is not None, "only a map that has the form s(W z + offset) has a resolvent"
        self.counter.resolvents += 1
        self.counter.sample_products += v.shape[0]
        return monotone.operator.resolvent(v, step)

    def rows(self, index: Tensor) -> Map:
        """Return the map on the samples of ``index``, (K,) int64, counted by the same counter."""
        narrowed: Callable[[Tensor], Function] | None = getattr(self.function, "rows", None)
        function = self.function if narrowed is None else narrowed(index)
        return Map(function, [part.index_select(0, index) for part in self.inputs], self.counter)


def _changed(shape: torch.Size, dtype: torch.dtype, fz: Tensor) -> ConfigurationError:
    return ConfigurationError(
        f"The map returned {tuple(fz.shape)} {fz.dtype} for a state {tuple(shape)} "
        f"{dtype}; an equilibrium map keeps both. Mend the map or the start z0."
    )


def _changed_in_place() -> ConfigurationError:
    return ConfigurationError(
        "The map changed its state in place, which would pass every state for an equilibrium. "
        "Use the operations that return a new tensor: z.mul(2), not z.mul_(2)."
    )


def _unit(like: Tensor, place: int) -> Tensor:
    """Return a state whose every sample is the unit vector of a place."""
    unit = torch.zeros_like(like)
    flat_rows(unit)[:, place] = 1
    return unit
