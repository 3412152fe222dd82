import subprocess
import sys

import pytest
from malformed import CASES

from deqbench.cli import main


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_suite_exits_2_with_one_message_and_runs_nothing(name, write, tmp_path, capsys):
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["run", write(CASES[name][0], head=""), "--out", str(out)])
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n  - ") <= 1, printed.err
    assert "Traceback" not in printed.err
    assert not out.exists()


def test_a_real_process_prints_the_message_alone(write, tmp_path):
    command = [sys.executable, "-m", "deqbench", "run", write(CASES["bad TOML"][0], head="")]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: ")
    assert "is no TOML" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
