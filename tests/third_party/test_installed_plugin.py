"""A stranger's package, installed with pip into a fresh environment beside deqbench, is found and runs."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "deqbench-heavyball"

SUITE = """
title = "Heavy ball"
seeds = [0]
evaluations = 1

[budget]
epochs = 1

[defaults]
dataset = "wine"
model = "deq-mlp[width=4]"
gradient = "implicit"
trainer = "adam"

[[grid]]
solver = ["heavyball[beta=0.1]", "anderson"]
"""


def ran(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a fresh environment that sees this one's packages, the stranger's installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    site = Path(ran(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # One line stands for installing deqbench and its dependencies again, which would need a network.
    ours = sysconfig.get_path("purelib")
    (site / "beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    source = shutil.copytree(PACKAGE, folder / "source")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet"]
    ran(*pip, "install", "--no-index", "--no-build-isolation", "--no-deps", source)
    return python


@pytest.mark.slow_install
def test_it_is_listed_with_its_distribution_and_version(python):
    listed = json.loads(ran(python, "-m", "deqbench", "list", "solvers", "--json"))
    (found,) = [one for one in listed["components"] if one["name"] == "heavyball"]
    assert found["origin"] == "deqbench-heavyball:heavyball"
    assert (found["distribution"], found["version"]) == ("deqbench-heavyball", "1.0")
    assert {"anderson", "picard"} <= {one["name"] for one in listed["components"]}


@pytest.mark.slow_install
def test_it_passes_the_checks(python):
    assert "0 failed" in ran(python, "-m", "deqbench", "check", "heavyball", "heavyball[beta=0.4]")


@pytest.mark.slow_install
def test_it_competes_in_a_run(python, tmp_path):
    (tmp_path / "heavy.toml").write_text(SUITE)
    ran(python, "-m", "deqbench", "run", "heavy.toml", "--out", "out", "--no-report", "--quiet", cwd=tmp_path)
    records = [json.loads(path.read_text()) for path in (tmp_path / "out" / "records").glob("*.json")]
    solvers = {record["trial"]["components"]["solver"]["name"]: record["status"] for record in records}
    assert solvers == {"heavyball": "ok", "anderson": "ok"}


def test_it_is_not_installed_here():
    listed = ran(sys.executable, "-m", "deqbench", "list", "solvers")
    assert "heavyball" not in listed


def test_its_solver_takes_under_thirty_lines():
    source = (PACKAGE / "src" / "deqbench_heavyball" / "__init__.py").read_text(encoding="utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) < 30
