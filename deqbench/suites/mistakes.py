"""pydantic's findings in a suite, said as a person would: what was given, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from deqbench.errors import did_you_mean
from deqbench.suites.places import KeyPath, Mistake
from deqbench.suites.schema import Budget, Defaults, GridBlock, LossSettings, StopSettings, Suite

_TABLES: dict[str, type[BaseModel]] = {
    "budget": Budget,
    "stop": StopSettings,
    "loss": LossSettings,
    "defaults": Defaults,
    "grid": GridBlock,
}
_SENTENCES = {
    "model_type": "it must be a table",
    "dict_type": "it must be a table",
    "tuple_type": "it must be a list",
    "too_short": "it is empty; give at least one",
    "string_pattern_mismatch": "it must be lower case letters, digits, dashes, dots and underscores",
}


def schema_mistakes(error: ValidationError) -> Iterator[Mistake]:
    """Yield one mistake for each finding."""
    for finding in error.errors(include_url=False):
        if finding["type"] == "too_short" and finding["input"]:
            continue  # pydantic counts only the good items; the bad ones have findings of their own
        path: KeyPath = finding["loc"]
        yield Mistake(path, _sentence(finding["type"], path, finding["input"], finding["msg"]))


def _sentence(kind: str, path: KeyPath, given: Any, message: str) -> str:
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return f"It is missing; add [[{path[-1]}]] with a dataset, a model and a trainer."
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    rule = _SENTENCES.get(kind) or message.replace("Input should", "it must")
    return f"{_shown(given)} was given; {rule}."


def _unknown_key(path: KeyPath) -> str:
    *outer, key = path
    table: type[BaseModel] = Suite
    for part in outer:
        table = _TABLES.get(str(part), table)
    valid = list(table.model_fields)
    return f"Unknown key '{key}'.{did_you_mean(str(key), valid)} Allowed here: {', '.join(valid)}."


def _shown(given: Any) -> str:
    text = repr(given)
    kinds = {str: "text", bool: "truth value", int: "integer", float: "number", list: "list", dict: "table"}
    kind = kinds.get(type(given), type(given).__name__)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({kind})"
