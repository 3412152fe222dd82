"""A suite's components, asked of the registry: does each exist, do its parameters fit, what are they all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deqbench.errors import ConfigurationError, DeqbenchError
from deqbench.suites.axes import AXES
from deqbench.suites.optional import remedy
from deqbench.suites.places import KeyPath, Mistake
from deqbench.suites.schema import flat_vary
from deqbench.trials import Ref, canonical_json

if TYPE_CHECKING:
    from deqbench.discovery.registry import Registry


@dataclass
class Components:
    """The registry's answers, each asked once.

    Attributes:
        registry: Who is asked.
    """

    registry: Registry
    _answers: dict[str, dict[str, Any] | DeqbenchError] = field(default_factory=dict)

    def resolve(self, kind: str, ref: Ref) -> dict[str, Any]:
        """Return all parameters of a component.

        Raises:
            DeqbenchError: There is none of that name, or its parameters do not fit.
        """
        question = f"{kind}/{ref!r}"
        if question not in self._answers:
            self._answers[question] = self._asked(kind, ref)
        answer = self._answers[question]
        if isinstance(answer, DeqbenchError):
            raise answer
        return answer

    def _asked(self, kind: str, ref: Ref) -> dict[str, Any] | DeqbenchError:
        try:
            canonical_json(ref.to_json())
            return self.registry.resolve(kind, ref)
        except (TypeError, ValueError) as error:
            return ConfigurationError(
                f"{ref.name} has a value that cannot be stored: {error}. Write a finite one."
            )
        except DeqbenchError as error:
            return error

    def usable(self, kind: str, ref: Ref) -> bool:
        """Return whether the component exists and its parameters fit."""
        try:
            self.resolve(kind, ref)
        except DeqbenchError:
            return False
        return True

    def lacking(self, kind: str, ref: Ref) -> bool:
        """Return whether the component needs a package that is not installed."""
        return bool(remedy(self.registry, kind, ref))

    def implicit(self, model: Ref) -> bool:
        """Return whether a model calls for a solver and a gradient."""
        return bool(getattr(self.registry.target("models", model.name), "implicit", False))

    def reads(self, claim: Ref) -> bool:
        """Return whether a claim reads the records of a run."""
        return hasattr(self.registry.target("claims", claim.name), "read")


def component_mistakes(raw: Mapping[str, Any], components: Components) -> Iterator[Mistake]:
    """Yield the mistakes in all components of a suite, as a table that may be malformed elsewhere."""
    for kind in ("probes", "claims"):
        for path, ref in _refs(raw.get(kind, ()), (kind,)):
            yield from _unusable(kind, ref, path, components)
    yield from _silent_claims(raw, components)
    defaults = _table(raw.get("defaults"))
    for axis in AXES:
        for path, ref in _refs(defaults.get(axis, ()), ("defaults", axis)):
            yield from _unusable(f"{axis}s", ref, path, components)
    blocks = raw.get("grid", ())
    for number, block in enumerate(blocks if isinstance(blocks, (list, tuple)) else ()):
        vary = _table(flat_vary(_table(block).get("vary")))
        optional = _table(block).get("optional") is True
        for axis in AXES:
            owned = axis in _table(block) or not any(key.partition(".")[0] == axis for key in vary)
            place: KeyPath = ("grid", number, axis if owned else "vary")
            written = _table(block).get(axis, ()) if owned else [defaults.get(axis)]
            for path, ref in _refs(written, place):
                if optional and components.lacking(f"{axis}s", ref):
                    continue
                for varied in variants(axis, ref, vary):
                    yield from _unusable(f"{axis}s", varied, path, components)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _refs(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Ref]]:
    listed = isinstance(value, (list, tuple))
    for position, item in enumerate(value if listed else [value]):
        try:
            yield ((*path, position) if listed else path), Ref.of(item)
        except ConfigurationError:
            continue  # the schema says what is wrong with it


def _unusable(kind: str, ref: Ref, path: KeyPath, components: Components) -> Iterator[Mistake]:
    try:
        components.resolve(kind, ref)
    except ConfigurationError as error:
        yield from (Mistake(path, sentence) for sentence in error.mistakes)
    except DeqbenchError as error:
        yield Mistake(path, str(error))


def _silent_claims(raw: Mapping[str, Any], components: Components) -> Iterator[Mistake]:
    """Yield the claims named by the suite that would find nothing in the records of any run."""
    for path, ref in _refs(raw.get("claims", ()), ("claims",)):
        if components.usable("claims", ref) and not components.reads(ref):
            yield Mistake(
                path,
                f"'{ref.name}' reads no records: it examines by itself. Name it in a grid, "
                f'claim = "{ref.name}", of a suite with experiment = "claim".',
            )


def variants(axis: str, ref: Ref, vary: Mapping[str, Any]) -> Iterator[Ref]:
    """Yield a component with each combination of the parameters that a block varies on its axis."""
    names = [path.partition(".")[2] for path in vary if path.partition(".")[0] == axis]
    lists = [vary[f"{axis}.{name}"] for name in names]
    if not all(isinstance(values, (list, tuple)) for values in lists):
        return
    for values in itertools.product(*lists):
        yield Ref(ref.name, {**ref.parameters, **dict(zip(names, values, strict=True))})
