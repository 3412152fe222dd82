import sys
import textwrap

import pytest

from deqbench.cli import main


@pytest.fixture(autouse=True)
def _own_import_path(monkeypatch):
    """Forget the folders that loading a bare file makes importable."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def call(capsys):
    """Call the command line in this process: exit code, standard output, standard error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


@pytest.fixture
def plugin(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def still(plugin):
    """A file that offers a solver, ``still``, with one parameter."""
    return plugin(
        '''
        from dataclasses import dataclass
        from typing import Annotated
        from pydantic import Field
        from deqbench.plugin import Entry, Iterate, hookimpl

        @dataclass(frozen=True)
        class Still:
            """Stays where it is.

            And says more about it here.
            """
            weight: Annotated[float, Field(gt=0, description="How still.")] = 2.0
            def init(self, f, z0): return Iterate(z0, f(z0))
            def step(self, f, state): return Iterate(state.z, f(state.z))

        @hookimpl
        def deqbench_solvers(): return [Entry("still", Still)]
        '''
    )
