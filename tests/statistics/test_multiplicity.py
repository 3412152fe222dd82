from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from deqbench.statistics.multiplicity import benjamini_hochberg, holm


@pytest.fixture(scope="module", autouse=True)
def little_garbage():
    """Statsmodels collects garbage in every call; what is frozen costs it no time."""
    gc.freeze()
    yield
    gc.unfreeze()


values = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), min_size=1, max_size=30)


@given(values)
def test_holm_is_statsmodels_holm(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@given(values)
def test_benjamini_hochberg_is_statsmodels_too(p):
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@given(values, st.randoms(use_true_random=False))
def test_the_order_of_the_tests_does_not_matter(p, random):
    places = list(range(len(p)))
    random.shuffle(places)
    assert holm([p[k] for k in places]) == pytest.approx(holm(p)[places])


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_a_test_that_could_not_be_made_is_no_member_of_the_family(correct):
    with_gap = correct([0.01, math.nan, 0.04])
    assert np.isnan(with_gap[1])
    assert with_gap[[0, 2]] == pytest.approx(correct([0.01, 0.04]))


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_no_test_is_no_family(correct):
    assert correct([]).tolist() == []
    assert np.isnan(correct([math.nan])).all()


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_what_is_no_probability_is_refused(correct):
    with pytest.raises(ValueError, match="lies in"):
        correct([0.5, 1.2])
