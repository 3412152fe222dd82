"""What the numbers rest on: test, pairs, correction, effect sizes, stability, and what intervals promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from deqbench.statistics.comparison import Comparison
from deqbench.statistics.power import power_sentence
from deqbench.statistics.stability import profile_band, stability
from deqbench.telling.costs import costs
from deqbench.telling.overview import BUDGETS, NEAR
from deqbench.telling.pooled import MOST_ENTRIES, Pooled, pooled
from deqbench.telling.report.differences import VERDICTS, effect, failed, p_value, rope
from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.numbers import NOTHING, metric_title, percent
from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.tables import PENDING, Frames

HEAD = (
    *("entry", "against", "mean difference or ratio", "pairs", "failed", "P(better)", "Cliff's delta"),
    *("p", "Holm p", "verdict"),
)
BAND_HEAD = ("entry", *(f"solved in {budget}" for budget in BUDGETS))


@dataclass(frozen=True)
class Table:
    """Comparisons by one metric: a caption, a row a comparison, and how the order hangs on who takes part."""

    caption: str
    rows: tuple[tuple[str, ...], ...]
    stability: str


@dataclass(frozen=True)
class Statistics:
    """The appendix on statistics.

    Attributes:
        facts: What was done: names and values.
        head: Titles of the tables of comparisons.
        tables: One a primary metric.
        band_head: Titles of the table of shares solved.
        bands: For solves: shares of problems solved, with a band over maps.
        stability: For solves: how shares are counted, and whether the order hangs on who takes part.
        promises: What intervals and tests promise, and what they do not.
    """

    facts: tuple[tuple[str, str], ...]
    head: tuple[str, ...]
    tables: tuple[Table, ...]
    band_head: tuple[str, ...]
    bands: tuple[tuple[str, ...], ...]
    stability: str
    promises: tuple[str, ...]


def build(story: Story) -> Statistics | None:
    """Return the appendix; None where there are no two entries to compare."""
    frames = story.frames
    found = pooled(frames)
    if not found:
        return None
    solves = str(frames.suite.get("experiment")) == "equilibrium"
    table = costs(frames, "map_equivalents") if solves else None
    bands: tuple[tuple[str, ...], ...] = ()
    told = ""
    if table is not None and not table.empty:
        bands, told = _bands(table), f"{_SHARES} {stability(table, NEAR)}"
    tables = tuple(_table(one, frames.subject.ground) for one in found)
    return Statistics(_facts(frames, found), HEAD, tables, BAND_HEAD, bands, told, _PROMISES)


def _facts(frames: Frames, found: Sequence[Pooled]) -> tuple[tuple[str, str], ...]:
    trials = frames.trials[frames.trials["status"] != PENDING]
    seeds = int(trials.groupby(["dataset", "label"], observed=True)["seed"].nunique().min())
    entries, datasets = trials["label"].nunique(), trials["dataset"].nunique()
    every = [each for one in found for each in one.compared]
    ropes = dict.fromkeys(rope(each.measure, each.rope) for each in every)
    methods = dict.fromkeys(each.mean.method for each in every if each.mean.known)
    tests = dict.fromkeys(each.test.method for each in every if each.test.nonzero)
    return (
        ("pair", f"same {frames.subject.ground}, same seed"),
        ("seeds of each entry, at least", str(seeds)),
        ("test", "; ".join(tests) or "none: no pair differs"),
        ("correction", f"Holm over {len(every)} comparisons"),
        ("interval of the mean", f"95%, {'; '.join(methods)}" if methods else "none"),
        ("no difference", f"within {' or '.join(ropes)}"),
        ("what tests can reach", _reach(frames, seeds, max(2, entries), datasets)),
    )


def _reach(frames: Frames, seeds: int, entries: int, datasets: int) -> str:
    said = power_sentence(seeds, entries=entries, datasets=datasets)
    return said.replace("data set", frames.subject.ground)


def _table(one: Pooled, ground: str) -> Table:
    title, places = metric_title(one.metric), len(one.datasets)
    over = f"over {places} {ground}s, each weighing the same" if places > 1 else f"on {one.datasets[0]}"
    which = "all pairs" if one.all_pairs else f"each entry against {one.order[0]}, the best by mean rank"
    left = f", without the {one.untold} that rank last" if one.untold else ""
    caption = f"{title} {over}: {which}{left}"
    said = ""
    if places > 1 and len(one.order) > 2:
        said = "The order by mean rank stands whichever entry is left out."
        if one.deciders:
            named = ", ".join(one.deciders[:4]) + (" and others" if len(one.deciders) > 4 else "")
            said = f"The order by mean rank depends on the field: without {named}, others change places."
    return Table(caption, tuple(_row(each) for each in one.compared), said)


def _row(each: Comparison) -> tuple[str, ...]:
    better = each.tally.probability_of_improvement
    spoiled = failed(each).replace("first", "entry").replace("second", "other")
    sizes = (f"{better:.2f}", f"{each.cliffs_delta:+.2f}") if each.pairs else (NOTHING, NOTHING)
    numbers = (*sizes, p_value(each.test.p), p_value(each.p_holm))
    return (
        each.first,
        each.second,
        effect(each),
        str(each.pairs),
        spoiled,
        *numbers,
        VERDICTS[each.verdict],
    )


_SHARES = (
    "Shares are of all problems of the run; one that an entry was not tried on is not solved. The band is "
    "over draws of the maps, and too narrow where they are few."
)


def _bands(table: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    band = profile_band(table, BUDGETS, group="dataset")
    return tuple((str(label), *_shares(rows)) for label, rows in band.groupby("label", sort=False))


def _shares(rows: pd.DataFrame) -> Iterator[str]:
    columns = (rows[name].astype("float64") for name in ("share", "low", "high"))
    for share, low, high in zip(*columns, strict=True):
        yield f"{percent(share)}% [{percent(low)}, {percent(high)}]"


_PROMISES = (
    (
        "The mean difference and its interval are taken over the pairs that both entries finished. The "
        "median, the test, P(better) and Cliff's delta take every pair, a failure as worse than every "
        "number; whoever failed more often is never called better or equivalent."
    ),
    (
        "P(better) is the share of pairs that the entry wins, ties counted half. Cliff's delta compares "
        "every value of one with every value of the other, without the pairing: seeds that are hard for "
        "both pull it towards 0."
    ),
    (
        "The sign-flip test assumes independent pairs whose differences are symmetric about 0 if there is "
        "no effect, and nothing else. A large p is no evidence of equality: that is what 'equivalent' "
        "says, where the whole interval lies within the region of no difference."
    ),
    (
        "Each interval aims at 95% by itself; of twenty, one misses on average. On data far from normal, t "
        "intervals of three to ten seeds cover less than 95%. They speak of other seeds on these data, not "
        "of other data."
    ),
    "A ratio's mean is geometric: the mean of logarithms, which weighs half and double alike.",
    (
        f"All pairs are compared among up to {MOST_ENTRIES} entries; among more, each with the best by mean "
        "rank alone, so that the family, and with it the correction, stays small."
    ),
)


def markdown(it: Statistics) -> Iterator[str]:
    """Yield the same as Markdown."""
    yield from table(("fact", "value"), it.facts)
    yield ""
    for one in it.tables:
        yield from (f"**{one.caption}**", "")
        yield from table(it.head, [(code(row[0]), code(row[1]), *row[2:]) for row in one.rows])
        yield from ("", one.stability, "")
    if it.bands:
        yield from (it.stability, "")
        yield from table(it.band_head, [(code(row[0]), *row[1:]) for row in it.bands])
        yield ""
    yield from (f"- {said}" for said in it.promises)


SECTION = Section("statistics", "Statistics", build, markdown)
