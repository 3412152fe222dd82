"""Every entry against the best of its data set: the forest plot, and the table behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deqbench.telling.forest_figures import forest
from deqbench.telling.pictures import Picture
from deqbench.telling.report.differences import VERDICTS, effect, failed, p_value, rope
from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.numbers import metric_title
from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.rivals import MOST_GROUNDS, Rivals, rivals

HEAD = ("entry", "mean difference or ratio", "pairs", "failed", "better in", "Holm p", "verdict")


@dataclass(frozen=True)
class Table:
    """One data set: its caption, and a row an entry."""

    caption: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Comparisons:
    """Every entry against the best of its data set.

    Attributes:
        note: The reference, the family and what counts as no difference.
        notice: What was left out; nothing if nothing was.
        picture: The forest plot.
        head: Titles of the tables.
        tables: One a data set.
    """

    note: str
    notice: str
    picture: Picture
    head: tuple[str, ...]
    tables: tuple[Table, ...]


def build(story: Story) -> Comparisons | None:
    """Return the comparisons; None where nowhere two entries can be compared."""
    found = rivals(story.frames)
    if not found:
        return None
    count = sum(len(one.compared) for one in found)
    tables = tuple(Table(f"{one.dataset}: each entry against {one.best}", _rows(one)) for one in found)
    notice = _notice(found, story.frames.trials["dataset"].nunique(), story.frames.subject.ground)
    return Comparisons(
        _note(found, count, story.frames.subject.ground),
        notice,
        forest(story.frames, found, metric_title),
        HEAD,
        tables,
    )


def _rows(one: Rivals) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            each.first,
            effect(each),
            str(each.pairs),
            failed(each).replace("first", "itself").replace("second", "best"),
            f"{each.tally.better} of {each.tally.pairs}",
            p_value(each.p_holm),
            VERDICTS[each.verdict],
        )
        for each in one.compared
    )


def _note(found: Sequence[Rivals], count: int, ground: str) -> str:
    ropes = dict.fromkeys(rope(one.compared[0].measure, one.compared[0].rope) for one in found)
    return (
        f"The reference is the entry with the best median on each {ground}, so that every row asks one "
        "thing: can this entry be told from the best? It is chosen from the same trials, so differences lean "
        f"to its side. Intervals are 95% each; Holm's correction runs over the {count} comparisons shown "
        f"here. Within {' or '.join(ropes)} counts as no difference. failed: pairs without a "
        "number, by whom; better in: of how many pairs the entry was the better one."
    )


def _notice(found: Sequence[Rivals], grounds: int, ground: str) -> str:
    said = []
    if grounds > MOST_GROUNDS:
        said.append(f"The first {len(found)} of {grounds} {ground}s are compared here.")
    untold = max(one.untold for one in found)
    if untold:
        said.append(
            f"On each, the {len(found[0].compared)} entries next to the best are compared; {untold} with "
            "worse medians are not."
        )
    return " ".join(said)


def pictures(it: Comparisons) -> Sequence[Picture]:
    """Return the forest plot."""
    return [it.picture]


def markdown(it: Comparisons) -> Iterator[str]:
    """Yield the same as Markdown."""
    yield from (it.note, "")
    if it.notice:
        yield from (it.notice, "")
    yield from (f"![{it.picture.title}](figures/{it.picture.name}.svg)", "", it.picture.caption, "")
    for one in it.tables:
        yield from (f"**{one.caption}**", "")
        yield from table(it.head, [(code(row[0]), *row[1:]) for row in one.rows])
        yield ""


SECTION = Section("comparisons", "Paired comparisons", build, markdown, pictures)
