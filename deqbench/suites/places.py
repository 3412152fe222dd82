"""Where a key of a TOML file stands: tomllib reports no lines, so the text is read again, by statements."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top: ``("grid", 1, "solver")``."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a suite.

    Attributes:
        path: The key it stands at.
        sentence: What was given, what is allowed, what to do.
    """

    path: KeyPath
    sentence: str


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, on which each key of a valid TOML text begins.

    A statement is the shortest run of lines that is valid TOML by itself, so a ``key =`` inside a multi-line
    text or list is never taken for a key. Keys of an inline table share their statement's line.
    """
    lines: dict[KeyPath, int] = {}
    prefix: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, statement, parsed in _statements(text):
        if statement.lstrip().startswith("["):
            prefix = _header(parsed, counts, is_list=statement.lstrip().startswith("[["))
            lines.setdefault(prefix, number)
        else:
            for path in _paths(parsed):
                lines.setdefault((*prefix, *path), number)
    return lines


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Return the line of a path, or of the nearest key around it; None if nothing around it was written."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def shown_path(path: KeyPath) -> str:
    """Return a path as a person writes it: ``grid[1].solver``; positions count from 0."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    start, chunk = 1, ""
    for number, line in enumerate(io.StringIO(text), start=1):
        if not chunk:
            start = number
        chunk += line
        try:
            parsed = tomllib.loads(chunk)
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on
        if parsed:
            yield start, chunk, parsed
        chunk = ""


def _header(parsed: dict[str, Any], counts: dict[KeyPath, int], *, is_list: bool) -> KeyPath:
    path: KeyPath = ()
    inner: Any = parsed
    while inner:
        key = next(iter(inner))
        inner = inner[key]
        path = (*path, key)
        last = not inner or inner == [{}]
        if last and is_list:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
        if last:
            break
    return path


def _paths(value: Any) -> Iterator[KeyPath]:
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (key,)
        for path in _paths(inner):
            yield (key, *path)
