"""Finding plugins: entry points of group ``deqbench``, then the files and folders a person names.

Every plugin loads alone inside a guard and is checked alone. pluggy's entry-point loader is not used: there
one broken plugin aborts all later ones, and a second distribution with the same entry-point name is skipped
in silence.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from deqbench.discovery.hook_checks import entries_of
from deqbench.discovery.sources import Origin, PluginSources
from deqbench.errors import ConfigurationError, PluginError, UnknownNameError, did_you_mean
from deqbench.plugin import PROJECT, Entry
from deqbench.trials import digest

Point = tuple[EntryPoint, str | None, str | None]
"""An entry point, and the name and version of the distribution that declares it."""

BARE_MODULE = "_deqbench_plugin_"
"""How the module of a bare file is called in this process; no import finds it."""


@dataclass(frozen=True)
class Candidate:
    """A plugin that was found and not loaded yet."""

    origin: Origin
    load: Callable[[], Any]


@dataclass(frozen=True)
class Loaded:
    """A plugin that loaded: its object, usually a module, and its entries by kind in the order offered."""

    origin: Origin
    plugin: Any
    entries: tuple[tuple[str, Entry], ...]


@dataclass(frozen=True)
class Broken:
    """A plugin that did not load.

    Attributes:
        origin: Where it comes from.
        error: What is wrong, in one line.
        traceback: The whole story.
    """

    origin: Origin
    error: str
    traceback: str


def candidates(sources: PluginSources) -> list[Candidate]:
    """Return the plugins that the sources name, in a fixed order, without those left out.

    Raises:
        ConfigurationError: A path does not exist or holds no Python file.
        UnknownNameError: A name to leave out is nobody's.
    """
    found = list(_installed()) if sources.entry_points else []
    for path in sources.paths:
        found.extend(_at(Path(path)))
    names = sorted({name for candidate in found for name in candidate.origin.names})
    for name in sources.without:
        if name not in names:
            raise UnknownNameError(
                f"No plugin is called '{name}', so it cannot be left out.{did_you_mean(name, names)} "
                f"Plugins: {', '.join(candidate.origin.name for candidate in found)}."
            )
    return [one for one in found if not any(one.origin.answers_to(name) for name in sources.without)]


def _installed() -> Iterator[Candidate]:
    """Yield the entry points of the group, our own distribution first, then by name."""
    for point, distribution, version in installed_points():
        origin = Origin(f"{distribution}:{point.name}", distribution, version, (point.name,))
        yield Candidate(origin, point.load)


def installed_points() -> tuple[Point, ...]:
    """Return the entry points of the group with the name and version of their distributions; imports none.

    Reading the metadata of everything installed takes longer than a small trial, so it is done again only
    after a folder of the import path has changed.
    """
    return _points_along(tuple((folder, _changed(folder)) for folder in sys.path))


@functools.lru_cache(maxsize=4)
def _points_along(_path: tuple[tuple[str, int], ...]) -> tuple[Point, ...]:
    found = entry_points(group=PROJECT)
    points = [(one, one.dist.name, one.dist.version) if one.dist else (one, None, None) for one in found]
    return tuple(sorted(points, key=lambda one: (one[1] != PROJECT, one[1] or "", one[0].name)))


def _changed(folder: str) -> int:
    """Return when entries of a folder were last made or removed, in nanoseconds; 0 where there is none."""
    try:
        return Path(folder or ".").stat().st_mtime_ns
    except OSError:
        return 0


def _at(path: Path) -> Iterator[Candidate]:
    """Yield a file, a package, or every public Python file of a folder."""
    if path.is_file():
        files = [path]
    elif (path / "__init__.py").is_file():
        yield Candidate(Origin(str(path), aliases=(path.name,)), partial(_import_package, path))
        return
    else:
        files = sorted(path.glob("[!_]*.py"))
    if not files:
        what = "holds no Python file" if path.is_dir() else "does not exist"
        raise ConfigurationError(f"The plugin path '{path}' {what}; name a .py file, or a folder of them.")
    for file in files:
        yield Candidate(Origin(str(file), aliases=(file.name, file.stem)), partial(_import_file, file))


def _import_file(file: Path) -> Any:
    """Run a bare file under a name of its own, anew each time, the modules beside it within reach."""
    _reach(file.parent)
    name = f"{BARE_MODULE}{digest(str(file), 8)}_{re.sub(r'[^a-zA-Z0-9]', '_', file.stem)}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"'{file}' is no Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_package(folder: Path) -> Any:
    _reach(folder.parent)
    module = importlib.import_module(folder.name)
    if Path(str(module.__file__)).resolve() != (folder / "__init__.py").resolve():
        raise PluginError(f"the name '{folder.name}' is taken by {module.__file__}; rename the folder")
    return module


def _reach(folder: Path) -> None:
    """Append a folder to the import path: at its end, so that a plugin's ``random.py`` replaces nobody's."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def load(candidate: Candidate) -> Loaded | Broken:
    """Load one plugin inside a guard; anything but Ctrl-C makes it a broken one."""
    try:
        plugin = candidate.load()
        return Loaded(candidate.origin, plugin, tuple(entries_of(plugin)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a plugin may even call sys.exit
        return Broken(candidate.origin, one_line(error), "".join(traceback.format_exception(error)))


def one_line(error: BaseException) -> str:
    """Return an exception's type and message in one line; a PluginError's message alone."""
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
