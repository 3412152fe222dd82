from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from deqbench.cli.report import report as report_command
from deqbench.errors import StoreError
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
