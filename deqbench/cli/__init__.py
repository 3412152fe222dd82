"""The command line: each command in a module of its own, imported only when it is called.

Exit codes: 0 all is well; 1 some trials failed or some checks found a fault; 2 a mistake in usage,
configuration or a plugin; 3 a run regressed beside another; 4 that cannot be told, and was to be; 7 two runs
cannot be compared; 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from deqbench.errors import DeqbenchError, did_you_mean

COMMANDS = {
    "run": ("deqbench.cli.run:run", "Run a suite and end with its table and report."),
    "list": ("deqbench.cli.listing:list_components", "List every component on offer, or those of one kind."),
    "show": (
        "deqbench.cli.showing:show",
        "Show a component: what it is, its parameters, where it comes from.",
    ),
    "suites": ("deqbench.cli.listing:suites", "List the suites and what they compare."),
    "report": ("deqbench.cli.report:report", "Write the tables, figures and page of a run again."),
    "compare": (
        "deqbench.cli.compare:compare",
        "Judge a run beside an earlier one: better, worse or the same.",
    ),
    "claims": ("deqbench.cli.claims:claims", "Show the verdicts on the claims of a run."),
    "why": ("deqbench.cli.why:why", "Say why a trial was run again, or why its result was reused."),
    "env": ("deqbench.cli.env:env", "Show what machine and which versions a run would record."),
    "check": ("deqbench.cli.checking:check", "Check that components keep the rules, for plugin authors."),
    "completion": ("deqbench.cli.completion:completion", "Print the script that completes words in a shell."),
}
"""Command to where it lives and its line in the help: the help imports none of them."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, not when it is listed."""

    # ruff: noqa: ARG002  click hands a context to methods that need none
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Raises:
            UsageError: There is none; the message offers the nearest.
        """
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"No such command '{args[0]}'.{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and their lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deqbench", message="%(prog)s %(version)s")
def deqbench() -> None:
    """Benchmark implicit deep learning: equilibrium models against explicit and trust-region baselines.

    Start with: deqbench run quickstart
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; a caller's mistake is a message on standard error, not a traceback.

    Args:
        arguments: The words after ``deqbench``; default: this process's own.
    """
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    words = None if arguments is None else list(arguments)
    plain: dict[str, Any] = (
        {"color": False} if os.environ.get("NO_COLOR") else {}
    )  # else click colours terminals alone
    try:
        result = deqbench.main(words, prog_name="deqbench", standalone_mode=False, **plain)
    except click.Abort:  # what click makes of Ctrl-C
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DeqbenchError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    return result if isinstance(result, int) else 0
