"""The nine hooks. Each takes nothing and returns the entries a plugin offers of one kind."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from deqbench.plugin import PROJECT, Entry

hookspec = pluggy.HookspecMarker(PROJECT)


class Hooks:
    """What a plugin may implement; all of it is optional."""

    @hookspec
    def deqbench_datasets(self) -> Iterable[Entry]:
        """Offer data sets: ``load(seed) -> Splits``."""
        raise NotImplementedError

    @hookspec
    def deqbench_models(self) -> Iterable[Entry]:
        """Offer models, implicit or explicit: ``build(inputs, outputs) -> nn.Module``."""
        raise NotImplementedError

    @hookspec
    def deqbench_maps(self) -> Iterable[Entry]:
        """Offer families of equilibrium maps: ``draw(seed) -> Drawn``."""
        raise NotImplementedError

    @hookspec
    def deqbench_solvers(self) -> Iterable[Entry]:
        """Offer equilibrium solvers: ``init(f, z0)``, ``step(f, state)``, or ``solve(f, z0, stop)``."""
        raise NotImplementedError

    @hookspec
    def deqbench_gradients(self) -> Iterable[Entry]:
        """Offer ways for a gradient to pass an equilibrium: ``attach(problem) -> z``."""
        raise NotImplementedError

    @hookspec
    def deqbench_trainers(self) -> Iterable[Entry]:
        """Offer trainers: ``steps(objective) -> Iterator[loss]``."""
        raise NotImplementedError

    @hookspec
    def deqbench_probes(self) -> Iterable[Entry]:
        """Offer probes: ``observe(view) -> {name: number}``."""
        raise NotImplementedError

    @hookspec
    def deqbench_claims(self) -> Iterable[Entry]:
        """Offer claims: ``examine(seed, precision) -> Evidence``, ``read(trials, curves)``, or both."""
        raise NotImplementedError

    @hookspec
    def deqbench_suites(self) -> Iterable[Entry]:
        """Offer suites: the target is the path of a TOML file."""
        raise NotImplementedError
