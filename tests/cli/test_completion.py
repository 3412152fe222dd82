import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_deqbench(shell, call):
    code, out, _ = call("completion", shell)
    assert code == 0
    assert "_DEQBENCH_COMPLETE" in out


def completed(words, heavy="torch"):
    """Ask as bash does; return the words offered, after a check that nothing heavy was loaded."""
    program = (
        "import sys\nfrom deqbench.cli import main\n"
        "try: main([])\n"
        f"finally: assert {heavy!r} not in sys.modules, 'completion loaded {heavy}'"
    )
    asked = {
        "_DEQBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Error" not in done.stderr, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("deqbench sh", "show"),
        ("deqbench list sol", "solvers"),
        ("deqbench show ander", "anderson"),
        ("deqbench show models/unr", "models/unrolled"),
        ("deqbench run quick", "quickstart"),
        ("deqbench run smoke --js", "--json"),
    ],
)
def test_a_word_is_completed_without_torch(words, offered):
    assert offered in completed(words)
