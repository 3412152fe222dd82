"""Checks of suites: they are read without a mistake and hold at least one trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deqbench.suites.suite import expand, read_suite

if TYPE_CHECKING:
    from deqbench.checks import Subject


def can_be_run(subject: Subject) -> str | None:
    """It is read without a mistake, and its grid holds a trial."""
    trials = expand(read_suite(subject.ref.name, subject.registry), subject.registry, device="cpu")
    return None if trials else "its grid is empty"


CHECKS = (can_be_run,)
