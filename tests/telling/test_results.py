from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from deqbench.cli.report import report as report_command
from deqbench.errors import ConfigurationError, StoreError
from deqbench.telling import tables
from deqbench.telling.loading import load
from deqbench.telling.results import Results


def test_results_hold_the_tables_of_a_run(run_folder):
    results = Results.open(run_folder)
    assert len(results.trials) == 42
    assert {"train_loss", "test_accuracy"} <= set(results.curves["name"])
    assert len(results.summary) == 14


def test_results_print_as_the_summary(run_folder):
    assert "mlp/adam" in str(Results.open(run_folder))


def test_results_of_a_folder_without_a_run_are_refused(tmp_path):
    with pytest.raises(StoreError):
        Results.open(tmp_path)


def test_the_command_writes_the_report_and_prints_its_path(fake, tmp_path):
    folder = fake.write_run(tmp_path, [fake.record(fake.ENTRIES[6])])
    done = CliRunner().invoke(report_command, [str(folder)])
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == f"Report: {folder / 'report.html'}"
    assert (folder / "report.html").is_file()


def test_the_telling_wing_never_imports_torch():
    code = "import sys, deqbench.telling.report, deqbench.telling.results; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_results_can_be_named_without_pandas():
    code = "import sys, deqbench.telling.results; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parquet_holds_the_tables_of_the_csv(fake, tmp_path):
    records = [fake.record(entry, seed=seed) for entry in fake.ENTRIES for seed in (0, 1)]
    folder = fake.write_run(tmp_path, records)
    done = CliRunner().invoke(
        report_command, [str(folder), "--format", "parquet", "--format", "csv", "--quiet"]
    )
    assert done.exit_code == 0, done.output
    for name in ("trials", "curves", "summary"):
        csv, parquet = pd.read_csv(folder / f"{name}.csv"), pd.read_parquet(folder / f"{name}.parquet")
        assert list(parquet) == list(csv)
        for column in csv.select_dtypes("number"):
            left = pd.to_numeric(parquet[column]).astype("float64")
            pd.testing.assert_series_equal(left, csv[column].astype("float64"), check_names=False)


def test_without_pyarrow_the_extra_is_named(fake, tmp_path, monkeypatch):
    frames = load(fake.write_run(tmp_path, [fake.record(fake.ENTRIES[6])]))
    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"deqbench\[parquet\]"):
        tables.write_parquet(frames, tmp_path)
