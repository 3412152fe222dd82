"""Types as a person reads them: ``Annotated[int, Field(ge=1)]`` is ``integer >= 1``."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from deqbench.plugin import Component

_PLAIN = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "true or false",
    type(None): "nothing",
}
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_LENGTHS = {
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "multiple_of": "a multiple of {}",
}


def type_name(hint: Any) -> str:
    """Return what values a type annotation takes, in words.

    Args:
        hint: An evaluated annotation, with its ``Annotated`` marks.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is Literal:
        return _choice(arguments)
    if origin in (tuple, list) and arguments:
        return f"list of {' and '.join(type_name(one) for one in arguments if one is not Ellipsis)}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _choice(tuple(member.value for member in hint))
    return _PLAIN.get(hint) or str(getattr(hint, "__name__", hint))


def _annotated(inner: Any, marks: tuple[Any, ...]) -> str:
    kinds = [mark.kind for mark in marks if isinstance(mark, Component)]
    if kinds:
        return f"one of {kinds[0]}" + (" or nothing" if type(None) in get_args(inner) else "")
    optional = type(None) in get_args(inner) and get_origin(inner) is not Literal
    plain = type_name(inner).removesuffix(" or nothing")
    words = " ".join(filter(None, [plain, ", ".join(_constraints(marks))]))
    return f"{words} or nothing" if optional else words


def _constraints(marks: tuple[Any, ...]) -> Iterator[str]:
    inner = [one for mark in marks for one in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    for mark in inner:
        for name, sign in _BOUNDS.items():
            if getattr(mark, name, None) is not None:
                yield f"{sign} {getattr(mark, name)}"
        for name, words in _LENGTHS.items():
            if getattr(mark, name, None):
                yield words.format(getattr(mark, name))


def _union(arguments: tuple[Any, ...]) -> str:
    given = [type_name(one) for one in arguments if one is not type(None)]
    return " or ".join([*given, *(["nothing"] if type(None) in arguments else [])])


def _choice(values: tuple[Any, ...]) -> str:
    return f"one of {', '.join(str(value) for value in values)}"
