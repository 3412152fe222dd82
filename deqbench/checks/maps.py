"""Checks of map families: reproducible problems that are solved once, finite, with a gradient."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from deqbench.equilibria.binding import Ledger, recording
from deqbench.errors import PluginError
from deqbench.experiments.ground import Ground
from deqbench.interfaces import Drawn


@functools.lru_cache(maxsize=2)  # drawing may train a model
def _drawn(family: Any, seed: int) -> Drawn:
    drawn: Drawn = family.draw(seed)
    return drawn


def _tensors(drawn: Drawn) -> dict[str, Tensor]:
    return {"x": drawn.x, **drawn.module.state_dict()}


def _solved(drawn: Drawn) -> tuple[Tensor, Ledger]:
    ledger = Ledger()
    with recording(ledger):
        output: Tensor = drawn.module(drawn.x)
    return output, ledger


def gives_the_same_for_a_seed(family: Any) -> str | None:
    """The same seed gives the same bits, and torch's global generator is left alone."""
    generator = torch.get_rng_state()
    once, again = _tensors(_drawn(family, 0)), _tensors(family.draw(0))
    if not torch.equal(generator, torch.get_rng_state()):
        return "it draws from the global generator; use one of its own"
    wrong = [name for name, value in once.items() if not torch.equal(value, again[name])]
    return f"two draws with seed 0 differ in {', '.join(wrong)}" if wrong else None


def draws_from_the_seed(family: Any) -> str | None:
    """Another seed draws another problem."""
    same = torch.equal(_drawn(family, 0).x, _drawn(family, 1).x)
    return "seeds 0 and 1 draw the same inputs" if same else None


def is_float64_on_the_cpu(family: Any) -> str | None:
    """Inputs, parameters and buffers are finite, float64 and on the CPU."""
    for name, value in _tensors(_drawn(family, 0)).items():
        if value.is_floating_point() and (value.dtype, value.device.type) != (torch.float64, "cpu"):
            return f"{name} is {value.dtype} on {value.device}"
        if not torch.isfinite(value).all():
            return f"{name} is not finite"
    return None


def solves_once(family: Any) -> str | None:
    """Its module calls deqbench.equilibrium exactly once, for one sample a row of its inputs."""
    drawn = _drawn(family, 0)
    output, ledger = _solved(drawn)
    if ledger.forward.solves != 1:
        return f"it solved {ledger.forward.solves} equilibria"
    rows = (drawn.x.shape[0], ledger.forward.samples, output.shape[0])
    return None if len(set(rows)) == 1 else f"inputs, samples and outputs are {rows[0]}, {rows[1]}, {rows[2]}"


def can_be_differentiated(family: Any) -> str | None:
    """Its loss is a finite scalar with a finite gradient in the inputs and in some parameter."""
    drawn = _drawn(family, 0)
    x = drawn.x.clone().requires_grad_()
    parameters = [parameter for parameter in drawn.module.parameters() if parameter.requires_grad]
    with recording(Ledger()):
        loss = drawn.loss(drawn.module(x))
        if loss.dim() != 0 or not torch.isfinite(loss):
            return f"the loss is {tuple(loss.shape)}, {loss.detach()}"
        found = torch.autograd.grad(loss, [x, *parameters], allow_unused=True)
    known = [gradient for gradient in found if gradient is not None]
    if found[0] is None or len(known) < 2:
        return "the inputs, or all parameters, get no gradient"
    return None if all(bool(torch.isfinite(one).all()) for one in known) else "a gradient is not finite"


def calls_barely_what_it_solves(family: Any) -> str | None:
    """Its own bare call, if it has one, returns what its map returns."""
    drawn = _drawn(family, 0)
    ground = Ground(drawn.module, drawn.x, drawn.module, drawn.x, drawn.loss, drawn.bare)
    try:
        ground.floor(*ground.capture())
    except PluginError as error:
        return str(error)
    return None


CHECKS = (
    gives_the_same_for_a_seed,
    draws_from_the_seed,
    is_float64_on_the_cpu,
    solves_once,
    can_be_differentiated,
    calls_barely_what_it_solves,
)
