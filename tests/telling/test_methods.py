"""The methods text says what the run recorded, and nothing that it did not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deqbench.telling.report.content import content_of
from deqbench.telling.report.latex import latex
from deqbench.telling.report.methods import bibtex, methods
from deqbench.telling.report.sections import Story
from deqbench.telling.report.sections import methods as section


def text(frames):
    return " ".join(methods(frames))


@pytest.fixture(scope="module")
def said(frames):
    return text(frames)


def test_it_counts_entries_data_sets_and_seeds(said):
    assert "14 entries were compared on 1 data set (digits)" in said
    assert "each of 3 seeds (0 to 2)" in said


def test_it_names_versions_machine_and_limits(said):
    assert "torch 2.13.0" in said
    assert "AMD EPYC 7B13" in said
    assert "beyond 30 s of wall time or 2 GiB of memory" in said


def test_it_says_how_equilibria_were_stopped(said):
    assert "a relative residual of 0.0001 within 100 calls of the map" in said


def test_it_counts_the_failures_by_status(said):
    assert "did not end well (1 not converged, 1 diverged, 1 timeout, 1 out of memory)" in said


def test_it_does_not_speak_of_operations_that_nobody_counted(said):
    assert "Floating-point operations" not in said


def test_it_names_whose_operations_are_unknown(frames):
    trials = frames.trials.assign(operations=1e9, operations_coverage=0.987)
    trials.loc[trials["label"] == "linear/lbfgs", "operations"] = float("nan")
    told = text(replace(frames, trials=trials))
    assert "at least 98.7%" in told
    assert "not known for linear/lbfgs" in told


def test_it_says_that_trials_ran_side_by_side(frames):
    assert "2 at a time" in text(replace(frames, run={**frames.run, "jobs": 2}))


def test_it_says_nothing_of_a_machine_that_was_not_recorded(frames):
    told = text(replace(frames, environment={}, run={}))
    assert "The machine" not in told
    assert "Versions" not in told


def test_bibtex_names_the_version_the_commit_and_the_paper(frames):
    entries = bibtex(frames)
    assert "Version 0.1.0, commit b25d0fc2a91e, with changes of its own" in entries
    assert "eprint        = {2102.07346}" in entries
    assert entries.count("{") == entries.count("}")


def test_the_tables_are_those_of_the_latex_report(frames):
    content = content_of(frames)
    assert section.build(Story(frames, content)).latex == latex(content)


def test_tables_that_are_too_long_are_referred_to(frames, monkeypatch):
    monkeypatch.setattr(section, "MOST_CHARACTERS", 100)
    it = section.build(Story(frames, content_of(frames)))
    assert it.latex == ""
    assert "deqbench report RUN --format tex" in it.notice
