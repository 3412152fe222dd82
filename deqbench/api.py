"""The Python interface: ``deqbench.run("quickstart").trials`` is a pandas frame."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deqbench.discovery.registry import Registry, sources_from
from deqbench.keeping.runs import RunOptions
from deqbench.running.progress import choose_listener
from deqbench.running.runner import run_suite
from deqbench.suites.suite import Suite, read_suite
from deqbench.telling.results import Results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any

    from deqbench.keeping.runs import Isolation


def run(  # noqa: PLR0913  the options of ``deqbench run``, each by name
    suite: str | PathLike[str] | Suite,
    *,
    out: str | PathLike[str] | None = None,
    jobs: int = 1,
    device: str | None = None,
    only: str | None = None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    fresh: bool = False,
    retry_failed: bool = False,
    plugins: Sequence[str | PathLike[str]] = (),
    without: Sequence[str] = (),
    report: bool = True,
    quiet: bool = False,
    isolation: Isolation = "trial",
) -> Results:
    """Run a suite and return its results; the arguments are the options of ``deqbench run``.

    Failed trials raise nothing: they are rows of ``Results.trials``, with their status and reason.

    Args:
        suite: A shipped name, a path, or a ``Suite`` made in Python.
        out: The run's folder; default ``reports/<suite>``. Records there are used again.
        jobs: Trials at once.
        device: cpu, cuda or auto, instead of the suite's.
        only: Selects trials: ``"model=deq-linear,seed=0"``.
        overrides: Changes to the suite: ``{"budget.epochs": 5}`` or ``["budget.epochs=5"]``.
        fresh: Use no stored record.
        retry_failed: Run again whatever did not end ok.
        plugins: Files and folders of plugins.
        without: Plugins to leave out.
        report: Whether to write tables, figures and the page.
        quiet: Whether to show no progress on standard error.
        isolation: ``trial``, a process for each, or ``worker``, one that is reused.

    Raises:
        DeqbenchError: A mistake in the suite or an argument; nothing has run.
        KeyboardInterrupt: The run was interrupted; the same call resumes it.
    """
    registry = Registry.load(sources_from([str(path) for path in plugins], list(without)))
    chosen = suite if isinstance(suite, Suite) else read_suite(str(suite), registry, _settings(overrides))
    options = RunOptions(
        None if out is None else Path(out), jobs, device, only, fresh, retry_failed, (), isolation
    )
    result = run_suite(chosen, registry, options, choose_listener(sys.stderr, quiet=quiet))
    if result.interrupted:
        raise KeyboardInterrupt
    if report:
        from deqbench.telling.report import write  # noqa: PLC0415  matplotlib, only where it is wanted

        write(result.folder)
    return Results.open(result.folder)


def _settings(overrides: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Return overrides as ``--set`` takes them."""
    if isinstance(overrides, Mapping):
        return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    return list(overrides)
