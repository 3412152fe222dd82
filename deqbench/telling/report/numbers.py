"""Numbers as a person reads them: three digits where three are known, and a word where there is none."""

from __future__ import annotations

import re
from math import isfinite, isinf, isnan

NOTHING = "-"
FAILED = "failed"


def number(value: float, digits: int = 3) -> str:
    """Return a number to ``digits`` significant digits; ``failed`` if infinite, a dash if nan."""
    if isnan(value):
        return NOTHING
    if isinf(value):
        return FAILED
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e7:
        return re.sub(r"e\+?(-?)0?", r"e\1", f"{value:.{digits - 1}e}")
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:#.{digits}g}".rstrip(".")


def count(value: float) -> str:
    """Return a whole number, in thousands (k) or millions (M) where it has more than five digits."""
    if isnan(value) or isinf(value):
        return number(value)
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if abs(value) >= 1e5 else f"{value:,.0f}"


def mebibytes(value: float) -> str:
    """Return bytes in MiB, three digits."""
    return number(value / 2**20) if not isinf(value) else FAILED


def kibibytes(value: float) -> str:
    """Return bytes in KiB, three digits."""
    return number(value / 2**10)


def milliseconds(value: float) -> str:
    """Return seconds in milliseconds, three digits."""
    return number(1e3 * value)


def duration(value: float, unit: str) -> str:
    """Return seconds with the unit they are to be read in: ``s`` or ``ms``."""
    return f"{milliseconds(value) if unit == 'ms' else number(value)} {unit}"


def percent(value: float) -> str:
    """Return a share in percent; a share that is neither none nor all is written as neither."""
    if isnan(value) or isinf(value):
        return number(value)
    rounded = round(100 * value)
    return str(rounded if rounded == 100 * value else min(max(rounded, 1), 99))


def work(value: float) -> str:
    """Return a number of map-equivalents, which need not be whole: three digits, none of them idle zeros."""
    return count(value) if not abs(value) < 100 else f"{value:.3g}"


def operations(value: float) -> str:
    """Return a number of operations, three digits, with a prefix from a thousand on: ``3.20G``."""
    if isfinite(value):
        for prefix, size in _PREFIXES:
            if abs(value) >= size:
                return f"{number(value / size)}{prefix}"
    return number(value)


_PREFIXES = (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


def score(metric: str, value: float) -> str:
    """Return a metric's value: accuracies in percent with one decimal, others as numbers."""
    if isnan(value) or isinf(value):
        return number(value)
    if is_share(metric):
        return f"{100 * value:.1f}"
    if "equivalents" in metric:
        return work(value)
    if "cosine" in metric:
        return f"{value:.4f}"
    return f"{value:.3f}" if "r2" in metric else number(value)


def is_share(metric: str) -> bool:
    """Return whether a metric is shown in percent."""
    return "accuracy" in metric


_TITLES = {
    "map_equivalents": "map-equivalents",
    "error_inputs": "error of dL/dx",
    "error_parameters": "error of dL/dθ",
    "cosine_inputs": "cosine of dL/dx",
    "cosine_parameters": "cosine of dL/dθ",
}


def metric_title(metric: str) -> str:
    """Return what heads a metric's column: ``test accuracy (%)``."""
    if metric in _TITLES:
        return _TITLES[metric]
    title = metric.replace("_", " ").replace("r2", "R²")
    return f"{title} (%)" if is_share(metric) else title


def interval(low: str, high: str) -> str:
    """Return a written interval; nothing where its ends are the same or unknown."""
    return "" if low == high or NOTHING in (low, high) else f"[{low}, {high}]"
