"""Negative controls: entries whose fate is known beforehand, and the claims that the harness finds it.

They compete with nobody. The suite ``controls`` runs them, and ``deqbench claims reports/controls`` says for
each what is expected and what was found.
"""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.controls"


@hookimpl
def deqbench_maps() -> list[Entry]:
    """Offer the map that can be made to work a little more."""
    return [
        Entry("control-heavier", f"{_ROOM}.heavier:Heavier", "Negative control: a map that works 2% more"),
    ]


@hookimpl
def deqbench_solvers() -> list[Entry]:
    """Offer a twin, and those that sleep, do nothing and crash."""
    return [
        Entry("control-twin", f"{_ROOM}.solvers:Twin", "Negative control: picard under a second name"),
        Entry("control-sleep", f"{_ROOM}.solvers:Sleeps", "Negative control: picard that sleeps each step"),
        Entry("control-idle", f"{_ROOM}.solvers:Idle", "Negative control: does nothing and says it is done"),
        Entry("control-crash", f"{_ROOM}.solvers:Crashes", "Negative control: crashes where it is hard"),
    ]


@hookimpl
def deqbench_claims() -> list[Entry]:
    """Offer what is expected of each."""
    return [
        Entry("control-same", f"{_ROOM}.same:SameTwice", "Negative control: the same twice is no difference"),
        Entry("control-two-per-cent", f"{_ROOM}.slower:TwoPerCent", "Negative control: 2% more is found"),
        Entry("control-sleep-shows", f"{_ROOM}.slower:SleepShows", "Negative control: a sleep is seen"),
        Entry("control-idle-loses", f"{_ROOM}.losing:IdleLoses", "Negative control: doing nothing loses"),
        Entry("control-crash-loses", f"{_ROOM}.losing:CrashLoses", "Negative control: crashing cannot win"),
    ]
