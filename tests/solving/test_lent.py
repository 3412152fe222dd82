"""Memory that is used again, and never while anybody can see it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from equilibrium_families import family

from deqbench.equilibria.solving import Stop, drive
from deqbench_plugins.solvers import lent
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.lent import LEAST_BYTES, LINE, MOST_BYTES, Lent


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(lent, "_spare", {})


def address(array):
    return array.__array_interface__["data"][0]


def test_the_memory_of_one_serves_the_next_of_its_size():
    one = Lent((4, LEAST_BYTES), np.float32)
    place = address(one.array)
    assert one.array.shape == (4, LEAST_BYTES)
    assert one.array.dtype == np.float32
    del one
    assert address(Lent((LEAST_BYTES, 2), np.float64).array) == place


@pytest.mark.parametrize("size", [1, LEAST_BYTES, MOST_BYTES + 1])
def test_every_piece_begins_with_a_cache_line(size):
    held = [Lent((size,), np.uint8) for _ in range(3)]
    assert all(address(one.array) % LINE == 0 for one in held)


def test_memory_that_somebody_can_see_is_not_given_away():
    one = Lent((4, LEAST_BYTES), np.float32)
    view = one.array[2:, :5]
    view[:] = 7
    del one
    other = Lent((4, LEAST_BYTES), np.float32)
    other.array[:] = 0
    assert (view == 7).all()


def test_memory_that_is_given_back_is_not_kept():
    one = Lent((4, LEAST_BYTES), np.float32)
    one.kept = False
    del one
    assert lent._spare == {}


@pytest.mark.parametrize("size", [LEAST_BYTES - 1, MOST_BYTES + 1])
def test_small_and_large_pieces_are_left_to_the_allocator(size):
    Lent((size,), np.uint8)
    assert lent._spare == {}


def test_what_is_kept_is_bounded():
    held = [Lent((LEAST_BYTES + size,), np.uint8) for size in range(20) for _ in range(5)]
    del held
    assert len(lent._spare) <= lent.SIZES
    assert all(len(pieces) <= lent.PIECES for pieces in lent._spare.values())


@pytest.mark.parametrize("solver", [Anderson(), Broyden(8)], ids=repr)
def test_the_next_search_is_served_by_the_memory_of_the_last(solver, monkeypatch):
    f, z0 = family("tanhsym", 16, 256, 0.9, torch.float32)
    first = drive(solver, f, z0, Stop(1e-12, 9))
    assert lent._spare

    def empty(size, dtype):
        assert size < LEAST_BYTES, "there was memory of this size"
        return np.empty(size, dtype)

    fakes = SimpleNamespace(prod=np.prod, dtype=np.dtype, uint8=np.uint8, empty=empty)
    monkeypatch.setattr(lent, "np", fakes)
    assert torch.equal(drive(solver, f, z0, Stop(1e-12, 9)).z, first.z)
