"""Checks of models: what they build takes a batch, gives finite outputs and gradients, and repeats itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from deqbench.equilibria.binding import Ledger, recording

INPUTS, OUTPUTS, BATCH = (6,), 3, 5


def _built(model: Any) -> nn.Module:
    before = torch.get_default_dtype(), torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    try:
        module = model.build(INPUTS, OUTPUTS)
    finally:
        torch.set_default_dtype(before[0])
        torch.set_rng_state(before[1])
    assert isinstance(module, nn.Module), f"build returned {type(module).__name__}, not an nn.Module"
    return module


def _batch() -> Tensor:
    return torch.randn(BATCH, *INPUTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def says_whether_it_is_implicit(model: Any) -> str | None:
    """It says whether it is implicit, with a class attribute true or false."""
    return None if isinstance(model.implicit, bool) else f"implicit is {model.implicit!r}"


def gives_one_row_a_sample(model: Any) -> str | None:
    """Its module maps (B, *inputs) to (B, outputs), finite."""
    with recording(Ledger()), torch.no_grad():
        outputs = _built(model)(_batch())
    if outputs.shape != (BATCH, OUTPUTS):
        return f"for {BATCH} samples and {OUTPUTS} outputs it gave {tuple(outputs.shape)}"
    return None if torch.isfinite(outputs).all() else "outputs are not finite"


def gives_gradients(model: Any) -> str | None:
    """Every parameter gets a finite gradient."""
    module = _built(model)
    with recording(Ledger()):
        module(_batch()).square().sum().backward()
    wrong = [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not torch.isfinite(parameter.grad).all())
    ]
    return f"missing or not finite: {', '.join(wrong)}" if wrong else None


def starts_from_its_seed(model: Any) -> str | None:
    """Its start depends on torch's seeded generator alone."""
    once, again = _built(model).state_dict(), _built(model).state_dict()
    wrong = [name for name, value in once.items() if not torch.equal(value, again[name])]
    return f"differ between two builds: {', '.join(wrong)}" if wrong else None


def solves_only_if_implicit(model: Any) -> str | None:
    """It calls an equilibrium solver if and only if it is implicit."""
    ledger = Ledger()
    with recording(ledger), torch.no_grad():
        _built(model)(_batch())
    solved = ledger.forward.solves > 0
    if solved == model.implicit:
        return None
    return "it is explicit, but solved" if solved else "it is implicit, but solved nothing"


def keeps_samples_apart(model: Any) -> str | None:
    """In evaluation, a sample's output does not depend on the other samples of its batch."""
    module = _built(model).eval()
    with recording(Ledger()), torch.no_grad():
        error = float((module(_batch())[:1] - module(_batch()[:1])).abs().max())
    return None if error < 1e-3 else f"alone, the first sample's output differs by {error:.1e}"


CHECKS = (
    says_whether_it_is_implicit,
    gives_one_row_a_sample,
    gives_gradients,
    starts_from_its_seed,
    solves_only_if_implicit,
    keeps_samples_apart,
)
