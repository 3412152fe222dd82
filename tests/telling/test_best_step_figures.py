"""Loss against epoch, each entry at its own best step: on records made by hand, in the real store."""

from __future__ import annotations

import pytest

from deqbench.keeping.store import Store
from deqbench.records import CurvePoint, Record, Status
from deqbench.telling.best_step_figures import best_steps
from deqbench.telling.loading import load
from deqbench.trials import Ref, Trial

RATES = {0.1: 0.5, 1.0: 0.05, 10.0: 900.0}
"""Step to where the training loss ends: the last one is unstable."""


def record(model, rate, seed, end):
    parameters = {"dataset": {}, "model": {}, "trainer": {"lr": rate}}
    components = {
        "dataset": Ref("digits"),
        "model": Ref(model),
        "trainer": Ref("sgd", {"lr": rate}),
    }
    settings = {"dtype": "float64", "loss": {"name": "auto", "l2": 0.0}}
    trial = Trial("made", "training", components, parameters, seed, settings)
    points = []
    for step in range(5):
        value = 2.0 + (end - 2.0) * step / 4
        names = ("train_loss", "test_loss", "linear_gap")
        points += [CurvePoint(19 * step, float(step), 0.1 * step, name, value) for name in names]
    return Record(trial, Status.OK, metrics={"train_loss": end}, curves=points)


@pytest.fixture
def frames(tmp_path):
    store = Store(tmp_path)
    records = [
        record(model, rate, seed, end * factor)
        for model, factor in (("linear", 1.0), ("mlp", 0.5))
        for rate, end in RATES.items()
        for seed in (0, 1, 2)
    ]
    store.write_suite({"name": "made", "experiment": "training", "seeds": [0, 1, 2]})
    store.write_plan([{"key": one.trial.key, "trial": one.trial.to_json()} for one in records])
    for one in records:
        store.write(one)
    return load(tmp_path)


def test_each_entry_is_drawn_once_at_its_best_step_along_epochs(frames):
    picture = best_steps(frames)
    train = picture.data[picture.data["of"] == "train loss"]
    assert set(train["entry"]) == {"linear", "mlp"}
    ends = train[train["epoch"] == 4.0].set_index("entry")["median"]
    assert ends["linear"] == pytest.approx(0.05)
    assert ends["mlp"] == pytest.approx(0.025)
    assert train["epoch"].max() == 4.0
    assert [axes.get_xlabel() for axes in picture.figure.axes] == ["epoch", "epoch"]


def test_the_best_steps_are_written_above_their_panel(frames):
    left = best_steps(frames).figure.axes[0]
    assert left.get_title(loc="left") == "digits: linear 1, mlp 1"


def test_a_run_without_a_grid_has_no_such_figure(frames):
    one_rate = frames.trials[frames.trials["trainer.lr"] == 1.0]
    assert best_steps(type(frames)(one_rate, frames.curves, frames.suite, {}, {})) is None


def test_a_curve_belongs_to_the_entry_of_its_best_step(frames, things_of, tmp_path):
    entries = list(dict.fromkeys(frames.trials["entry"]))
    best = {str(place) for place, entry in enumerate(entries) if "lr=1.0" in entry or "lr=1]" in entry}
    owned = {owner for owner, colours, _ in things_of(best_steps(frames), tmp_path) if colours}
    assert owned == best
    assert len(best) == 2
