"""Suites that ship with deqbench: pure data."""

from __future__ import annotations

from pathlib import Path

from deqbench.plugin import Entry, hookimpl, suite_entries


@hookimpl
def deqbench_suites() -> list[Entry]:
    """Offer the TOML files beside this one."""
    return suite_entries(Path(__file__).parent)
