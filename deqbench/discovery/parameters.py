"""A component's parameters: the fields of its frozen dataclass, described, validated and recorded.

Validation is strict and speaks JSON, because suites, the command line and stored trials do: a list serves a
tuple and an integer serves a float, but ``"5"`` never serves an integer and ``true`` never a number.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from deqbench import interfaces
from deqbench.discovery.type_names import type_name
from deqbench.errors import ConfigurationError, DeqbenchError, PluginError, did_you_mean
from deqbench.plugin import Component
from deqbench.trials import Ref

Nested = Callable[[str, Ref], tuple[Any, dict[str, Any]]]
"""(kind, ref) -> the built component and its parameters as JSON values."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a component.

    Attributes:
        name: As suites write it.
        type: What it takes, as a person reads it: ``integer >= 1``.
        default: Its default; None also where it is required.
        required: Whether it must be given.
        description: One sentence.
        kind: The kind of component it is, e.g. ``solvers``; None for a plain value.
        hint: The annotation itself.
    """

    name: str
    type: str
    default: Any
    required: bool
    description: str
    kind: str | None = None
    hint: Any = dataclasses.field(default=None, repr=False, compare=False)

    @functools.cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What validates its values; built once.

        Raises:
            PluginError: The annotation is nothing that can be validated.
        """
        try:
            return TypeAdapter(self.hint, config=ConfigDict(strict=True))
        except PydanticUserError as error:
            raise PluginError(f"The type of parameter '{self.name}' cannot be validated: {error}") from error


def parameters_of(target: Any) -> tuple[Parameter, ...]:
    """Return a component's parameters in the order of its fields.

    Args:
        target: A dataclass; a ``functools.partial`` of one, whose bound fields are no parameters any more;
            any other class or object has none.

    Raises:
        PluginError: A field's annotation cannot be read, or its name is reserved.
    """
    maker, bound = _unbound(target)
    if not (isinstance(maker, type) and dataclasses.is_dataclass(maker)):
        return ()
    return _parameters_of_class(maker, frozenset(bound))


@functools.lru_cache(maxsize=512)
def _parameters_of_class(maker: type, bound: frozenset[str]) -> tuple[Parameter, ...]:
    hints = _hints(maker)
    fields = [field for field in dataclasses.fields(maker) if field.init and field.name not in bound]
    return tuple(_parameter(field, hints[field.name], maker) for field in fields)


def construct(
    target: Any, given: Mapping[str, Any], owner: str, nested: Nested
) -> tuple[Any, dict[str, Any]]:
    """Return the component that the given parameters make, and all its parameters as JSON values.

    Args:
        target: What :func:`parameters_of` takes.
        given: Parameters as a suite wrote them.
        owner: What messages call it: ``solver 'anderson'``.
        nested: Builds a parameter that is itself a component.

    Raises:
        ConfigurationError: Parameters are unknown, missing or wrong; all mistakes at once.
        PluginError: The component's own annotations or defaults are wrong.
    """
    parameters = {parameter.name: parameter for parameter in parameters_of(target)}
    mistakes = [_unknown(name, parameters, owner) for name in given if name not in parameters]
    values: dict[str, Any] = {}
    described: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name not in given and parameter.required:
            mistakes.append(f"The {owner} needs '{name}' ({parameter.type}); give {name}=...")
            continue
        try:
            values[name], described[name] = _value(parameter, given, owner, nested)
        except ConfigurationError as error:
            mistakes.extend(error.mistakes)
        except DeqbenchError as error:
            mistakes.append(f"'{name}' of {owner}: {error}")
    if mistakes:
        raise ConfigurationError(mistakes)
    return _made(target, values, owner), described


def _unbound(target: Any) -> tuple[Any, Mapping[str, Any]]:
    if isinstance(target, functools.partial):
        return target.func, target.keywords
    return target, {}


def _hints(maker: type) -> dict[str, Any]:
    """Evaluate annotations; names of interfaces that stand under TYPE_CHECKING are lent."""
    try:
        return get_type_hints(maker, include_extras=True)
    except NameError:
        pass
    try:
        return get_type_hints(maker, localns=vars(interfaces), include_extras=True)
    except NameError as error:
        raise PluginError(
            f"The parameters of {maker.__name__} cannot be read: {error}. "
            "Import it outside 'if TYPE_CHECKING'."
        ) from error


def _parameter(field: dataclasses.Field[Any], hint: Any, maker: type) -> Parameter:
    if field.name == "name":
        raise PluginError(
            f"{maker.__name__} has a parameter called 'name': suites say so which component is meant."
        )
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    kind = next((mark.kind for mark in marks if isinstance(mark, Component)), None)
    described = (mark.description for mark in marks if isinstance(mark, FieldInfo) and mark.description)
    default, required = _default(field)
    return Parameter(field.name, type_name(hint), default, required, next(described, ""), kind, hint)


def _default(field: dataclasses.Field[Any]) -> tuple[Any, bool]:
    if field.default is not dataclasses.MISSING:
        return field.default, False
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory(), False
    return None, True


def _unknown(name: str, parameters: Mapping[str, Parameter], owner: str) -> str:
    has = f"It has: {', '.join(parameters)}." if parameters else "It has none."
    return f"The {owner} has no parameter '{name}'.{did_you_mean(name, parameters)} {has}"


def _value(parameter: Parameter, given: Mapping[str, Any], owner: str, nested: Nested) -> tuple[Any, Any]:
    """Return one parameter's value, and the same as a JSON value."""
    value = given.get(parameter.name, parameter.default)
    if parameter.kind is not None:
        return _component(parameter, value, owner, nested)
    adapter = parameter.adapter
    if parameter.name in given:
        try:
            value = adapter.validate_json(json.dumps(value, allow_nan=False))
        except (ValidationError, ValueError, TypeError) as error:
            raise ConfigurationError(_refused(parameter, value, owner)) from error
    return value, adapter.dump_python(value, mode="json")


def _component(parameter: Parameter, value: Any, owner: str, nested: Nested) -> tuple[Any, Any]:
    if value is None:
        return None, None
    try:
        ref = Ref.of(value)
        component, described = nested(str(parameter.kind), ref)
    except ConfigurationError as error:
        raise ConfigurationError(
            [f"'{parameter.name}' of {owner}: {one}" for one in error.mistakes]
        ) from error
    return component, {"name": ref.name, **described}


def _refused(parameter: Parameter, value: Any, owner: str) -> str:
    try:
        shown = json.dumps(value)
    except (TypeError, ValueError):
        shown = str(value)
    return f"'{parameter.name}' of {owner} is {shown}, but must be {parameter.type}."


def _made(target: Any, values: Mapping[str, Any], owner: str) -> Any:
    """Call the class; its own checks of several fields together speak through ValueError."""
    if not isinstance(target, (type, functools.partial)):
        return target
    try:
        return target(**values)
    except ConfigurationError:
        raise
    except (ValueError, DeqbenchError) as error:
        raise ConfigurationError(f"The {owner} cannot be made: {error}") from error
    except TypeError as error:
        raise PluginError(f"The {owner} cannot be made: {error}. Make it a frozen dataclass.") from error
