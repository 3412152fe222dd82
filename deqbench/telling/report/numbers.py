"""Numbers as a person reads them: three digits where three are known, and a word where there is none."""

from __future__ import annotations

from math import isinf, isnan

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
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    if abs(value) < 1e-3:
        return f"{value:.{digits - 1}e}".replace("e-0", "e-")
    return f"{value:#.{digits}g}".rstrip(".")


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


def score(metric: str, value: float) -> str:
    """Return a metric's value: accuracies in percent with one decimal, others as numbers."""
    if isnan(value) or isinf(value):
        return number(value)
    if is_share(metric):
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if "r2" in metric else number(value)


def is_share(metric: str) -> bool:
    """Return whether a metric is shown in percent."""
    return "accuracy" in metric


def metric_title(metric: str) -> str:
    """Return what heads a metric's column: ``test accuracy (%)``."""
    title = metric.replace("_", " ").replace("r2", "R²")
    return f"{title} (%)" if is_share(metric) else title


def interval(low: str, high: str) -> str:
    """Return a written interval; nothing where its ends are the same or unknown."""
    return "" if low == high or NOTHING in (low, high) else f"[{low}, {high}]"
