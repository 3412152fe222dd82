"""A head start for a run: its nursery imports torch while the command line still reads plugins and suite."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from deqbench.workers import Pool

T = TypeVar("T")


def pool_opened(command: Callable[..., T]) -> Callable[..., T]:
    """Open a command's pool of workers before the command is called, and close it at the latest afterwards.

    The command gets it as a keyword, ``pool``; None for ``--dry-run``, which runs nothing.
    """

    @functools.wraps(command)
    def opened(**options: Any) -> T:
        if options["dry_run"]:
            return command(pool=None, **options)
        pool = likely_pool(options["suite"], options["overrides"], options["jobs"], options["isolation"])
        with pool:
            return command(pool=pool, **options)

    return opened


def likely_pool(suite: str, overrides: Sequence[str], jobs: int, isolation: str) -> Pool:
    """Return the pool that a run most likely needs; one that needs another opens its own.

    Args:
        suite: A shipped name, or the path of a TOML file.
        overrides: ``key=value``, as in ``--set``.
        jobs: Trials at once.
        isolation: ``trial`` or ``worker``.
    """
    from deqbench.workers import CORE, Pool  # noqa: PLC0415  --help needs none of it

    threads = likely_threads(suite, overrides)
    return Pool(jobs=jobs, threads=threads, preload=CORE, reuse=isolation == "worker")


def likely_threads(suite: str, overrides: Sequence[str]) -> int:
    """Return a suite's ``threads`` as its file and the overrides say, without any check; 1 where they do not.

    Args:
        suite: A shipped name, or the path of a TOML file.
        overrides: ``key=value``, as in ``--set``.
    """
    set_ = {key.strip(): value.strip() for key, _, value in (one.partition("=") for one in overrides)}
    try:
        if "threads" in set_:
            return max(1, int(set_["threads"]))
        written = tomllib.loads(Path(suite).read_text(encoding="utf-8-sig")).get("threads")
    except (OSError, ValueError):  # a shipped name; or a mistake, which is told where the suite is read
        return 1
    return written if isinstance(written, int) and written > 0 else 1
