"""Matplotlib's SVG made fit to stand in a page: its colours the page's own, its names its own."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

from deqbench.telling.looks import GRID, INK, PALETTE, PAPER
from deqbench.telling.pictures import Picture

_COLOURS = {INK: "currentColor", PAPER: "var(--paper)", GRID: "var(--grid)"} | {
    colour: f"var(--c{number})" for number, colour in enumerate(PALETTE)
}


def inline_svg(picture: Picture, folder: Path) -> Markup:
    """Return the saved SVG of a picture as markup for a page.

    Colours become the page's custom properties, so that one drawing serves light, dark and print; identifiers
    get the picture's name, for a page holds several; title and caption become what a screen reader says.

    Args:
        picture: A picture that was saved.
        folder: Where it was saved.
    """
    text = (folder / f"{picture.name}.svg").read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{picture.name}-", text)
    text = text.replace("font-family: 'DejaVu Sans'", "font-family: inherit")
    text = re.sub(r"<[^>]*>", _rounded, text)
    for colour, ours in _COLOURS.items():
        text = text.replace(colour, ours)
    name = f'aria-labelledby="{picture.name}-title {picture.name}-desc"'
    head = f'<svg role="img" {name} style="max-width: {_width(text)}pt"'
    said = (
        f'<title id="{picture.name}-title">{escape(picture.title)}</title>'
        f'<desc id="{picture.name}-desc">{escape(picture.caption)}</desc>'
    )
    text = re.sub(r'<svg([^>]*?) width="[^"]*" height="[^"]*"([^>]*)>', rf"{head}\1\2>{said}", text, count=1)
    # Trusted: matplotlib escaped every text it drew, and the two of ours are escaped above.
    return Markup(text)  # noqa: S704 - see the line above


def _rounded(tag: re.Match[str]) -> str:
    # A hundredth of a point is invisible; matplotlib's six decimals and line breaks double the page. Only
    # inside tags: between them stand tick labels, and 0.002 must not become 0.00.
    return re.sub(r"\s*\n\s*", " ", re.sub(r"(\.\d\d)\d+", r"\1", tag.group()))


def _width(text: str) -> str:
    found = re.search(r'width="([\d.]+)pt"', text)
    return found.group(1) if found else "800"
