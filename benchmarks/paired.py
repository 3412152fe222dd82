"""Paired CPU times, and bars that must hold: what the benchmarks share.

Competitors run in turn in one process on one thread, so that drift of a shared machine hits all alike, and
each after every other one, for what ran before leaves its traces in the caches.
CPU time is read, ratios are taken round by round, and their median and quartiles are shown.

::

    seconds = race({"ours": timed(solve), "floor": timed(bare_calls)}, rounds=7)
    spread = ratio(seconds["ours"], seconds["floor"])
    sys.exit(verdict([at_most("overhead", spread.middle, 1.5)]))
"""

from __future__ import annotations

import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

Racer = Callable[[], float]
"""Runs once and returns the CPU seconds it took."""


@dataclass(frozen=True)
class Bar:
    """One number that must hold; ``theirs`` is torchdeq's, as found beside it or as noted."""

    what: str
    found: str
    allowed: str
    holds: bool
    theirs: str = ""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of ratios taken round by round."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.3g} [{self.low:.3g}, {self.high:.3g}]"


def settle() -> str:
    """Bind torch to one thread and keep freed memory; return a line that names machine and versions."""
    torch.set_num_threads(1)
    kept = ", freed memory kept" if keep_freed_memory() else ""
    return (
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}, 1 thread{kept}"
    )


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed, up to 1 GiB; return whether it does: other C libraries are left alone.

    By default it gives large pieces back to the system whenever they happen to lie at the end of the heap.
    Who asks for the next one then pays for its pages: with states of 2 MB up to 2,500 faults a solve in one
    process and none in the next, of the same code.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all([mallopt(_TRIM_THRESHOLD, 2**30), mallopt(_MMAP_THRESHOLD, 2**30)])


TURN_SECONDS = 20e-3
"""Least length of a turn. The first run of one finds the caches as another competitor left them."""


def timed(work: Callable[[], object], *, least_seconds: float = TURN_SECONDS) -> Racer:
    """Return a racer that runs ``work`` for a turn at least, and gives the CPU seconds of one run.

    It is tried here first, so what it does once (caches, compilation) is never timed.
    """
    work()
    once = max(min(_seconds(work, 1) for _ in range(2)), 1e-7)
    times = max(1, round(least_seconds / once))
    return lambda: _seconds(work, times) / times


def _seconds(work: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - started


def race(racers: Mapping[str, Racer], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds by competitor; the first round is not kept.

    What ran before leaves caches behind, so each competitor follows every other one equally often.
    """
    names, orders = list(racers), balanced_orders(len(racers))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for place in orders[turn % len(orders)]:
            took = racers[names[place]]()
            if turn:
                seconds[names[place]].append(took)
    return seconds


def balanced_orders(count: int) -> list[list[int]]:
    """Return orders of ``count`` places in which each follows every other one equally often.

    They are the rows of a Williams square, and for an odd count their reverses.
    """
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(count)]
    orders = [[(place + turn) % count for place in zigzag] for turn in range(count)]
    return orders if count % 2 == 0 else orders + [order[::-1] for order in orders]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return median and quartiles of ours / theirs, round by round."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    if len(ratios) < 2:
        return Spread(ratios[0], ratios[0], ratios[0])
    return Spread(*statistics.quantiles(ratios, n=4, method="inclusive"))


def median_within(values: Sequence[float]) -> tuple[float, float]:
    """Return the interval that holds the median of what was drawn from, at 95%: two order statistics.

    They are those below and above the middle by 1.96 standard deviations of a fair coin's heads.
    """
    ordered, n = sorted(values), len(values)
    reach = 0.98 * n**0.5
    return ordered[max(0, int(n / 2 - reach))], ordered[min(n - 1, int(n / 2 + reach))]


def at_most(what: str, found: float, allowed: float, *, theirs: str = "") -> Bar:
    """Return the bar that a number is at most what is allowed; nan never is."""
    return Bar(what, f"{found:.3g}", f"<= {allowed:g}", found <= allowed, theirs)


def verdict(bars: Iterable[Bar]) -> int:
    """Print the bars as a table and return the exit status: 1 if one is missed."""
    bars = list(bars)
    width = max(len(bar.what) for bar in bars) + 2
    wide = max(len(bar.found) for bar in bars) + 2
    beside = "torchdeq" if any(bar.theirs for bar in bars) else ""
    print(f"\n{'bar':{width}}{'found':>{wide}}{'allowed':>12}  {'holds':6}{beside}")
    for bar in bars:
        holds = "yes" if bar.holds else "NO"
        print(f"{bar.what:{width}}{bar.found:>{wide}}{bar.allowed:>12}  {holds:6}{bar.theirs}")
    missed = sum(not bar.holds for bar in bars)
    print(f"{len(bars) - missed} of {len(bars)} bars hold")
    return 1 if missed else 0
