"""Workers that were started before the suite was read: used where they fit."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from deqbench.keeping.runs import RunOptions
from deqbench.running.runner import _fitting
from deqbench.workers import Pool


@pytest.mark.parametrize(
    ("given", "fits"),
    [({}, True), ({"threads": 2}, False), ({"jobs": 2}, False), ({"reuse": True}, False)],
)
def test_workers_started_ahead_are_used_only_as_the_run_needs_them(given, fits):
    with Pool(preload=(), **given) as started:
        nursery = started._starter.process
        chosen = _fitting(started, SimpleNamespace(threads=1), RunOptions())
        assert (chosen is started) is fits
        assert (nursery.poll() is None) is fits
        assert (chosen.jobs, chosen.threads, chosen.reuse) == (1, 1, False)
