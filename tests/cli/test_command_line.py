import resource
import subprocess
import sys

import click
import pytest

from deqbench import cli
from deqbench.errors import ConfigurationError

HEAVY = ("torch", "pandas", "numpy", "scipy", "sklearn", "matplotlib", "seaborn")


def loaded_by(*arguments, heavy):
    """Return which of the heavy modules a command imports, in a process of its own."""
    program = (
        "import sys; from deqbench.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        f"finally: print('LOADED', [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["suites"], ["completion", "bash"]])
def test_listing_loads_nothing_heavy(arguments):
    assert loaded_by(*arguments, heavy=HEAVY) == "LOADED []"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_load_less_still(arguments):
    assert loaded_by(*arguments, heavy=(*HEAVY, "pydantic", "rich", "pluggy", "jinja2")) == "LOADED []"


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_the_help_of_a_command_loads_nothing_heavy(command):
    assert loaded_by(command, "--help", heavy=HEAVY) == "LOADED []"


def cpu_seconds(*arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_costs_at_most_three_times_the_imports_it_needs():
    pairs = [
        (cpu_seconds("-c", "import click, pluggy"), cpu_seconds("-m", "deqbench", "--help")) for _ in range(5)
    ]
    least, ours = (min(side) for side in zip(*pairs, strict=True))
    assert ours <= 3 * least


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_every_command_of_the_help_exists_and_documents_its_options(command):
    found = cli.deqbench.get_command(click.Context(cli.deqbench), command)
    assert isinstance(found, click.Command)
    assert found.help
    assert [one.name for one in found.params if isinstance(one, click.Option) and not one.help] == []


def test_a_module_run_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "deqbench", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("deqbench ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["shwo"], "No such command 'shwo'. Did you mean 'show'?"),
        (["list", "slovers"], "Unknown kind 'slovers'. Did you mean 'solvers'?"),
        (["list", "--jsn"], "No such option"),
        (["list", "--no-plugin", "solver"], "Did you mean 'solvers'?"),
        (["list", "--plugin", "absent.py"], "does not exist"),
        (["show", "andersen"], "Unknown component 'andersen'. Did you mean 'anderson'?"),
        (["show", "solvers/andersen"], "Unknown solver 'andersen'. Did you mean 'anderson'?"),
        (["show", "unrolled"], "Write models/unrolled or gradients/unrolled."),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_a_mistake_is_a_message_and_exit_code_2(arguments, told, call):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigurationError(["one", "two"], "suite.toml"), 2), (KeyboardInterrupt(), 130), (SystemExit(1), 1)],
    ids=["mistake", "ctrl-c", "exit"],
)
def test_exit_codes(error, code, call, monkeypatch):
    @click.command()
    def failing():
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    assert call("run")[0] == code


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    @click.command()
    def failing():
        raise ZeroDivisionError

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    with pytest.raises(ZeroDivisionError):
        cli.main(["run"])


def test_a_commands_integer_is_the_exit_code(call, monkeypatch):
    @click.command()
    def one():
        return 1

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: one)
    assert call("run")[0] == 1
