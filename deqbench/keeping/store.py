"""A run's folder: the plan, the machine, and one record a trial, safe against kill -9.

::

    reports/<suite>/
        run.json            command, start, jobs, counts, state (running, finished, interrupted)
        suite.json          the resolved suite
        environment.json    machine facts
        plan.json           one row a trial, in the order of the suite
        sources.json        which files each code digest covers, so that ``why`` can name one
        records/<key>.json  one record a trial, by content key; those of earlier plans stay as a
        cache logs/<key>.txt      last lines of a failed trial
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deqbench.errors import StoreError
from deqbench.keeping.lock import RunLock
from deqbench.records import SCHEMA_VERSION, Record, check_schema
from deqbench.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Store:
    """Reads and writes one run folder.

    Args:
        folder: The run's folder; it is made when something is first written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def exists(self) -> bool:
        """Return whether a run was ever planned here."""
        return (self.folder / "plan.json").is_file()

    def lock(self) -> RunLock:
        """Return the lock that a writing run holds, as a context manager."""
        return RunLock(self.folder)

    def read(self, key: str) -> Record | None:
        """Return the record under a key, or None.

        Raises:
            StoreError: The file is damaged or has another schema.
        """
        value = self._load(self._record_path(key))
        return None if value is None else Record.from_json(value)

    def read_plain(self, key: str) -> dict[str, Any] | None:
        """Return the record under a key as its JSON (:meth:`Record.to_json`), or None.

        For readers of a hundred thousand records and millions of observations, who need no object for each.

        Raises:
            StoreError: The file is damaged or has another schema.
        """
        value = self._load(self._record_path(key))
        if value is not None:
            check_schema(value)
        return value

    def write(self, record: Record) -> None:
        """Store a record under its trial's key; on return it survives a power cut."""
        text = json.dumps(finite(record.to_json()), separators=(",", ":"), allow_nan=False)
        write_durably(self._record_path(record.trial.key), text + "\n")
        if record.detail:
            write_durably(self.folder / "logs" / f"{record.trial.key}.txt", record.detail.rstrip() + "\n")

    def remove(self, key: str) -> None:
        """Forget the record under a key, if there is one."""
        self._record_path(key).unlink(missing_ok=True)
        (self.folder / "logs" / f"{key}.txt").unlink(missing_ok=True)

    def keys(self) -> list[str]:
        """Return the keys of all stored records, sorted; those of earlier plans too."""
        return sorted(path.stem for path in (self.folder / "records").glob("*.json"))

    def records(self) -> Iterator[Record]:
        """Yield the records of the current plan's trials, in its order; those without are left out.

        Each carries the plan's own trial: a reused record may have been written under a suite that
        spelt the same component differently, or allowed it more wall time.
        """
        for row in self.plan():
            record = self.read(row["key"])
            if record is not None:
                yield replace(record, trial=Trial.from_json(row["trial"]))

    def write_plan(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store the plan, one row a trial.

        Args:
            rows: Each with ``key``, ``cell``, ``label``, ``decision`` (new, reused, stale,
                retried), ``reasons``, ``previous`` (the key it replaces, or None) and ``trial``.
        """
        self._dump("plan.json", {"schema": SCHEMA_VERSION, "trials": list(rows)})

    def plan(self) -> list[dict[str, Any]]:
        """Return the plan's rows, in the order of the suite.

        Raises:
            StoreError: Nothing was planned here, or a newer deqbench wrote it.
        """
        plan = self._need("plan.json")
        if plan.get("schema") != SCHEMA_VERSION:
            raise StoreError(
                f"{self.folder / 'plan.json'} has schema {plan.get('schema')!r}; this deqbench "
                f"reads {SCHEMA_VERSION}. Run it again, or read it with the deqbench that wrote it."
            )
        rows: list[dict[str, Any]] = plan["trials"]
        return rows

    def write_suite(self, suite: Mapping[str, Any]) -> None:
        """Store the resolved suite."""
        self._dump("suite.json", suite)

    def suite(self) -> dict[str, Any]:
        """Return the resolved suite."""
        return self._need("suite.json")

    def write_environment(self, facts: Mapping[str, Any]) -> None:
        """Store the machine facts of the run."""
        self._dump("environment.json", facts)

    def environment(self) -> dict[str, Any]:
        """Return the machine facts of the run."""
        return self._need("environment.json")

    def write_run(self, facts: Mapping[str, Any]) -> None:
        """Store the facts of the run itself: ``command``, ``started``, ``state``, ``counts``..."""
        self._dump("run.json", facts)

    def run(self) -> dict[str, Any]:
        """Return the facts of the run itself."""
        return self._need("run.json")

    def add_sources(self, files: Mapping[str, Mapping[str, str]]) -> None:
        """Store which modules each code digest covers, beside what is known of earlier code."""
        self._dump("sources.json", {**self.sources(), **files})

    def sources(self) -> dict[str, dict[str, str]]:
        """Return, for each code digest ever run here, its modules with their own digests."""
        return self._load(self.folder / "sources.json") or {}

    def _record_path(self, key: str) -> Path:
        return self.folder.joinpath("records", f"{key}.json")

    def _dump(self, name: str, value: Mapping[str, Any]) -> None:
        write_durably(self.folder / name, json.dumps(finite(value), indent=1, allow_nan=False) + "\n")

    def _need(self, name: str) -> dict[str, Any]:
        value = self._load(self.folder / name)
        if value is None:
            raise StoreError(f"{self.folder} holds no {name}: no run lies there. Name a run's folder.")
        return value

    def _load(self, path: Path) -> dict[str, Any] | None:
        try:
            with path.open("rb", buffering=0) as file:  # one read, for a run may hold a hundred thousand
                value = json.loads(file.read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read: {error}. Delete it and run the suite again.") from error
        if not isinstance(value, dict):
            raise StoreError(f"{path} holds no JSON object. Delete it and run the suite again.")
        return value


def finite(value: Any) -> Any:
    """Return a JSON value with None for infinite and NaN numbers, as the schema promises."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def write_durably(path: Path, text: str) -> None:
    """Write a text file all at once: a temporary file beside it, fsynced, then renamed.

    Raises:
        StoreError: The folder cannot be made or written, or the disk is full.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would hide a report from colleagues
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StoreError(
            f"{path} cannot be written: {error}. Free the disk or name another --out."
        ) from error


def _sync_folder(folder: Path) -> None:
    # A rename is durable only once its folder is; Windows cannot open folders, nor needs it.
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
