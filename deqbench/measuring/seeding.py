"""Named random streams: one seed of a suite becomes independent seeds for each use.

A stream's seed depends on the suite's seed and on the stream's name alone, never on how many
numbers another stream drew before it. So adding a probe or a data set changes no other number, on
any machine and in any process.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager

_SCHEME = "deqbench-stream-1"
"""Part of every hash; changing it changes every seed."""

_NUMPY_SEEDS = 2**32


def stream_seed(seed: int, stream: str, *names: str) -> int:
    """Return the seed of a named stream: the first 63 bits of a SHA-256.

    What is hashed is the JSON list ``["deqbench-stream-1", seed, stream, *names]`` without spaces.

    Args:
        seed: The suite's seed, any integer.
        stream: ``data``, ``init``, ``order`` or ``probe``; any text.
        *names: What else tells two streams apart, e.g. the name of a split.

    Returns:
        An integer in [0, 2**63), which ``torch.manual_seed`` and ``numpy.random.default_rng``
        accept.
    """
    text = json.dumps([_SCHEME, int(seed), stream, *names], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, numpy and torch (CPU and every CUDA device).

    Args:
        seed: In [0, 2**63), as :func:`stream_seed` returns; numpy's old generator gets it modulo
            2**32.
    """
    import numpy as np  # noqa: PLC0415 -- planning derives seeds without numpy or torch
    import torch  # noqa: PLC0415 -- as above

    random.seed(seed)
    np.random.seed(seed % _NUMPY_SEEDS)  # noqa: NPY002 -- plugins may draw from the global generator
    accelerators = getattr(torch, "accelerator", None)  # torch 2.6
    if accelerators is not None and accelerators.current_accelerator() is None:
        # This torch was built for the CPU alone. manual_seed would note its caller's whole stack three times,
        # for devices that cannot come: a millisecond a seed, where a trial seeds a dozen times.
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


@contextmanager
def preserved_generators() -> Iterator[None]:
    """Restore the global generators of Python, numpy and torch on leaving."""
    import numpy as np  # noqa: PLC0415 -- as above
    import torch  # noqa: PLC0415 -- as above

    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 -- as above
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]  # torch has no types here
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002 -- as above
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
