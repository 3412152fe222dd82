"""The page of the engine tells the truth: its blocks run, print what they say, and leave nothing out."""

import contextlib
import dataclasses
import io
import re
import sys
import types
import warnings
from pathlib import Path

import pytest

from deqbench.discovery.registry import Registry
from deqbench.equilibria.solving import SolveStatus, Stop

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)
REGISTRY = Registry.load()


@pytest.fixture(scope="module")
def printed():
    """What each block prints, run one after the other in one namespace; an error where one ended."""
    page, found = types.ModuleType("engine_page"), []
    sys.modules["engine_page"] = page  # torch.compile looks a function's module up
    for code, _ in BLOCKS:
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out), warnings.catch_warnings():
                warnings.simplefilter("error")
                # torch's own forward-mode differentiation scripts its formulas on first use
                warnings.filterwarnings("ignore", ".torch.jit.script. is deprecated", DeprecationWarning)
                exec(compile(code, "docs/engine.md", "exec"), vars(page))
        except Exception as error:  # noqa: BLE001 -- the block's own test says which and why
            found.append(repr(error))
        else:
            found.append(out.getvalue())
    yield found
    del sys.modules["engine_page"]


@pytest.mark.parametrize("place", range(len(BLOCKS)), ids=lambda place: BLOCKS[place][0].splitlines()[0])
def test_a_block_of_the_page_prints_what_the_page_says(place, printed):
    assert printed[place] == BLOCKS[place][1]


@pytest.mark.parametrize("kind", ["solvers", "gradients"])
def test_the_page_names_every_solver_and_gradient_and_no_other(kind):
    built_in = {
        offer.entry.name
        for offer in REGISTRY.offers(kind)
        if offer.origin.distribution == "deqbench" and not offer.entry.name.startswith("control-")
    }
    table = PAGE.partition(f"\n## Which {kind[:-1]}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == built_in


def test_the_page_names_every_field_of_the_stop_and_every_status():
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {field.name for field in dataclasses.fields(Stop)} <= named
    assert {status.name for status in SolveStatus} <= named
