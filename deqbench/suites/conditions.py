"""A grid block's ``where``: which cells of its product are meant.

A Boolean expression over one cell, read through ``ast`` and never executed as Python::

    where = "solver != 'direct' or model == 'deq-linear'"
    where = "trainer.lr < 0.1 and seed in [0, 1]"
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deqbench.errors import ConfigurationError, did_you_mean
from deqbench.suites.axes import AXES
from deqbench.trials import Ref

_NAMES = (*AXES, "seed")
_GRAMMAR = (
    "Allowed are axes, axis.parameter, seed, 'text', numbers, lists, "
    "==, !=, <, <=, >, >=, in, not in, and, or, not."
)
_ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Cell:
    """What a condition looks at.

    Attributes:
        components: Axis to the Ref as written; an axis the cell lacks is absent.
        parameters: Axis to all parameters, defaults filled in.
        seed: The seed.
    """

    components: Mapping[str, Ref]
    parameters: Mapping[str, Mapping[str, Any]]
    seed: int


Value = Callable[[Cell], Any]
"""What an expression is compiled to."""


@dataclass(frozen=True)
class Where:
    """A condition on cells.

    An axis equals its component's name or its full text. An axis or a parameter that a cell lacks is None: it
    equals only None and is neither less nor greater than anything.

    Attributes:
        text: As it was written.
        tree: Its syntax tree.
        value: The tree, compiled.
    """

    text: str
    tree: ast.expr
    value: Value

    @classmethod
    def parse(cls, text: str) -> Where:
        """Read a condition; it may stand on several lines.

        Raises:
            ConfigurationError: It is no expression, or holds a name or an operation that is not allowed.
        """
        try:
            tree = ast.parse(" ".join(text.splitlines()).strip(), mode="eval").body
            return cls(text, tree, _compiled(tree))
        except SyntaxError as error:
            reason = f"{error.msg}. {_GRAMMAR}"
        except (ValueError, RecursionError, MemoryError) as error:
            reason = f"{error}. {_GRAMMAR}"
        except ConfigurationError as error:
            reason = str(error)
        raise ConfigurationError(f'"{text}" is no condition: {reason}')

    def mistakes(self, cells: Sequence[Cell], absent: Collection[str] = ()) -> Iterator[str]:
        """Yield what can never be meant among these cells: misspelt component names and parameters.

        Args:
            cells: All cells of a block.
            absent: Components, by name or as written, that are left out here and may be named all the same.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and not absent:
                yield from _parameter_mistakes(ast.unparse(node), cells)
            elif isinstance(node, ast.Compare):
                yield from _literal_mistakes(node, cells, absent)

    def __call__(self, cell: Cell) -> bool:
        """Return whether the cell meets the condition.

        Raises:
            ConfigurationError: Values are put in order that have none, such as a text and a number.
        """
        return bool(self.value(cell))


def _compiled(node: ast.expr) -> Value:
    compile_node = _COMPILERS.get(type(node))
    if compile_node is None:
        raise _refused(node)
    return compile_node(node)


def _refused(node: ast.expr) -> ConfigurationError:
    return ConfigurationError(f"'{ast.unparse(node)}' is not allowed. {_GRAMMAR}")


def _boolean(node: ast.BoolOp) -> Value:
    parts = [_compiled(part) for part in node.values]
    joined = all if isinstance(node.op, ast.And) else any
    return lambda cell: joined(part(cell) for part in parts)


def _unary(node: ast.UnaryOp) -> Value:
    part = _compiled(node.operand)
    if isinstance(node.op, ast.Not):
        return lambda cell: not part(cell)
    number = isinstance(node.operand, ast.Constant) and isinstance(node.operand.value, (int, float))
    if not number or not isinstance(node.op, ast.USub):
        raise _refused(node)
    return lambda cell: -part(cell)


def _comparison(node: ast.Compare) -> Value:
    for operation, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operation, (ast.Is, ast.IsNot)):
            raise ConfigurationError(f"'is' is not allowed; write == or !=. {_GRAMMAR}")
        if isinstance(operation, (ast.In, ast.NotIn)) and not isinstance(right, (ast.List, ast.Tuple)):
            given = ast.unparse(right)
            raise ConfigurationError(f"'{given}' after 'in' is no list; write e.g. ['a', 'b'].")
    sides = [_compiled(side) for side in (node.left, *node.comparators)]

    def value(cell: Cell) -> bool:
        values = [side(cell) for side in sides]
        return all(map(_compare, node.ops, values[:-1], values[1:]))

    return value


def _list(node: ast.List | ast.Tuple) -> Value:
    parts = [_compiled(part) for part in node.elts]
    return lambda cell: [part(cell) for part in parts]


def _name(node: ast.Name) -> Value:
    name = node.id
    if name not in _NAMES:
        near = did_you_mean(name, _NAMES)
        raise ConfigurationError(f"Unknown axis '{name}'.{near} Axes: {', '.join(_NAMES)}. Quote text.")
    return (lambda cell: cell.seed) if name == "seed" else (lambda cell: cell.components.get(name))


def _attribute(node: ast.Attribute) -> Value:
    axis, parameter = ast.unparse(node.value), node.attr
    if axis not in AXES:
        near = did_you_mean(axis, AXES)
        raise ConfigurationError(f"Unknown axis '{axis}'.{near} Axes with parameters: {', '.join(AXES)}.")
    return lambda cell: cell.parameters.get(axis, {}).get(parameter)


def _constant(node: ast.Constant) -> Value:
    constant = node.value
    if not isinstance(constant, (str, int, float, type(None))):
        raise _refused(node)
    return lambda _cell: constant


_COMPILERS: dict[type[ast.expr], Callable[[Any], Value]] = {
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Constant: _constant,
}


def _parameter_mistakes(path: str, cells: Sequence[Cell]) -> Iterator[str]:
    axis, _, name = path.partition(".")
    known = {key for cell in cells for key in cell.parameters.get(axis, {})}
    if cells and name not in known:
        listed = ", ".join(sorted(known)) or "none"
        yield f"No {axis} here has a parameter '{name}'.{did_you_mean(name, known)} Parameters: {listed}."


def _literal_mistakes(node: ast.Compare, cells: Sequence[Cell], absent: Collection[str]) -> Iterator[str]:
    sides = (node.left, *node.comparators)
    axes = [side.id for side in sides if isinstance(side, ast.Name) and side.id in AXES]
    texts = [
        inner.value
        for side in sides
        for inner in ast.walk(side)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    ]
    for axis in axes if cells else ():
        refs = {cell.components[axis] for cell in cells if axis in cell.components}
        known = {ref.name for ref in refs} | {str(ref) for ref in refs}
        for text in texts:
            if text not in known and text not in absent:
                listed = ", ".join(sorted(known)) or "none"
                yield f"No {axis} here is '{text}'.{did_you_mean(text, known)} Here: {listed}."


def _compare(operation: ast.cmpop, left: Any, right: Any) -> bool:
    match operation:
        case ast.Eq():
            return _same(left, right)
        case ast.NotEq():
            return not _same(left, right)
        case ast.In():
            return any(_same(left, item) for item in right)
        case ast.NotIn():
            return not any(_same(left, item) for item in right)
    if left is None or right is None:
        return False
    try:
        return _ORDERS[type(operation)](left, right)
    except TypeError as error:
        raise ConfigurationError(
            f"{left!s} and {right!s} have no order; compare numbers with numbers."
        ) from error


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, Ref) and isinstance(right, str):
        return right in (left.name, str(left))
    if isinstance(right, Ref) and isinstance(left, str):
        return left in (right.name, str(right))
    return bool(left == right)
