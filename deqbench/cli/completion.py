"""``deqbench completion SHELL``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the script that completes commands, suites and components in SHELL.

    \b
    bash  eval "$(deqbench completion bash)"              in ~/.bashrc
    zsh   eval "$(deqbench completion zsh)"               in ~/.zshrc
    fish  deqbench completion fish > ~/.config/fish/completions/deqbench.fish
    """
    from deqbench.cli import deqbench  # noqa: PLC0415  the group imports this module

    made = get_completion_class(shell)
    assert made is not None  # click knows the three
    click.echo(made(deqbench, {}, "deqbench", "_DEQBENCH_COMPLETE").source())
