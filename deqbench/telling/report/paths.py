"""SVG path data in few bytes: rounded, and each straight stretch relative to where the last one ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_OPERANDS = {"M": 2, "L": 2, "C": 6, "Q": 4, "Z": 0}


def shortened(data: str, decimals: int = 1) -> str:
    """Return path data that draws the same to within half a unit of the last decimal.

    Rounding does not add up along a line: each step leads from the rounded place that was reached.

    Args:
        data: Absolute commands M, L, C, Q and Z, as matplotlib writes them. Others are returned as given.
        decimals: Decimals kept.
    """
    if re.search(r"[^MLCQZzeE\d\s.,+-]", data):
        return data
    return "".join(_written(data, decimals))


def _written(data: str, decimals: int) -> Iterator[str]:
    scale = 10**decimals
    here, last = (0, 0), ""
    for command, numbers in _commands(data):
        places = [round(number * scale) for number in numbers]
        if command == "Z":
            yield "z"
        elif command == "L":
            step = (places[0] - here[0], places[1] - here[1])
            if step == (0, 0) and last == "L":
                continue
            yield _told(step, scale, first=False) if last == "L" else "l" + _told(step, scale, first=True)
        else:
            yield command + _told(places, scale, first=True)
        if places:
            here = (places[-2], places[-1])
        last = command


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    tokens = _TOKEN.findall(data)
    place, command = 0, "M"
    while place < len(tokens):
        if (letter := tokens[place].upper()) in _OPERANDS:
            command = letter
            place += 1
        count = _OPERANDS[command]
        yield command, [float(token) for token in tokens[place : place + count]]
        place += count


_TOKEN = re.compile(r"[MLCQZz]|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def _told(places: list[int] | tuple[int, int], scale: int, *, first: bool) -> str:
    """Return numbers, parted by a space only where no sign parts them."""
    told = "".join([_number(place, scale) for place in places])
    return told.removeprefix(" ") if first else told


@lru_cache(maxsize=2**16)  # a report draws a hundred thousand short steps, most of them like another
def _number(place: int, scale: int) -> str:
    """Return a number after what may be another: a space stands where no sign does."""
    told = f"{place / scale:g}" if abs(place) < 10**6 else str(place / scale)
    if told.startswith("-"):
        return told.replace("-0.", "-.", 1) if told.startswith("-0.") else told
    return f" {told.removeprefix('0') if told.startswith('0.') else told}"
