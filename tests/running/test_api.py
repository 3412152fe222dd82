from __future__ import annotations

import subprocess
import sys

import pytest

import deqbench
from deqbench.errors import ConfigurationError
from deqbench.records import Status
from deqbench.workers import Outcome

SUITE = """
seeds = [0]
budget = { steps = 1 }
defaults = { dataset = "wine", trainer = "gd" }
[[grid]]
model = ["linear", "mlp[width=4]"]
"""


@pytest.fixture
def suite(tmp_path, fake_workers, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pair.toml"
    path.write_text(SUITE)
    return path


def test_run_returns_frames(suite):
    results = deqbench.run(suite, report=False, quiet=True)
    assert list(results.trials["model"]) == ["linear", "mlp"]
    assert set(results.trials["status"]) == {"ok"}


def test_a_failed_trial_raises_nothing_and_is_a_row(suite, fake_workers):
    fake_workers.answers = {"linear": lambda _, job: Outcome(job, status=Status.ERROR, reason="it broke")}
    trials = deqbench.run(suite, report=False, quiet=True).trials
    assert list(trials["status"]) == ["error", "ok"]
    assert trials["reason"][0] == "it broke"


@pytest.mark.parametrize("overrides", [{"seeds": [3, 4]}, ["seeds=[3, 4]"]])
def test_overrides_are_a_table_or_words(suite, overrides):
    trials = deqbench.run(suite, overrides=overrides, report=False, quiet=True).trials
    assert set(trials["seed"]) == {3, 4}


def test_a_mistake_raises_before_anything_is_written(suite):
    with pytest.raises(ConfigurationError):
        deqbench.run(suite, overrides={"seedz": [1]}, quiet=True)
    assert not (suite.parent / "reports").exists()


def test_an_interruption_is_passed_on(suite, fake_workers):
    def interrupt(_pool, _job):
        raise KeyboardInterrupt

    fake_workers.answers = {"linear": interrupt}
    with pytest.raises(KeyboardInterrupt):
        deqbench.run(suite, report=False, quiet=True)


def test_importing_deqbench_imports_neither_torch_nor_pandas():
    code = "import sys, deqbench; sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'rich')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", deqbench.__all__)
def test_every_exported_name_is_there(name):
    assert getattr(deqbench, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'abacus'"):
        deqbench.abacus  # noqa: B018  the access is the test
