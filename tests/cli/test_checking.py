import pytest

HEAD = "from deqbench.plugin import Entry, Iterate, hookimpl\n"
TAIL = '\n@hookimpl\ndef deqbench_solvers(): return [Entry("mine", Mine)]\n'

FAULTS = {
    "It says in a docstring what it is.": """
class Mine:
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state): return Iterate(state.fz, f(state.fz))
""",
    "It has the methods of its kind.": '''
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
''',
    "Its parameters are the fields of a frozen dataclass.": '''
from dataclasses import dataclass
@dataclass
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state): return Iterate(state.fz, f(state.fz))
''',
    "Every parameter has a description.": '''
from dataclasses import dataclass
@dataclass(frozen=True)
class Mine:
    """Mine."""
    weight: float = 1.0
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state): return Iterate(state.fz, f(state.fz))
''',
    "It finds the equilibrium of a linear contraction.": '''
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state): return Iterate(state.z, f(state.z))
''',
    "Every tensor of its state carries the batch first.": '''
from typing import Any, NamedTuple
class State(NamedTuple):
    z: Any
    fz: Any
    mean: Any
class Mine:
    """Mine."""
    def init(self, f, z0): return State(z0, f(z0), z0.mean())
    def step(self, f, state): return State(state.fz, f(state.fz), state.fz.mean())
''',
    "The fz of its state is the map's value at z.": '''
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state): return Iterate(state.fz, f(state.fz) + 1e-3)
''',
    "A step changes neither the start nor the state before it.": '''
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state):
        state.z.copy_(state.fz)
        return Iterate(state.z, f(state.z))
''',
    "The same input gives the same states, bit by bit, without the global random generator.": '''
import torch
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state):
        z = state.fz + 1e-12 * torch.rand_like(state.fz)
        return Iterate(z, f(z))
''',
    "A sample's iterates do not depend on the other samples of its batch.": '''
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state):
        z = state.fz + 0.01 * (state.fz - state.z).mean(0)
        return Iterate(z, f(z))
''',
}

SOUND = '''
class Mine:
    """Mine."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state): return Iterate(state.fz, f(state.fz))
'''


@pytest.mark.parametrize(("claim", "source"), FAULTS.items(), ids=FAULTS)
def test_a_solver_that_breaks_a_rule_fails_the_check_of_that_rule(claim, source, call, plugin):
    code, out, _ = call("check", "mine", "--plugin", plugin(HEAD + source + TAIL))
    assert code == 1
    assert f"failed: {claim}" in out


def test_a_sound_solver_passes_every_check(call, plugin):
    code, out, _ = call("check", "solvers/mine", "--plugin", plugin(HEAD + SOUND + TAIL), "--verbose")
    assert code == 0, out
    assert out.count("  passed: ") == 17
    assert out.endswith("17 passed, 0 failed, 0 skipped\n")


def test_a_closed_loop_is_checked_too(call, plugin):
    source = '''
class Mine:
    """Mine."""
    def solve(self, f, z0, stop):
        z = z0
        for _ in range(stop.max_calls):
            z = f(z)
        return z
'''
    code, out, _ = call("check", "mine", "--plugin", plugin(HEAD + source + TAIL))
    assert code == 0, out


def test_a_component_that_cannot_be_imported_fails(call, plugin):
    path = plugin(
        HEAD + '@hookimpl\ndef deqbench_solvers(): return [Entry("mine", "no_such_module_anywhere:Mine")]\n'
    )
    code, out, _ = call("check", "mine", "--plugin", path)
    assert code == 1
    assert "failed: It can be imported." in out


def test_a_broken_plugin_fails_the_check(call, plugin):
    code, out, _ = call("check", "probes/loss", "--plugin", plugin("import no_such_module_anywhere\n"))
    assert code == 1
    assert "broken plugin" in out


def test_a_component_is_checked_with_the_parameters_given(call):
    code, out, _ = call("check", "trainers/adam[lr=0.1]", "probes")
    assert code == 0, out
    assert "trainers/adam[lr=0.1]: 11 checked" in out
