"""Numbers that count what is done with them, and textbook algorithms on lists of them."""

from __future__ import annotations

import math


class Number:
    """A float that counts additions, multiplications, divisions, comparisons and functions of it."""

    done = 0

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def _made(self, value: float) -> Number:
        Number.done += 1
        return Number(value)

    def __add__(self, other: Number) -> Number:
        return self._made(self.value + other.value)

    def __sub__(self, other: Number) -> Number:
        return self._made(self.value - other.value)

    def __mul__(self, other: Number) -> Number:
        return self._made(self.value * other.value)

    def __truediv__(self, other: Number) -> Number:
        return self._made(self.value / other.value)

    def __lt__(self, other: Number) -> bool:
        Number.done += 1
        return self.value < other.value

    def root(self) -> Number:
        return self._made(math.sqrt(self.value))

    def exp(self) -> Number:
        return self._made(math.exp(self.value))


def counted(work, *arguments) -> int:
    """Return the operations that ``work`` did on numbers made of the arguments' floats."""
    made = [_numbers(one) for one in arguments]
    Number.done = 0
    work(*made)
    return Number.done


def _numbers(value):
    return [_numbers(one) for one in value] if isinstance(value, list) else Number(value)


def eliminate(a) -> None:
    """LU without pivoting, in place; rows may be more or fewer than columns."""
    m, n = len(a), len(a[0])
    for j in range(min(m, n)):
        for i in range(j + 1, m):
            a[i][j] = a[i][j] / a[j][j]
            for k in range(j + 1, n):
                a[i][k] = a[i][k] - a[i][j] * a[j][k]


def substitute(a, b, *, unit: bool = False) -> None:
    """Forward substitution, b in place."""
    for i, row in enumerate(a):
        for j in range(i):
            b[i] = b[i] - row[j] * b[j]
        if not unit:
            b[i] = b[i] / row[i]


def solve(a, b) -> None:
    """LU and both substitutions."""
    eliminate(a)
    substitute(a, b, unit=True)
    backward = [row[::-1] for row in a[::-1]]
    b.reverse()
    substitute(backward, b)


def cholesky(a) -> None:
    """The lower factor, in place."""
    for j in range(len(a)):
        a[j][j] = a[j][j].root()
        for i in range(j + 1, len(a)):
            a[i][j] = a[i][j] / a[j][j]
        for k in range(j + 1, len(a)):
            for i in range(k, len(a)):
                a[i][k] = a[i][k] - a[i][j] * a[k][j]


def householder(a) -> None:
    """R by reflections, in place: for each column v, w = v^T A and A - v (2 w / v^T v)."""
    m, n = len(a), len(a[0])
    for j in range(min(m - 1, n)):
        v = [a[i][j] for i in range(j, m)]
        v[0] = v[0] + dot(v, v).root()
        scale = Number(2.0) / dot(v, v)
        for k in range(j, n):
            weight = dot(v, [a[i][k] for i in range(j, m)]) * scale
            for i in range(j, m):
                a[i][k] = a[i][k] - v[i - j] * weight


def dot(x, y):
    """The inner product, from zero: n products and n sums."""
    total = Number(0.0)
    for one, other in zip(x, y, strict=True):
        total = total + one * other
    return total


def times(a, x) -> None:
    """A matrix times a vector."""
    for row in a:
        dot(row, x)


def softmax(x) -> None:
    """The stable softmax of one row: n of each: comparison, subtraction, exponential, sum, quotient."""
    greatest, total = Number(-math.inf), Number(0.0)
    for one in x:
        greatest = max(greatest, one)
    powers = [(one - greatest).exp() for one in x]
    for power in powers:
        total = total + power
    for power in powers:
        power / total


def softmax_backward(y, g) -> None:
    """y (g - sum(g y))."""
    inner = dot(g, y)
    for one, slope in zip(y, g, strict=True):
        one * (slope - inner)


def layer_norm(x, w, b) -> None:
    """One row, its mean and variance and what is left of a division by n (done once a row) not counted."""
    total = Number(0.0)
    for one in x:
        total = total + one
    centred = [one - total for one in x]
    dot(centred, centred)
    for one, weight, bias in zip(centred, w, b, strict=True):
        one * total * weight + bias


def norm(x) -> None:
    """The Euclidean norm."""
    dot(x, x).root()
