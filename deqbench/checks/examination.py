"""One examination of a claim for all its checks, and what it leaves changed."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from deqbench.errors import InapplicableError
from deqbench.measuring.seeding import preserved_generators, seed_everything


@dataclass(frozen=True)
class Examined:
    """What a claim showed.

    Attributes:
        evidence: At precision 0, then at every finer one.
        again: At precision 0 again, under other global generators.
        left: What it left changed, in words; empty if nothing.
    """

    evidence: tuple[Any, ...]
    again: Any
    left: tuple[str, ...]


_LAST: list[tuple[Any, Examined | Exception]] = []
"""The claim that was examined last, and what came of it."""


def examined(claim: Any) -> Examined:
    """Return what a claim showed: one examination serves every check.

    Raises:
        InapplicableError: It reads records and makes no case of its own.
        Exception: Whatever it raised.
    """
    if not hasattr(claim, "examine"):
        raise InapplicableError("It reads records and makes no case of its own.")
    if not _LAST or _LAST[0][0] is not claim:
        _LAST[:] = [(claim, _examination(claim))]
    found = _LAST[0][1]
    if isinstance(found, Exception):
        raise found
    return found


def _examination(claim: Any) -> Examined | Exception:
    before = _state()
    try:
        with preserved_generators():
            shown = _shown(claim)
    except Exception as error:  # noqa: BLE001  each check reports what the claim raised
        return error
    after = _state()
    changed = tuple(name for name, value in before.items() if after[name] != value)
    return Examined(*shown[:2], (*shown[2], *changed))


def _shown(claim: Any) -> tuple[tuple[Any, ...], Any, tuple[str, ...]]:
    """Return the evidence at every precision, that of another time, and what was drawn from."""
    seed_everything(1)
    drawn = _generators()
    first = claim.examine(0, 0)
    left = () if drawn == _generators() else ("the state of a global random generator",)
    finer = [claim.examine(0, precision) for precision in range(1, _finest(claim) + 1)]
    seed_everything(2)
    return (first, *finer), claim.examine(0, 0), left


def _finest(claim: Any) -> int:
    return int(getattr(claim, "finest", 1))


def _state() -> dict[str, Any]:
    """Return global settings by name, without the random generators."""
    settings = {
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "numpy's error handling": np.geterr(),
        "the working directory": os.getcwd(),  # noqa: PTH109  compared, not walked
    }
    mpmath = sys.modules.get("mpmath")  # a claim may be the first to import it
    digits = 15 if mpmath is None else mpmath.mp.dps
    return settings | {"mpmath's precision": digits}


def _generators() -> tuple[Any, ...]:
    state: Any = np.random.get_state()  # noqa: NPY002  the global generator is what is watched
    return (torch.get_rng_state().numpy().tobytes(), state[1].tobytes(), state[2], random.getstate())
