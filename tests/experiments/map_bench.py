"""What the tests of the experiments on maps share: trials as a suite would write them."""

from __future__ import annotations

from deqbench.discovery.registry import Registry
from deqbench.trials import Limits, Ref, Trial

STOP = {"tolerance": 1e-8, "max_calls": 300, "norm": "relative", "check_every": 1}


def map_trial(registry: Registry, experiment: str, *, settings=None, stop=None, seed=0, **axes) -> Trial:
    """Return a trial with every parameter resolved; axes are Refs as text."""
    refs = {axis: Ref.parse(text) for axis, text in axes.items()}
    return Trial(
        suite="test",
        experiment=experiment,
        components=refs,
        parameters={axis: registry.resolve(f"{axis}s", ref) for axis, ref in refs.items()},
        seed=seed,
        settings={
            "dtype": "float64",
            "device": "cpu",
            "threads": 1,
            "repeats": 2,
            "stop": {**STOP, **(stop or {})},
            **(settings or {}),
        },
        limits=Limits(),
    )
