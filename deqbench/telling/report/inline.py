"""Matplotlib's SVG made fit to stand in a page: the page's colours, names of its own, and few bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree as ET

from markupsafe import escape

from deqbench.telling.looks import GRID, INK, PALETTE, PAPER, SIGNATURES, owners
from deqbench.telling.pictures import Picture
from deqbench.telling.report.paths import shortened

_COLOURS = {INK: "currentColor", PAPER: "var(--paper)", GRID: "var(--grid)"} | {
    colour: f"var(--c{number})" for number, colour in enumerate(PALETTE)
}
_DEFINITIONS, _GROUP = (f"{{http://www.w3.org/2000/svg}}{name}" for name in ("defs", "g"))
_DROPPED = frozenset({"metadata", "style"})
_UNTURNED = "rotate(-0 "
"""How matplotlib turns text that is level."""
_WIDE = 430
"""Points from which on a drawing is scrolled in a narrow window, not shrunk beyond reading."""


def inline_svg(picture: Picture, folder: Path, prefix: str) -> str:
    """Return the saved SVG of a picture as markup for a page.

    Colours become the page's custom properties, so that one drawing serves light, dark and print; identifiers
    get a prefix, for a page holds several drawings; title and caption become what a screen reader says. What
    a look signed says whose it is: ``data-e="3"`` for entry 3.

    Args:
        picture: A picture that was saved.
        folder: Where it was saved.
        prefix: Of its identifiers, its own in the page.
    """
    # Our own file, written a moment ago: no entity of a stranger is expanded.
    root = ET.parse(folder / f"{picture.name}.svg").getroot()  # noqa: S314 - see the line above
    _tell_owners(root)
    referenced = {
        found for node in root.iter() for value in node.attrib.values() for found in _references(value)
    }
    names = {name: f"{prefix}{number}" for number, name in enumerate(sorted(referenced))}
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    head = (
        f'<svg role="img" aria-labelledby="{prefix}title {prefix}desc" '
        f'class="{"drawn wide" if width > _WIDE else "drawn"}" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:.0f}pt">'
    )
    said = (
        f'<title id="{prefix}title">{escape(picture.title)}</title>'
        f'<desc id="{prefix}desc">{escape(picture.caption)}</desc>'
    )
    return f"{head}{said}{''.join(_children(root, names))}</svg>"


def as_classes(drawings: Sequence[str]) -> tuple[list[str], str]:
    """Return drawings whose style attributes became classes, and the rules of these classes.

    A page that allows no style but its own, by its hash, allows no style attribute; and what a thousand
    marks share is said once.
    """
    worn = Counter(style for drawing in drawings for style in _STYLED.findall(drawing))
    names = {style: f"s{number}" for number, (style, _) in enumerate(worn.most_common())}
    changed = [
        _STYLED.sub(lambda found: f' class="{names[found.group(1)]}"', drawing) for drawing in drawings
    ]
    return changed, "\n".join(f".{name} {{ {style} }}" for style, name in names.items())


def _tell_owners(root: ET.Element) -> None:
    """Write whose it is beside each thing drawn, never beside a definition, which other things may use."""
    for group in root.iter(_GROUP):
        identifier = group.get("id", "")
        if not identifier.startswith(SIGNATURES):
            continue
        things = [child for child in group if child.tag != _DEFINITIONS]
        for thing, numbers in zip(things, owners(identifier, len(things)), strict=False):
            thing.set("data-e", numbers)


_STYLED = re.compile(r' style="([^"]*)"')


def _references(value: str) -> list[str]:
    if "#" not in value:
        return []
    return re.findall(r"url\(#([^)]+)\)", value) or re.findall(r"^#(.+)", value)


def _markup(node: ET.Element, names: dict[str, str]) -> str:
    tag = _local(node.tag)
    inner = "".join(_children(node, names))
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in _attributes(node, names))
    if tag in _DROPPED or (tag in ("defs", "g") and not inner):
        return ""
    if tag == "g" and not attributes:
        return inner
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _children(node: ET.Element, names: dict[str, str]) -> Iterator[str]:
    yield str(escape((node.text or "").strip()))
    for child in _joined(list(node)) if _local(node.tag) == "text" else node:
        yield _markup(child, names)


def _joined(spans: list[ET.Element]) -> Iterator[ET.Element]:
    """Yield the spans of a text, neighbours on one line as one.

    Matplotlib places mathematics letter by letter.
    """
    last: ET.Element | None = None
    for span in spans:
        if last is not None and all(last.get(name) == span.get(name) for name in ("y", "style")):
            last.text = f"{last.text or ''}{span.text or ''}"
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _attributes(node: ET.Element, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    for full, value in node.attrib.items():
        name = _local(full)
        if name == "id":
            if value in names:
                yield "id", names[value]
        elif name == "d":
            yield "d", shortened(value, 2 if "id" in node.attrib else 1)
        elif name == "style":
            if style := _style(value):
                yield "style", style
        elif name == "transform" and value.startswith(_UNTURNED):
            continue
        elif references := _references(value):
            old = references[0]
            yield name, value.replace(f"#{old}", f"#{names[old]}")
        else:
            yield name, _rounded(value)


@lru_cache(maxsize=4096)  # few are different
def _style(text: str) -> str:
    """Return declarations as the page wants them: its colours, its font, no defaults."""
    kept = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, value = (side.strip() for side in part.partition(":"))
        if name == "font-family" or (name, value) == ("stroke-dashoffset", "0"):
            continue
        if name == "font":
            kept += _font(value)
            continue
        kept.append(f"{name}: {_COLOURS.get(value, _rounded(value))}")
    return "; ".join(kept)


def _font(value: str) -> list[str]:
    """Return size and weight of a font shorthand; the family is the page's."""
    size = re.search(r"([\d.]+)px", value)
    weight = re.search(r"\b(bold|[5-9]00)\b", value)
    return ([f"font-size: {size.group(1)}px"] if size else []) + (["font-weight: bold"] if weight else [])


def _rounded(value: str) -> str:
    # A hundredth of a point is invisible.
    return _LONG.sub(r"\1", value) if "." in value else value


_LONG = re.compile(r"(\.\d\d)\d+")


def _local(name: str) -> str:
    return name.rpartition("}")[2]
