"""Why a trial was run or reused, from what its run has stored, beside the code of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deqbench.errors import DeqbenchError, UnknownNameError
from deqbench.running.differences import differences, flatten
from deqbench.running.provenance import Code
from deqbench.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from deqbench.discovery.registry import Registry
    from deqbench.keeping.store import Store

MOST_SHOWN = 8


def find_trial(rows: Sequence[Mapping[str, Any]], words: str, folder: Path) -> Mapping[str, Any]:
    """Return the one row of a plan whose key begins with, or whose label holds, what was given.

    Raises:
        UnknownNameError: None does, or several do; the message lists them.
    """
    by_key = [row for row in rows if row["key"].startswith(words)]
    replaced = [row for row in rows if (row["previous"] or "").startswith(words)]
    by_label = [row for row in rows if all(word in row["label"] for word in words.split())]
    found = by_key or replaced or by_label
    if len(found) == 1:
        return found[0]
    shown = [f"  {row['key']}  {row['label']}" for row in (found or rows)[:MOST_SHOWN]]
    if len(found or rows) > MOST_SHOWN:
        shown.append("  ...")
    what = f"{len(found)} trials of {folder} answer" if found else f"No trial of {folder} answers"
    raise UnknownNameError("\n".join([f"{what} to '{words}'. Give the beginning of one key:", *shown]))


def explain(store: Store, words: str, registry: Registry) -> dict[str, Any]:
    """Return what was decided about a trial, why, and what would be decided now, as JSON values.

    Args:
        store: The run.
        words: The beginning of a key, or words of a label.
        registry: The components of today.

    Raises:
        StoreError: The run cannot be read.
        UnknownNameError: No single trial answers to the words.
    """
    row = find_trial(store.plan(), words, store.folder)
    trial = Trial.from_json(row["trial"])
    record = store.read(trial.key)
    return {
        "key": trial.key,
        "label": row["label"],
        "folder": str(store.folder),
        "status": None if record is None else record.status.value,
        "decision": row["decision"],
        "previous": row["previous"],
        "reasons": row["reasons"],
        "now": changed_since(trial, store, registry),
        "identity": dict(flatten(trial.identity)),
    }


def changed_since(trial: Trial, store: Store, registry: Registry) -> list[str]:
    """Return what has changed in the code behind a trial since it was planned; data is not loaded again."""
    code = Code(registry)
    present = dict(trial.provenance)
    gone = []
    for name in trial.provenance:
        kind, _, component = name.partition(":")
        try:
            if name == "experiment":
                present[name] = code.experiment(trial.experiment)
            elif component:
                present[name] = code.component(f"{kind}s", component)
        except DeqbenchError as error:
            gone.append(f"{kind} {component}: {error}")
    now = trial.with_provenance(present)
    return gone + differences(trial.identity, now.identity, store.sources(), code.files)
