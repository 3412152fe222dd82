"""What sets two trials apart, in words: the answer of ``deqbench why``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_ABSENT = object()


def flatten(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``("settings.budget.epochs", 3)`` for every leaf of nested tables; a list is a leaf."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from flatten(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the leaves of two identities that differ: path to (old, new); a missing one is None."""
    before, after = dict(flatten(old)), dict(flatten(new))
    return {
        path: (before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path, _ABSENT) != after.get(path, _ABSENT)
    }


def differences(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    old_sources: Mapping[str, Mapping[str, str]] | None = None,
    new_sources: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Return one sentence for each part in which two trial identities differ.

    Args:
        old: ``Trial.identity`` of the stored trial.
        new: ``Trial.identity`` of the planned one.
        old_sources: Provenance digest to the files it covers, each with its own digest.
        new_sources: The same for the planned trial, so that a changed file can be named.
    """
    sentences = []
    for path, (before, after) in differing(old, new).items():
        part, _, name = path.partition(".")
        if part == "provenance":
            files = changed_files((old_sources or {}).get(before), (new_sources or {}).get(after))
            sentences.append(_provenance_sentence(name, before, after, files))
        else:
            sentences.append(f"{path.removeprefix('parameters.')}: {_shown(before)} -> {_shown(after)}")
    return sentences


def changed_files(old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> list[str]:
    """Return the files whose digests differ, each with what happened to it; empty if unknown."""
    if not old or not new:
        return []
    said = []
    for file in sorted({*old, *new}):
        if old.get(file) != new.get(file):
            word = "edited" if file in old and file in new else "added" if file in new else "gone"
            said.append(f"{file} {word}")
    return said


def _provenance_sentence(name: str, before: Any, after: Any, files: list[str]) -> str:
    if name == "data":
        return f"data: the contents of the data set changed ({_shown(before)} -> {_shown(after)})"
    subject = "deqbench's own measuring code" if name == "experiment" else name.replace(":", " ", 1)
    if before is None or after is None:
        return f"{subject}: {'now' if before is None else 'no longer'} part of the trial"
    what = ", ".join(files) or "its source, a module it imports, or its version"
    return f"{subject} changed: {what} (digest {before} -> {after})"


def _shown(value: Any) -> str:
    return "absent" if value is None else json.dumps(value)
