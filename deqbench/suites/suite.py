"""A suite: TOML -> validated ``Suite`` -> trials. Every mistake is found before anything runs, all at once.

A mistake carries its place, ``line 14, grid[1].solver: ...``; places count from 0, lines from 1.
"""

from __future__ import annotations

import copy
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from deqbench.errors import ConfigurationError, UnknownNameError, did_you_mean
from deqbench.suites.components import Components, component_mistakes
from deqbench.suites.expansion import grid_trials
from deqbench.suites.mistakes import schema_mistakes
from deqbench.suites.optional import left_out
from deqbench.suites.places import Mistake, line_numbers, line_of, shown_path
from deqbench.suites.schema import Suite
from deqbench.suites.selection import select
from deqbench.trials import Trial, toml_value

if TYPE_CHECKING:
    from deqbench.discovery.registry import Registry

__all__ = ["Suite", "expand", "read_suite"]


def read_suite(name_or_path: str, registry: Registry, overrides: Sequence[str] = ()) -> Suite:
    """Return the suite of that name or file, checked against everything the registry offers.

    Args:
        name_or_path: A shipped suite's name, or a path: it ends in ``.toml`` or holds a separator.
        registry: What components there are.
        overrides: ``--set`` options such as ``budget.epochs=5`` or ``seeds=[0, 1]``; a grid block's own
            budget and dtype still win over the suite's.

    Raises:
        UnknownNameError: No plugin offers a suite of that name.
        ConfigurationError: The file cannot be read, or it holds mistakes; all of them are named.
    """
    path = _path(name_or_path, registry)
    text = _read(path)
    raw = _parse(text, path)
    raw.setdefault("name", _slug(path.stem))
    changed, mistakes = _overridden(raw, overrides)
    components = Components(registry)
    mistakes += component_mistakes(changed, components)
    try:
        suite = Suite.model_validate(changed)
    except ValidationError as error:
        mistakes += schema_mistakes(error)
    else:
        mistakes += grid_trials(suite, components, suite.device)[1]
    if mistakes:
        raise ConfigurationError(list(_placed(mistakes, text, overrides)), where=str(path))
    suite._source = path  # set once, here: a frozen model takes private attributes after construction
    return suite


def expand(
    suite: Suite, registry: Registry, *, device: str | None = None, only: str | None = None
) -> list[Trial]:
    """Return the suite's trials in the order written; provenance is left empty.

    Args:
        suite: The suite.
        registry: What components there are.
        device: ``cpu`` or ``cuda``; None for the suite's own.
        only: The trials that are meant; see ``deqbench.suites.selection``.

    Raises:
        ConfigurationError: The suite holds mistakes, ``only`` does, or the device is still ``auto``.
    """
    device = device or suite.device
    if device not in ("cpu", "cuda"):
        raise ConfigurationError(f"Trials cannot run on device '{device}'; give cpu or cuda.")
    components = Components(registry)
    mistakes = list(component_mistakes(suite.to_json(), components))
    trials, found = grid_trials(suite, components, device)
    mistakes += found
    if mistakes:
        sentences = [f"{shown_path(mistake.path)}: {mistake.sentence}" for mistake in mistakes]
        raise ConfigurationError(sentences, where=f"suite '{suite.name}'")
    if not trials:
        needs = "; ".join(left_out(suite, registry))
        raise ConfigurationError(f"Every trial of suite '{suite.name}' is left out: {needs}.")
    return trials if only is None else select(trials, only)


def _path(name_or_path: str, registry: Registry) -> Path:
    separators = [separator for separator in (os.sep, os.altsep, "/") if separator]
    if name_or_path.endswith(".toml") or any(one in name_or_path for one in separators):
        return Path(name_or_path)
    try:
        return Path(registry.target("suites", name_or_path))
    except UnknownNameError as error:
        if Path(name_or_path).exists():
            return Path(name_or_path)
        beside = Path(f"{name_or_path}.toml")
        if beside.is_file():
            raise UnknownNameError(f"{error} To run the file here, write ./{beside}.") from error
        raise


def _read(path: Path) -> str:
    """Return the file's text; a byte-order mark is dropped."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except IsADirectoryError as error:
        inside = ", ".join(sorted(file.name for file in path.glob("*.toml"))) or "none"
        raise ConfigurationError(f"{path} is a folder; give a TOML file. In it: {inside}.") from error
    except FileNotFoundError as error:
        near = did_you_mean(path.name, (file.name for file in path.parent.glob("*.toml")))
        raise ConfigurationError(
            f"There is no file {path}.{near} Shipped suites: 'deqbench suites'."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path} is not UTF-8 at line {line}; TOML is. Save it as UTF-8.") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}.") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path} is no suite: it is nested too deeply.") from error


def _slug(stem: str) -> str:
    """Return a file's stem as a suite's name: it becomes a folder and a word of commands."""
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "suite"


def _overridden(raw: Mapping[str, Any], overrides: Iterable[str]) -> tuple[dict[str, Any], list[Mistake]]:
    """Return the table with each ``key.path=value`` set, and the options that cannot be."""
    changed = copy.deepcopy(dict(raw))
    mistakes = []
    for option in overrides:
        key, equals, value = (part.strip() for part in option.partition("="))
        path = tuple(key.split("."))
        if not equals or not value or not all(path):
            sentence = f"'{option}' sets nothing; write key=value, e.g. budget.epochs=5."
            mistakes.append(Mistake((), sentence))
        elif not _set(changed, path, toml_value(value)):
            sentence = f"'{option}' goes through a value that is no table; only tables have keys."
            mistakes.append(Mistake((), sentence))
    return changed, mistakes


def _set(table: dict[str, Any], path: Sequence[str], value: Any) -> bool:
    *outer, last = path
    inner: Any = table
    for key in outer:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            return False
    inner[last] = value
    return True


def _placed(mistakes: Iterable[Mistake], text: str, overrides: Iterable[str]) -> Iterable[str]:
    """Yield each mistake with its place, once, in the order of the file."""
    lines = line_numbers(text)
    options = [tuple(option.partition("=")[0].strip().split(".")) for option in overrides]
    placed: dict[str, int] = {}
    for mistake in mistakes:
        path, line = mistake.path, line_of(mistake.path, lines)
        if not path or any(path[: len(option)] == option for option in options):
            place, line = f"--set {shown_path(path)}".rstrip(), None
        else:
            place = f"line {line}, {shown_path(path)}" if line else shown_path(path)
        placed.setdefault(f"{place}: {mistake.sentence}", line or 0)
    return sorted(placed, key=lambda sentence: placed[sentence])
