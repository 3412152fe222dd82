"""The machine and the versions, what the results rest on, and whether seconds were measured in peace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.tables import Frames

MOST_DIGESTS = 3
"""Digests told of one name; more are counted."""
_SHOWN = 16
"""Hexadecimal digits of a digest."""


@dataclass(frozen=True)
class Environment:
    """Where it ran and what it rests on.

    Attributes:
        warnings: What of it makes results, or their seconds, less certain.
        calm: Why seconds may be trusted; nothing where a warning speaks of them, or nothing is known.
        differences: In what merged runs differ.
        facts: Facts and their values.
        digests: Component or data set, and the digests of its code or bytes.
    """

    warnings: tuple[str, ...]
    calm: str
    differences: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    digests: tuple[tuple[str, str], ...]


def build(story: Story) -> Environment:
    """Return where it ran."""
    frames = story.frames
    busy = tuple(_busy(frames))
    return Environment(
        (*_uncommitted(frames), *busy),
        "" if busy else _calm(frames),
        tuple(map(str, frames.environment.get("differences") or ())),
        tuple((name, value) for name, value in story.content.environment if name != "differences"),
        tuple(_digests(frames)),
    )


def _uncommitted(frames: Frames) -> Iterator[str]:
    checkout = frames.environment.get("checkout")
    if isinstance(checkout, dict) and checkout.get("dirty"):
        commit = str(checkout.get("commit") or "an unknown commit")[:12]
        yield (
            f"The source of deqbench differed from commit {commit}: the digests below tell what code ran, "
            "and no commit gives it back."
        )
    several = [name for name, digests in frames.provenance.items() if _code(name) and len(digests) > 1]
    if several:
        yield f"Trials rest on several versions of {', '.join(several)}."


def _code(name: str) -> bool:
    return not name.startswith("data:")  # a data set has a digest a seed: its splits differ


def _busy(frames: Frames) -> Iterator[str]:
    """Yield why seconds were measured beside other work."""
    jobs = int(frames.run.get("jobs") or 1)
    if jobs > 1:
        yield (
            f"{jobs} trials ran at a time: seconds were measured beside other trials, which share caches, "
            "memory and clock. Counts do not suffer. For seconds to report, run with --jobs 1."
        )
    load, usable, threads = _load(frames)
    if load is not None and load + jobs * threads > usable:
        yield (
            f"The machine was busy when the run began (load {load:.2f}, {usable} usable threads, "
            f"{jobs * threads} wanted): seconds were measured beside other work."
        )


def _calm(frames: Frames) -> str:
    load, usable, _ = _load(frames)
    if load is None or not frames.run.get("jobs"):
        return ""
    return (
        f"One trial ran at a time, and the machine had threads to spare when the run began (load {load:.2f}, "
        f"{usable} usable threads)."
    )


def _load(frames: Frames) -> tuple[float | None, int, int]:
    cpu = frames.environment.get("cpu") or {}
    load, usable = cpu.get("load"), cpu.get("usable")
    threads = int(frames.run.get("threads") or frames.suite.get("threads") or 1)
    return (None if load is None or not usable else float(load)), int(usable or 1), threads


def _digests(frames: Frames) -> Iterator[tuple[str, str]]:
    for name in sorted(frames.provenance, key=lambda one: (_code(one), one)):
        found = [digest[:_SHOWN] for digest in frames.provenance[name]]
        more = len(found) - MOST_DIGESTS
        yield (
            name.replace(":", " "),
            ", ".join(found[:MOST_DIGESTS]) + (f" and {more} more" if more > 0 else ""),
        )


def markdown(it: Environment) -> Iterator[str]:
    """Yield the same as Markdown."""
    for said in it.warnings:
        yield f"- **{said}**"
    for said in it.differences:
        yield f"- differs: {said}"
    if it.calm:
        yield it.calm
    yield ""
    yield from table(("fact", "value"), it.facts)
    if it.digests:
        yield from ("", "What the results rest on, SHA-256 of code and of data:", "")
        yield from table(("component", "digest"), [(name, code(value)) for name, value in it.digests])


SECTION = Section("environment", "Environment", build, markdown)
