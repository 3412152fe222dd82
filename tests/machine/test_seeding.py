"""Named streams: independent of each other, of the process and of the machine."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from deqbench.measuring.seeding import preserved_generators, seed_everything, stream_seed


def draw():
    legacy = np.random.rand()  # noqa: NPY002  the global generator is what is seeded
    return random.random(), float(legacy), float(torch.rand(()))


def test_a_seed_is_the_first_63_bits_of_the_documented_hash():
    bits = hashlib.sha256(b'["deqbench-stream-1",7,"data","train"]').hexdigest()[:16]
    assert stream_seed(7, "data", "train") == int(bits, 16) // 2


def test_streams_seeds_and_names_all_tell_seeds_apart():
    seeds = {
        stream_seed(seed, stream, *names)
        for seed in range(50)
        for stream in ("data", "init", "order", "probe")
        for names in ((), ("a",), ("a", "b"), ("ab",))
    }
    assert len(seeds) == 50 * 4 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_is_the_same_in_another_process():
    code = "from deqbench.measuring.seeding import stream_seed; print(stream_seed(3, 'init'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(said.stdout) == stream_seed(3, "init")


def test_deriving_a_seed_imports_neither_numpy_nor_torch():
    code = (
        "import sys; from deqbench.measuring.seeding import stream_seed; stream_seed(0, 'data');"
        "print({'numpy', 'torch'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


@pytest.mark.parametrize("seed", [0, 2**32, 2**63 - 1])
def test_seeding_repeats_every_global_generator(seed):
    with preserved_generators():
        seed_everything(seed)
        first = draw()
        seed_everything(seed)
        assert draw() == first
        seed_everything(seed ^ 1)
        assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_what_is_drawn_inside_preserved_generators_is_drawn_again_after():
    with preserved_generators():
        seed_everything(5)
        expected = draw()
        seed_everything(5)
        with preserved_generators():
            draw()
            seed_everything(6)
        assert draw() == expected


def test_generators_are_restored_after_an_exception():
    with preserved_generators():
        seed_everything(5)
        expected = draw()
        seed_everything(5)
        with pytest.raises(ZeroDivisionError), preserved_generators():
            draw()[0] / 0
        assert draw() == expected


def test_torch_draws_as_after_its_own_manual_seed():
    with preserved_generators():
        torch.manual_seed(2**63 - 1)
        expected = torch.rand(5)
        seed_everything(2**63 - 1)
        assert torch.equal(torch.rand(5), expected)
