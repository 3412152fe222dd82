import time

import pytest

from deqbench.experiments.repeating import Repeats


@pytest.mark.parametrize("seconds", [None, 1e9])
def test_it_repeats_as_told_while_there_is_time(seconds):
    assert list(Repeats(4, seconds)) == [0, 1, 2, 3]


def test_the_first_round_is_made_even_late_and_no_other_begins():
    assert list(Repeats(4, seconds=10.0, begun=time.monotonic() - 6.0)) == [0]
