"""What every component declares: its methods, and parameters that are frozen, documented and recordable."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any

from deqbench.discovery.parameters import parameters_of
from deqbench.trials import Ref, canonical_json

if TYPE_CHECKING:
    from deqbench.checks import Subject

METHODS = {
    "datasets": (("load",),),
    "models": (("build", "implicit"),),
    "maps": (("draw",),),
    "solvers": (("init", "step"), ("solve",)),
    "gradients": (("attach",),),
    "trainers": (("steps",),),
    "probes": (("observe",),),
    "claims": (("examine",), ("read",)),
}
"""The names a component of each kind must have: one of the sets, whole."""


def _class(target: Any) -> Any:
    return getattr(target, "func", target)  # functools.partial


def says_what_it_is(subject: Subject) -> str | None:
    """It says in a docstring what it is."""
    doc = inspect.getdoc(_class(subject.target)) or ""
    if not doc or doc.startswith(f"{_class(subject.target).__name__}("):
        return "it has no docstring of its own"
    return None


def has_its_methods(subject: Subject) -> str | None:
    """It has the methods of its kind."""
    choices = METHODS[subject.kind]
    for names in choices:
        if all(hasattr(_class(subject.target), name) for name in names):
            return None
    return "it needs " + ", or ".join(" and ".join(names) for names in choices)


def is_frozen(subject: Subject) -> str | None:
    """Its parameters are the fields of a frozen dataclass."""
    target = _class(subject.target)
    if dataclasses.is_dataclass(target):
        frozen = getattr(target, "__dataclass_params__").frozen  # noqa: B009  the attribute is untyped
        return None if frozen else "write @dataclass(frozen=True)"
    if not isinstance(target, type):
        return None
    own = target.__init__ is not object.__init__  # type: ignore[misc]  # compared, not called
    return "it has a constructor of its own; make its parameters dataclass fields" if own else None


def documents_its_parameters(subject: Subject) -> str | None:
    """Every parameter has a description."""
    bare = [one.name for one in parameters_of(subject.target) if not one.description and not one.kind]
    return f"without one: {', '.join(bare)}; write Annotated[type, Field(description=...)]" if bare else None


def survives_recording(subject: Subject) -> str | None:
    """Its recorded parameters build it again, with the same parameters."""
    once = subject.registry.resolve(subject.kind, subject.ref)
    again = subject.registry.resolve(subject.kind, Ref(subject.ref.name, once))
    if canonical_json(once) != canonical_json(again):
        return f"recorded as {canonical_json(once)}, then as {canonical_json(again)}"
    return None


def has_its_source(subject: Subject) -> str | None:
    """Its source can be found, so that an edit makes its stored results stale."""
    found = subject.registry.source_digests(subject.kind, subject.ref.name)
    return None if found else "no source file is known for it"


DECLARATION = (
    says_what_it_is,
    has_its_methods,
    is_frozen,
    documents_its_parameters,
    survives_recording,
    has_its_source,
)
