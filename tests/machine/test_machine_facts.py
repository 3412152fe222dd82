"""Machine facts: true, plain JSON, and about the right repository."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from click.testing import CliRunner

import deqbench
from deqbench.cli.env import env, rows_of
from deqbench.errors import ConfigurationError
from deqbench.measuring import machine
from deqbench.measuring.checkout import checkout_facts


@pytest.fixture(scope="module")
def found():
    return machine.facts()


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "deqbench").mkdir()
    (tmp_path / "deqbench" / "__init__.py").touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_facts_are_plain_json(found):
    assert json.loads(json.dumps(found)) == found


def test_facts_name_this_machine(found):
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["torch"] == torch.__version__
    assert found["memory"]["total_bytes"] == psutil.virtual_memory().total
    assert found["cpu"]["usable"] == len(os.sched_getaffinity(0))
    assert found["cpu"]["model"]
    assert found["blas"]["torch"]


def test_facts_name_every_distribution_that_offers_plugins(found):
    assert found["plugins"]["deqbench"] == found["versions"]["deqbench"]


def test_a_job_tells_the_facts_of_its_own_process(found):
    assert machine.facts_job({}, print)["host"] == found["host"]


@pytest.mark.parametrize("device", ["gpu", "cud", "mps", "", "cudaa:1"])
def test_an_unknown_device_is_refused_with_what_is_allowed(device):
    with pytest.raises(ConfigurationError, match=r"give cpu, cuda, cuda:N or auto"):
        machine.resolve_device(device)


@pytest.mark.parametrize(
    ("devices", "given", "resolved"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda"),
        (2, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
    ],
)
def test_a_device_resolves_to_what_is_there(monkeypatch, devices, given, resolved):
    monkeypatch.setattr(machine, "_cuda_devices", lambda: devices)
    assert machine.resolve_device(given) == resolved


@pytest.mark.parametrize(("devices", "given"), [(0, "cuda"), (1, "cuda:1"), (1, "cuda:-1"), (1, "cuda:x")])
def test_a_cuda_device_that_is_not_there_is_refused(monkeypatch, devices, given):
    monkeypatch.setattr(machine, "_cuda_devices", lambda: devices)
    with pytest.raises(ConfigurationError, match="torch sees"):
        machine.resolve_device(given)


def test_the_cpu_is_resolved_without_importing_torch():
    code = (
        "import sys; from deqbench.measuring.machine import resolve_device; resolve_device('cpu');"
        "print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_cpu_has_its_makers_name():
    assert machine.device_name("cpu") == machine.device_name(torch.device("cpu")) != ""


def test_a_clean_checkout_has_a_commit_and_is_not_dirty(checkout):
    facts = checkout_facts(checkout / "deqbench" / "__init__.py")
    assert facts == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False}


@pytest.mark.parametrize("changed", ["deqbench/__init__.py", "deqbench/new.py"])
def test_a_changed_or_new_source_file_makes_a_checkout_dirty(checkout, changed):
    (checkout / changed).write_text("x = 1\n")
    assert checkout_facts(checkout / "deqbench" / "__init__.py")["dirty"]


def test_a_new_report_leaves_a_checkout_clean(checkout):
    (checkout / "reports").mkdir()
    (checkout / "reports" / "trials.csv").write_text("a\n")
    assert not checkout_facts(checkout / "deqbench" / "__init__.py")["dirty"]


def test_a_package_installed_inside_somebody_elses_repository_has_no_commit(checkout):
    package = checkout / "venv" / "site-packages" / "deqbench"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    assert checkout_facts(package / "__init__.py") is None


def test_a_package_outside_any_repository_has_no_commit(tmp_path):
    assert checkout_facts(tmp_path / "deqbench" / "__init__.py") is None


def test_env_prints_json_for_machines_and_rows_for_people(found):
    said = CliRunner().invoke(env, ["--json"])
    assert json.loads(said.output)["host"] == found["host"]
    plain = CliRunner().invoke(env)
    assert plain.exit_code == 0
    assert found["cpu"]["model"] in plain.output
    assert "\x1b" not in plain.output


def test_env_shows_gpus_limits_and_a_missing_checkout(found):
    gpu = {"name": "NVIDIA H100", "driver": "570.1", "memory": "81559 MiB", "power_limit": "700 W"}
    memory = {"total_bytes": 2**37, "limit_bytes": 2**34}
    rows = dict(rows_of({**found, "gpus": [gpu], "memory": memory, "checkout": None}))
    assert rows["gpu"] == "NVIDIA H100, 81559 MiB, driver 570.1"
    assert rows["memory"] == "128 GiB, limited to 16 GiB"
    assert rows["checkout"] == "none: installed from a package"


def test_gpus_are_read_from_the_drivers_own_tool(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 570.1, 81559 MiB, 700.00 W'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (gpu,) = machine._gpus()
    assert (gpu["name"], gpu["driver"]) == ("NVIDIA H100 80GB HBM3", "570.1")


def test_a_driver_tool_that_fails_means_no_gpu(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Failed to initialize NVML'\nexit 9\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert machine._gpus() == []


def test_the_models_name_comes_from_the_kernel():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    expected = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    assert machine.device_name("cpu") == expected


def test_a_run_of_this_checkout_names_its_commit_and_no_path():
    found = machine.facts()["checkout"]
    if found is None:
        pytest.skip("deqbench is not imported from a git checkout")
    here = Path(deqbench.__file__).parent
    assert found["commit"] == git(here, "rev-parse", "HEAD")
    assert set(found) == {"commit", "dirty"}
