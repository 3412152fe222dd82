"""In figures of solvers and gradients too, whatever wears a colour belongs to an entry that wears it."""

from __future__ import annotations

import pytest

from deqbench.telling.figures import draw
from deqbench.telling.looks import PALETTE, looks

SHADED = {"work", "calls", "errors", "saved"}
"""Tables drawn as shaded cells: they stay whole."""


@pytest.mark.parametrize(("which", "leading"), [("solver_frames", "solver"), ("gradient_frames", "gradient")])
def test_whatever_wears_a_colour_belongs_to_an_entry_that_wears_it(
    which, leading, request, things_of, tmp_path
):
    frames = request.getfixturevalue(which)
    by_number = {
        look.entries[0]: f"var(--c{PALETTE.index(look.colour)})"
        for look in looks(frames.trials, leading).values()
    }
    for picture in draw(frames):
        things = things_of(picture, tmp_path)
        if picture.name in SHADED:
            assert not any(owner for owner, _, _ in things)
            continue
        coloured = [(owner, colours) for owner, colours, _ in things if colours]
        assert {int(owner) for owner, _ in coloured} == set(by_number), picture.name
        assert all({by_number[int(owner)]} == colours for owner, colours in coloured), picture.name
