"""The page: one HTML file that opens offline, in light, dark and print, with or without its script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deqbench.telling.report.axes import AXES, SCORE
from deqbench.telling.report.content import Content
from deqbench.telling.report.drawings import Drawing, drawings, marked
from deqbench.telling.report.sections.section import Part
from deqbench.telling.report.standings import Standings

LIMIT = 1_500_000
"""Bytes of the page."""
_ROOMS = ((900_000, 250), (600_000, 100), (300_000, 40), (0, 10))
"""Bytes for all drawings, and rows of the table behind each: the first pair that fits is taken."""
_STYLES = ("theme", "page", "tables", "figures", "controls", "print")
_SCRIPTS = ("state", "numbers", "sorting", "boards", "entries", "trials", "figures", "start")


def page(
    content: Content, parts: Sequence[Part], figures: Path, ready: Mapping[str, str] | None = None
) -> str:
    """Return the report as one self-contained HTML text.

    Where it would pass ``LIMIT``, drawings give way to links to their files, and the tables behind them are
    thinned, each with a notice. The policy in its head allows one style and one script, each by its hash,
    pictures that stand in the page, and nothing else: no style attribute, no handler in a tag, no request.

    Args:
        content: What it says of the run as a whole.
        parts: Its sections.
        figures: The folder in which their pictures were saved.
        ready: The markup of some of them, as :func:`~deqbench.telling.report.drawings.marked` takes it.
    """
    pictures = [picture for part in parts for picture in part.pictures]
    texts, rules = marked(pictures, figures, ready)
    drawn: dict[str, Drawing] = {}
    environment = _environment(drawn, content)
    for room, rows in _ROOMS:
        drawn |= drawings(pictures, texts, room, rows)
        text = _page(content, parts, environment, rules)
        if len(text.encode()) <= LIMIT:
            break
    return text


def _page(content: Content, parts: Sequence[Part], environment: Environment, rules: str) -> str:
    sections = [(part.section, _body(environment, part)) for part in parts]
    style = "\n".join([*(_source(environment, f"style/{name}.css") for name in _STYLES), rules])
    script = _script(environment)
    return environment.get_template("page.html.j2").render(
        content=content,
        sections=sections,
        axes=axes(parts),
        style=Markup(style),  # noqa: S704 - our own file; escaping would break its selectors
        script=Markup(script),  # noqa: S704 - likewise
        policy=policy(style, script),
        version=version("deqbench"),
    )


def policy(style: str, script: str) -> str:
    """Return the content security policy that allows exactly these two texts."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def axes(parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Return the axes among which the page switches, the one that ranks first; none if there is one alone."""
    boards = [one.board for part in parts for one in getattr(part.it, "standings", ()) if _is_standings(one)]
    ranked = [scale for board in boards for scale in board.scales]
    drawn = [picture.axis for part in parts for picture in part.pictures if picture.family and picture.axis]
    found = dict.fromkeys([*(scale.key for scale in ranked), *drawn])
    titles = {key: title for key, (title, _) in AXES.items()}
    scores = list(dict.fromkeys(scale.title for scale in ranked if scale.key == SCORE))
    titles[SCORE] = scores[0] if len(scores) == 1 else SCORE
    return [(key, titles.get(key, key)) for key in found] if len(found) > 1 else []


def _is_standings(one: object) -> bool:
    return isinstance(one, Standings)


def _environment(drawn: Mapping[str, Drawing], content: Content) -> Environment:
    environment = Environment(
        loader=PackageLoader("deqbench.telling.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"drawing": lambda picture: drawn[picture.name], "axis_titles": _axis_titles()}
    environment.globals["owned"] = _owning(content.choices.numbers if content.choices else {})
    environment.filters["json"] = _json
    return environment


def _owning(numbers: Mapping[str, int]) -> Callable[[str], Markup]:
    """Return what gives the attribute of an element that tells of one entry, as drawings carry it."""

    def owned(label: str) -> Markup:
        return Markup(' data-e="{}"').format(numbers[label]) if label in numbers else Markup("")

    return owned


def _axis_titles() -> dict[str, str]:
    return {key: title for key, (title, _) in AXES.items()}


def _body(environment: Environment, part: Part) -> Markup:
    text = environment.get_template(f"sections/{part.section.name}.html.j2").render(it=part.it)
    return Markup(text)  # noqa: S704 - the template has escaped what it was given


def _source(environment: Environment, name: str) -> str:
    loader = environment.loader
    assert loader is not None
    return loader.get_source(environment, name)[0].strip()


def _script(environment: Environment) -> str:
    """Return the parts of the script as one function's body: nothing of it is visible outside."""
    body = "\n".join(_source(environment, f"script/{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}\n}})();'


def _digest(text: str) -> str:
    # A browser hashes the element's text as it stands between its tags, and the template adds nothing to it.
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> Markup:
    """Return a value as JSON that can end no script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - see the line above
