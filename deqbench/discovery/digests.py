"""What a result's code rests on: a digest of a module and of the local modules it imports.

Reusing a stored number is honest only while the code that made it stands. A version number does not tell:
an editable plugin is edited without one. So a component's digest covers its own source file and, found in the
syntax tree without importing anything, every *local* module that it imports, directly or not: of its own
top-level package, of the packages that lie beside it outside site-packages (an editable checkout, a bare
file's folder), and of ``roots``.

Not seen: ``importlib.import_module`` with a computed name, and data files. Imports under ``if TYPE_CHECKING``
never run and are left out. Of the ``__init__`` of a parent package the hook functions are left out too: what
a plugin *offers* is no part of what one of its components computes.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from deqbench.trials import digest

_INSTALLED = ("site-packages", "dist-packages")
_HOOK_PREFIX = "deqbench_"


def source_digest(start: str | Path, roots: Collection[str] = ()) -> str:
    """Return one digest, 16 hexadecimal digits, over :func:`source_digests`."""
    return digest(source_digests(start, roots))


def source_digests(start: str | Path, roots: Collection[str] = ()) -> dict[str, str]:
    """Return the digest of each source file that ``start`` rests on, by module name.

    Args:
        start: A module's dotted name, which is found but not imported, or the path of a bare ``.py`` file.
        roots: Further top-level packages whose modules count as local.

    Returns:
        Module name to 16 hexadecimal digits, sorted by name; no path of this machine is in it.

    Raises:
        ModuleNotFoundError: No source of that name can be found.
    """
    importlib.invalidate_caches()  # a file written a moment ago must be seen
    first = _first_source(start)
    walk = _Walk(_Neighbourhood.of(first, roots))
    return dict(sorted(walk.digests(first).items()))


@dataclass(frozen=True)
class _Source:
    """A module's name, its file, and whether it is reached only as the parent of another."""

    name: str
    path: Path
    parent: bool = False

    @property
    def package(self) -> list[str]:
        """The name that relative imports start from, in parts."""
        parts = self.name.split(".")
        return parts if self.path.name == "__init__.py" else parts[:-1]

    def text(self) -> bytes:
        return self.path.read_bytes().replace(b"\r\n", b"\n")


def _first_source(start: str | Path) -> _Source:
    if isinstance(start, Path):
        return _Source(start.stem, start)
    path = _file(_spec(start, None))
    if path is None:
        raise ModuleNotFoundError(f"no source of module '{start}' can be found")
    return _Source(start, path)


def _top_spec(name: str, folder: Path | None) -> ModuleSpec | None:
    """Find a top-level module as an import would; one in ``folder`` that no import would see still counts."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a module without a spec, such as __main__
        found = None
    if found is None and folder is not None:
        found = PathFinder.find_spec(name, [str(folder)])
    return found


def _spec(name: str, folder: Path | None) -> ModuleSpec | None:
    """Find a module without running its parents, which ``importlib.util.find_spec`` would."""
    head, *rest = name.split(".")
    spec, full = _top_spec(head, folder), head
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        full = f"{full}.{part}"
        spec = PathFinder.find_spec(full, list(spec.submodule_search_locations))
    return spec


def _file(spec: ModuleSpec | None) -> Path | None:
    """Return the file a module is made of; None for a namespace package or a built-in."""
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    return Path(spec.origin)


@dataclass(frozen=True)
class _Neighbourhood:
    """Which top-level names are local: ``roots``, and what lies in ``folder`` outside site-packages."""

    roots: frozenset[str]
    folder: Path | None

    @classmethod
    def of(cls, first: _Source, roots: Collection[str]) -> _Neighbourhood:
        top = first.name.partition(".")[0]
        depth = len(first.package)
        folder = first.path.parent
        for _ in range(depth):
            folder = folder.parent
        shared = folder.name in _INSTALLED
        return cls(frozenset([*roots, top]), None if shared else folder)

    def spec(self, name: str) -> ModuleSpec | None:
        """Find a module if it is local."""
        top = name.partition(".")[0]
        if top not in self.roots and not self._beside(_top_spec(top, self.folder)):
            return None
        return _spec(name, self.folder)

    def _beside(self, spec: ModuleSpec | None) -> bool:
        if spec is None or self.folder is None:
            return False
        found = [Path(place) for place in spec.submodule_search_locations or ()]
        if spec.has_location and spec.origin and not found:
            found = [Path(spec.origin)]
        return any(place.parent == self.folder for place in found)


@dataclass(frozen=True)
class _Walk:
    """Follows imports from file to file."""

    local: _Neighbourhood

    def digests(self, first: _Source) -> dict[str, str]:
        seen: dict[str, _Source] = {}
        todo = [first]
        while todo:
            source = todo.pop()
            known = seen.get(source.name)
            if known is not None and (source.parent or not known.parent):
                continue
            seen[source.name] = source  # named outright after being met as a parent: hashed whole
            todo.extend(self._imported(source))
        return {name: _hash(source) for name, source in seen.items()}

    def _imported(self, source: _Source) -> Iterator[_Source]:
        for name, attribute in _imports(source):
            yield from self._sources(name, attribute)
        yield from self._parents(source.name)

    def _sources(self, name: str, attribute: str | None) -> Iterator[_Source]:
        """Yield what ``import name`` or ``from name import attribute`` loads: a submodule or the module."""
        if attribute is not None:
            inner = _file(self.local.spec(f"{name}.{attribute}"))
            if inner is not None:
                yield _Source(f"{name}.{attribute}", inner)
                return
        path = _file(self.local.spec(name))
        if path is not None:
            yield _Source(name, path)

    def _parents(self, name: str) -> Iterator[_Source]:
        while "." in name:
            name = name.rpartition(".")[0]
            path = _file(self.local.spec(name))
            if path is not None:
                yield _Source(name, path, parent=True)


def _imports(source: _Source) -> Iterator[tuple[str, str | None]]:
    """Yield (module, attribute or None) of each import that may run; none for a file that is no source."""
    try:
        tree = ast.parse(source.text())
    except (SyntaxError, ValueError):
        return
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, source)
            yield from ((module, alias.name) for alias in node.names if module)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
        else:
            todo.extend(ast.iter_child_nodes(node))


def _absolute(node: ast.ImportFrom, source: _Source) -> str:
    if not node.level:
        return node.module or ""
    base = source.package[: len(source.package) - node.level + 1]
    return ".".join([*base, *filter(None, [node.module])])


def _hash(source: _Source) -> str:
    text = _without_hooks(source.text()) if source.parent else source.text()
    return hashlib.sha256(text).hexdigest()[:16]


def _without_hooks(text: bytes) -> bytes:
    """Return the source without its hook functions."""
    lines = text.splitlines(keepends=True)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name.startswith(_HOOK_PREFIX):
            start = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            del lines[start - 1 : node.end_lineno]
    return b"".join(lines)
