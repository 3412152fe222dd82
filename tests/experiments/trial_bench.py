"""What the tests of this room share: trials as a suite would write them, and plugins that misbehave."""

from __future__ import annotations

from pathlib import Path

from deqbench.discovery.registry import Registry
from deqbench.discovery.sources import PluginSources
from deqbench.trials import Limits, Ref, Trial

ODD_PLUGINS = PluginSources(paths=(str(Path(__file__).parent / "odd_plugins.py"),))
SETTINGS = {
    "dtype": "float32",
    "device": "cpu",
    "threads": 1,
    "budget": {"epochs": None, "steps": 6},
    "stop": {"tolerance": 1e-4, "max_calls": 100, "norm": "relative", "check_every": 1},
    "loss": {"name": "auto", "l2": 0.0},
    "evaluations": 3,
    "counting": 0.05,
}
PROBES = ("loss", "accuracy", "r2", "residual", "solver-calls", "spectral-radius")


def make_trial(registry: Registry, *, seed=0, probes=PROBES, seconds=None, settings=None, **axes) -> Trial:
    """Return a trial with every parameter resolved; axes are Refs as text."""
    axes = {"dataset": "wine", "model": "linear", "trainer": "gd", **axes}
    refs = {axis: Ref.parse(text) for axis, text in axes.items()}
    return Trial(
        suite="test",
        experiment="training",
        components=refs,
        parameters={axis: registry.resolve(f"{axis}s", ref) for axis, ref in refs.items()},
        seed=seed,
        settings={**SETTINGS, **(settings or {})},
        probes=tuple(Ref.parse(probe) for probe in probes),
        limits=Limits(seconds=seconds),
    )
