"""Floating-point operations of one solve, or of one forward and backward pass, counted off the clock."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, Any

from deqbench.experiments.replaying import LEAST_SECONDS, SHARE_OF_LIMIT, SHARE_OF_TRAINING
from deqbench.measuring.compiling import eager
from deqbench.measuring.operations import CountingEnded, OperationCounter, Tally
from deqbench.suites.schema import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from deqbench.experiments.repeating import Repeats
    from deqbench.trials import Trial


def asked_for(trial: Trial) -> bool:
    """Whether operations are to be counted."""
    return float(trial.settings.get("counting", COUNTED)) > 0


def latest(trial: Trial, repeats: Repeats) -> float:
    """Return until when operations may be counted, on the monotonic clock.

    It is a second, or a quarter of what the trial has taken so far, and never close to its limit.
    """
    now = time.monotonic()
    limit = math.inf if trial.limits.seconds is None else SHARE_OF_LIMIT * trial.limits.seconds
    own = max(LEAST_SECONDS, SHARE_OF_TRAINING * (now - repeats.begun))
    return min(now + own, repeats.begun + limit)


def tally_of(work: Callable[[], Any], until: float) -> Tally | None:
    """Return what a piece of work took; None if that cannot be known.

    It cannot if time was too short, if work was done where nothing is seen, or if the work failed: what
    failed under the counter is no failure of a trial that is over.
    """
    counter = OperationCounter(until)
    with contextlib.suppress(CountingEnded, Exception), eager(), counter:
        work()
        return None if counter.tally.outside else counter.tally
    return None


def operations_costs(**stretches: Tally | None) -> dict[str, float | int | None]:
    """Return each stretch's operations under its name, and the coverage of all of them together.

    None stands for what is not known.
    """
    known = [one for one in stretches.values() if one is not None]
    costs: dict[str, float | int | None] = {
        name: None if one is None else one.operations for name, one in stretches.items()
    }
    whole = Tally()
    for one in known:
        whole.add(one)
    return {**costs, "operations_coverage": whole.coverage if known else None}
