"""``deqbench run SUITE``: the main job, from a suite to its table and report."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from deqbench.cli.early import pool_opened
from deqbench.cli.options import complete_suites, plugin_options

if TYPE_CHECKING:
    from deqbench.discovery.registry import PluginSources, Registry
    from deqbench.keeping.runs import Isolation, RunOptions, RunResult
    from deqbench.running.progress import Listener
    from deqbench.suites.suite import Suite
    from deqbench.workers import Pool

WIDEST_TABLE = 100
"""Columns of the summary where there is no terminal to ask."""


@click.command()
@click.argument("suite", shell_complete=complete_suites)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder [reports/SUITE].")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Trials at once.")
@click.option(
    "--isolation",
    type=click.Choice(["trial", "worker"]),
    default="trial",
    show_default=True,
    help="A process for each trial, or one that is reused: for many short trials.",
)
@click.option("--device", type=click.Choice(["cpu", "cuda", "auto"]), help="Instead of the suite's.")
@click.option("--only", metavar="WHICH", help="Select trials: 'model=deq-linear,seed=0'.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change the suite: seeds=[0].")
@click.option("--fresh", is_flag=True, help="Use no stored result.")
@click.option("--retry-failed", is_flag=True, help="Run again whatever did not end ok.")
@click.option("--dry-run", is_flag=True, help="Print the trials and their number; run nothing.")
@click.option("--quiet", is_flag=True, help="Print the answer alone.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON lines, and nothing else.")
@click.option("--no-report", is_flag=True, help="Write records only, no tables, figures and page.")
@pool_opened
@plugin_options
def run(  # noqa: PLR0913  one argument an option
    registry: Registry,
    *,
    suite: str,
    out: Path | None,
    jobs: int,
    isolation: Isolation,
    device: str | None,
    only: str | None,
    overrides: tuple[str, ...],
    fresh: bool,
    retry_failed: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    no_report: bool,
    pool: Pool | None,
) -> int:
    """Run SUITE, a shipped name or the path of a TOML file, and end with its table and report.

    What is stored already under the same content key is used again; 'deqbench why TRIAL' explains it.

    --isolation worker lets a process take the next trial once its own has returned: generators, settings
    and plugins' modules are put back between them, and a trial that fails costs its process. What cannot be
    put back stands in docs/measuring.md.

    Exit codes: 0 every trial is ok, 1 some are not or a claim that the suite names is violated, 2 a mistake
    in usage or configuration, 130 interrupted (the same command resumes). Where solvers or gradients
    themselves are measured (experiments equilibrium and gradient), one that does not converge is a result
    and counts as ok.
    """
    from deqbench.keeping.runs import RunOptions  # noqa: PLC0415  as above
    from deqbench.running.progress import JsonLines, choose_listener  # noqa: PLC0415  --help needs none of it
    from deqbench.running.runner import run_suite  # noqa: PLC0415  as above
    from deqbench.suites.suite import read_suite  # noqa: PLC0415  as above

    read = read_suite(suite, registry, overrides)
    told = {"--out": out, "--jobs": jobs if jobs > 1 else None, "--device": device, "--only": only}
    told["--isolation"] = None if isolation == "trial" else isolation
    command = _command(suite, registry.sources, overrides, told)
    options = RunOptions(out, jobs, device, only, fresh, retry_failed, command, isolation)
    if dry_run:
        return _print_trials(read, registry, options, as_json=as_json)
    _import_answer(report=not no_report)
    listener: Listener = JsonLines(sys.stdout) if as_json else choose_listener(sys.stderr, quiet=quiet)
    with _terminated_like_interrupted():
        result = run_suite(read, registry, options, listener, pool)
    return _answer(result, listener, registry, report=not no_report)


def _print_trials(suite: Suite, registry: Registry, options: RunOptions, *, as_json: bool) -> int:
    from deqbench.running.runner import planned_trials  # noqa: PLC0415  torch, by way of the components
    from deqbench.running.sentences import power_told  # noqa: PLC0415  as above
    from deqbench.suites.optional import left_out  # noqa: PLC0415  as above

    trials = planned_trials(suite, registry, options)
    told = power_told(trials)
    if as_json:
        for trial in trials:
            click.echo(json.dumps({"event": "trial", "cell": trial.cell, "label": trial.label}))
        if told:
            click.echo(json.dumps({"event": "power", "sentence": told}))
        return 0
    for trial in trials:
        click.echo(trial.label)
    for sentence in left_out(suite, registry):
        click.echo(f"left out: {sentence}")
    if told:
        click.echo(told)
    click.echo(f"{len(trials)} trial{'s' if len(trials) != 1 else ''}; nothing was run (--dry-run)")
    return 0


def _import_answer(*, report: bool) -> None:
    """Import what the answer needs while the nursery imports torch; once trials run, nobody waits for it."""
    for name in ("deqbench.telling.report.terminal", *(["deqbench.telling.report"] if report else [])):
        with suppress(ImportError):  # trials are run all the same; who needs it then says what is wrong
            importlib.import_module(name)


def _answer(result: RunResult, listener: Listener, registry: Registry, *, report: bool) -> int:
    """End with the table over all entries and where the report lies; return the exit code.

    It is that of the run, or 1 where a claim that the suite names is violated.
    """
    from deqbench.cli.recorded import with_verdicts  # noqa: PLC0415  --help does without
    from deqbench.running.progress import JsonLines  # noqa: PLC0415  as above
    from deqbench.telling.loading import load  # noqa: PLC0415  pandas, once trials have ended
    from deqbench.telling.report.claims import violated  # noqa: PLC0415  as above
    from deqbench.telling.report.content import content_of  # noqa: PLC0415  as above
    from deqbench.telling.report.terminal import summary_lines  # noqa: PLC0415  as above

    frames = with_verdicts(load(result.folder), str(result.folder), lambda: registry)
    content = cache(partial(content_of, frames))  # the terminal says what the page does
    exit_code = result.exit_code or int(violated(frames.verdicts))
    page = None
    if report and not result.interrupted:
        from deqbench.telling.report import write_frames  # noqa: PLC0415  matplotlib, as above

        page = write_frames(frames, result.folder, content=content)
    if isinstance(listener, JsonLines):
        listener.emit("report", path=None if page is None else str(page), exit_code=exit_code)
        return exit_code
    width = shutil.get_terminal_size((WIDEST_TABLE, 24)).columns if sys.stdout.isatty() else WIDEST_TABLE
    for line in summary_lines(frames, width, content=content()):
        click.echo(line)
    if page is not None:
        click.echo(f"Report: {page}")
    return exit_code


def _command(
    suite: str, sources: PluginSources, overrides: Sequence[str], single: Mapping[str, object]
) -> list[str]:
    """Return the words that reproduce this run: what selects and shapes trials, not how it is shown."""
    many = {"--set": overrides, "--plugin": sources.paths, "--no-plugin": sources.without}
    words = ["deqbench", "run", suite]
    for option, value in single.items():
        words += [] if value is None else [option, str(value)]
    for option, values in many.items():
        words += [word for value in values for word in (option, value)]
    return words


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Take SIGTERM, a batch system's word, as Ctrl-C: stop in order, resumable."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
