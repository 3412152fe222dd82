"""``deqbench show COMPONENT``: what it is, its parameters, where it comes from, how a suite names it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from deqbench.cli.listing import offer_json
from deqbench.cli.options import complete_components, kind_of, plugin_options
from deqbench.errors import ConfigurationError, UnknownNameError, did_you_mean
from deqbench.plugin import KINDS

if TYPE_CHECKING:
    from deqbench.discovery.parameters import Parameter
    from deqbench.discovery.registry import Offer, Registry


@click.command()
@click.argument("component", shell_complete=complete_components)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def show(registry: Registry, *, component: str, as_json: bool) -> None:
    """Show COMPONENT, a name or KIND/NAME: what it is, its parameters, where it comes from."""
    kind, name = locate(registry, component)
    offer = next(one for one in registry.offers(kind) if one.entry.name == name)
    target = None if offer.missing else registry.target(kind, name)
    parameters = _parameters(target)
    if as_json:
        click.echo(json.dumps(_as_json(offer, target, parameters), indent=2))
    else:
        click.echo("\n".join(_lines(offer, target, parameters)))


def locate(registry: Registry, component: str) -> tuple[str, str]:
    """Return the kind and name that ``name`` or ``kind/name`` means.

    Raises:
        UnknownNameError: Nothing of that name is on offer.
        ConfigurationError: Several kinds offer it.
    """
    word, slash, name = component.partition("/")
    if slash:
        kind = kind_of(word)
        if name not in registry.names(kind):
            registry.find(kind, name)  # raises, with the nearest name
        return kind, name
    kinds = [kind for kind in KINDS if component in registry.names(kind)]
    if not kinds:
        names = [one for kind in KINDS for one in registry.names(kind)]
        raise UnknownNameError(
            f"Unknown component '{component}'.{did_you_mean(component, names)} See 'deqbench list'."
        )
    if len(kinds) > 1:
        choices = " or ".join(f"{kind}/{component}" for kind in kinds)
        raise ConfigurationError(f"Several components are called '{component}'. Write {choices}.")
    return kinds[0], component


def _parameters(target: Any) -> tuple[Parameter, ...]:
    from deqbench.discovery.parameters import parameters_of  # noqa: PLC0415  pydantic; not for --help

    return parameters_of(target)


def documentation(target: Any) -> str:
    """Return a component's docstring; empty for a path, and for what a dataclass writes by itself."""
    target = getattr(target, "func", target)  # functools.partial
    doc = inspect.getdoc(target) if isinstance(target, type) or callable(target) else None
    generated = doc is not None and doc.startswith(f"{getattr(target, '__name__', '')}(")
    return "" if doc is None or generated else doc


def _lines(offer: Offer, target: Any, parameters: Sequence[Parameter]) -> list[str]:
    doc = documentation(target)
    head = [f"{click.style(offer.entry.name, bold=True)} ({offer.kind[:-1]})", offer.entry.summary]
    lines = [*head, "", *([doc, ""] if doc and doc != offer.entry.summary else [])]
    if parameters:
        lines += [click.style("Parameters", bold=True), *_table(parameters), ""]
    if offer.missing:
        lines += [f"Unavailable: {offer.remedy}.", ""]
    version = f" ({offer.origin.distribution} {offer.origin.version})" if offer.origin.distribution else ""
    return [
        *lines,
        f"Origin: {offer.origin.name}{version}",
        f"Target: {offer.entry.target}",
        *_usage(offer, target, parameters),
    ]


def _table(parameters: Sequence[Parameter]) -> list[str]:
    rows = [(one.name, one.type, _default(one), one.description) for one in parameters]
    rows.insert(0, ("name", "type", "default", "description"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  "
        + "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]
        ).rstrip()
        for row in rows
    ]


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    return "nothing" if parameter.default is None else str(parameter.default)


def _usage(offer: Offer, target: Any, parameters: Sequence[Parameter]) -> list[str]:
    """Return how a person asks for the component."""
    name, axis = offer.entry.name, offer.kind[:-1]
    if offer.kind == "suites":
        return [f"Run it: deqbench run {name}"]
    given = [one for one in parameters if one.default is not None][:1]
    inside = ", ".join(f"{one.name} = {_toml(one.default)}" for one in given)
    table = f'{{ name = "{name}", {inside} }}' if inside else f'"{name}"'
    if offer.kind == "probes" or hasattr(target, "read"):
        return [f"In a suite: {offer.kind} = [{table}]"]
    if offer.kind == "claims":
        return [f'In a suite with experiment = "claim": {axis} = {table}']
    return [f"In a suite: {axis} = {table}"]


def _toml(value: Any) -> str:
    return json.dumps(value, default=str)


def _as_json(offer: Offer, target: Any, parameters: Sequence[Parameter]) -> dict[str, Any]:
    described = [
        {
            "name": one.name,
            "type": one.type,
            "default": one.default,
            "required": one.required,
            "description": one.description,
            "kind": one.kind,
        }
        for one in parameters
    ]
    return {
        **offer_json(offer),
        "documentation": documentation(target),
        "target": str(offer.entry.target),
        "parameters": json.loads(json.dumps(described, default=str)),
    }
