import sys
import textwrap

import pytest

from deqbench.discovery.registry import PluginSources, Registry

SOLVER = '''
from deqbench.plugin import Entry, hookimpl

class Still:
    """Stays where it is."""

@hookimpl
def deqbench_solvers():
    return [Entry("{name}", Still)]
'''


@pytest.fixture(autouse=True)
def _own_import_path(monkeypatch):
    """Forget the folders that loading a bare file makes importable."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def registry_of():
    """A registry of the given files alone."""

    def load(*paths, without=()):
        return Registry.load(
            PluginSources(tuple(str(path) for path in paths), tuple(without), entry_points=False)
        )

    return load


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a fake distribution of one module that offers a solver, or holds the given source."""
    site = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(site))

    def install(distribution, point, module, source=None, solver="still"):
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[deqbench]\n{point} = {module}\n")
        (site / f"{module}.py").write_text(source or SOLVER.format(name=solver))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


@pytest.fixture
def solver_source():
    return SOLVER.format
