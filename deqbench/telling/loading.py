"""A run's folder read into frames: record by record, its curves as columns from the start.

A run may hold a hundred thousand trials with millions of observations. No object is made for an observation:
its numbers go straight into arrays, and what names its trial is kept once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deqbench.errors import StoreError
from deqbench.keeping.store import Store
from deqbench.records import Status
from deqbench.telling.collecting import uncollected
from deqbench.telling.naming import dataset_name, entry_names, flat, short_labels
from deqbench.telling.subjects import subject_of
from deqbench.telling.tables import CURVE_COLUMNS, PENDING, Frames
from deqbench.trials import PROTOCOL, Trial

_NAMING = ("key", "dataset", "entry", "label", "seed")
"""Columns of a curve that name its trial."""


def load(folder: Path | str) -> Frames:
    """Read a run's folder into frames.

    Raises:
        StoreError: No run lies there, or a file of it is damaged.
    """
    with uncollected():
        return _load(Store(folder))


def _load(store: Store) -> Frames:
    plan = store.plan()
    if not plan:
        raise StoreError("The plan of this run holds no trials: there is nothing to tell.")
    protocol = plan[0]["trial"].get("protocol", PROTOCOL)
    planned = {str(row["key"]): Trial.from_json(row["trial"]) for row in plan}
    del plan  # as large as the records of a large run
    observed, judged = Observed(), {}
    rows = []
    for key, trial in planned.items():
        record = store.read_plain(key)
        rows.append(_row(key, trial, record))
        if record is not None:
            observed.take(key, record.get("curves", ()))
            if record.get("judgement") is not None:
                judged[key] = record["judgement"]
    trials = _trials(rows, list(planned.values()))
    return Frames(
        trials,
        observed.frame(trials),
        store.suite(),
        environment=_or_empty(store, "environment"),
        run=_or_empty(store, "run"),
        judgements=judged,
        protocol=protocol,
        provenance=_provenance(planned.values()),
    )


def _provenance(trials: Iterable[Trial]) -> dict[str, tuple[str, ...]]:
    """Return the digests of what the trials rest on, by name; data under the name of its data set."""
    found: dict[str, dict[str, None]] = {}
    for trial in trials:
        for name, digest in trial.provenance.items():
            found.setdefault(f"data:{dataset_name(trial)}" if name == "data" else name, {})[digest] = None
    return {name: tuple(digests) for name, digests in found.items()}


@dataclass
class Observed:
    """Observations of many trials, a column each, in the order of the trials.

    Attributes:
        counts: Observations of each trial that has a record, by key.
        columns: ``step``, ``epoch``, ``seconds``, ``value`` and ``name``, a number for each name.
        names: Name of an observation to its number.
    """

    counts: dict[str, int] = field(default_factory=dict)
    columns: dict[str, array[Any]] = field(
        default_factory=lambda: {
            "step": array("q"),
            "epoch": array("d"),
            "seconds": array("d"),
            "name": array("q"),
            "value": array("d"),
        }
    )
    names: dict[str, int] = field(default_factory=dict)

    def take(self, key: str, points: Sequence[Sequence[Any]]) -> None:
        """Add a trial's observations: rows of step, epoch, seconds, name, and value, None if not finite."""
        self.counts[key] = len(points)
        if not points:
            return
        step, epoch, seconds, name, value = zip(*points, strict=True)
        self.columns["step"].extend(step)
        self.columns["epoch"].extend(epoch)
        self.columns["seconds"].extend(seconds)
        self.columns["name"].extend([self.names.setdefault(each, len(self.names)) for each in name])
        self.columns["value"].extend([np.nan if each is None else each for each in value])

    def frame(self, trials: pd.DataFrame) -> pd.DataFrame:
        """Return a row an observation: ``CURVE_COLUMNS``; texts are categories."""
        known = trials.set_index("key", drop=False).loc[list(self.counts), list(_NAMING)]
        trial = np.repeat(np.arange(len(known)), list(self.counts.values()))
        columns: dict[str, Any] = {"seed": known["seed"].to_numpy()[trial]}
        for name in ("key", "dataset", "entry", "label"):
            texts = known[name].astype("category").array
            columns[name] = texts.take(trial)
        for name, numbers in self.columns.items():
            columns[name] = np.asarray(numbers, dtype=numbers.typecode)
        names = pd.CategoricalDtype(list(self.names))
        columns["name"] = pd.Categorical.from_codes(columns["name"].astype(np.int64), dtype=names)
        return pd.DataFrame(columns)[list(CURVE_COLUMNS)]


def _trials(rows: Sequence[Mapping[str, Any]], planned: Sequence[Trial]) -> pd.DataFrame:
    entries = entry_names(planned)
    labels = short_labels(list(dict.fromkeys(entries)))
    named = [
        {**row, "entry": entry, "label": labels[entry]} for row, entry in zip(rows, entries, strict=True)
    ]
    trials = pd.DataFrame(named).assign(**_whole_numbers(named))
    return trials[_ordered(list(trials.columns))]


def _row(key: str, trial: Trial, record: Mapping[str, Any] | None) -> dict[str, Any]:
    row: dict[str, Any] = {"key": key, "seed": trial.seed}
    axes = subject_of(trial.experiment).axes
    row |= dict.fromkeys(axes) | {axis: ref.name for axis, ref in trial.components.items()}
    row["dataset"] = dataset_name(trial)
    row |= {"status": PENDING, "reason": "Not run yet; the same command runs it.", "detail": None}
    for axis, values in trial.parameters.items():
        row |= flat(values, f"{axis}.")
    row |= flat(trial.settings)
    row |= {"data_digest": digest} if (digest := trial.provenance.get("data")) else {}
    if record is not None:
        status = Status(record["status"]).value
        row |= {"status": status, "reason": record["reason"], "detail": record["detail"]}
        row |= {**record["metrics"], **record["costs"]}
        row |= {} if record.get("judgement") is None else {"verdict": record["judgement"]["verdict"]}
        row |= {"device_name": record["host"].get("device")}
        if record["host"].get("hessian_products_by"):
            row |= {"hessian_products_by": record["host"]["hessian_products_by"]}
    return row


def _whole_numbers(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of counts that some rows lack, as nullable integers: 5 must not become 5.0."""
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        present = [value for value in values if value is not None]
        if len(present) < len(values) and {type(value) for value in present} == {int}:
            columns[name] = pd.array(values, dtype="Int64")
    return columns


_ALL_AXES = ("dataset", "model", "map", "solver", "gradient", "trainer", "claim")


def _ordered(columns: list[str]) -> list[str]:
    axes = [axis for axis in _ALL_AXES if axis in columns]
    first = ["key", "entry", "label", *axes, "seed", "status", "reason"]
    last = [name for name in ("device_name", "detail") if name in columns]
    parameters = [name for axis in axes for name in columns if name.startswith(f"{axis}.")]
    placed = {*first, *parameters, *last}
    return [*first, *parameters, *(name for name in columns if name not in placed), *last]


def _or_empty(store: Store, name: str) -> Mapping[str, Any]:
    """Return a file of facts that only adds to the story; a run cut short may lack it."""
    try:
        facts: Mapping[str, Any] = getattr(store, name)()
    except StoreError:
        return {}
    return facts
