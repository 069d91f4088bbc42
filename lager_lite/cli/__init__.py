"""The command line: click commands, each a thin call of the library.

A command's file is loaded when the command is called, so that --help is quick.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from .. import __version__
from ..errors import BUILD_HINT, COMMAND, NOT_INSTALLED, LagerError, LagerWarning, through
from ..system import Interrupted, signals_deferred, watching
from .grammar import CommandGroup
from .settings import default_map
from .show.stopping import kept

COMMANDS = {
    "score": ("score", "Score every item of a file."),
    "merge": ("merge", "Merge the outputs of shards."),
    "demo": ("demo", "Score the set that ships with the program."),
    "prompt": ("prompt", "Show the rendered prompt, its tokens and the score tokens."),
    "states": ("states", "Write the hidden states of every layer to a NumPy file."),
    "fit": ("fit", "Fit layer weights on human-scored items."),
    "eval": ("evaluate", "Compare the methods with human scores."),
    "compare": ("compare", "Compare two evaluations of the same items."),
    "gate": ("gate", "Fail a build where scores are too low."),
    "rank": ("rank", "Order the responses to each instruction."),
    "pairs": ("pairs", "Compare two responses side by side, in both orders."),
    "select": ("select", "Keep the best rows of a training set."),
    "view": ("view", "Write a page to look through scores, and to label items."),
    "inspect": ("inspect", "Show one item layer by layer."),
    "estimate": ("estimate", "Estimate the mean score of a file from few labels."),
    "next": ("next", "Name the rows to label next."),
    "knowledge": ("knowledge", "Tell unanswerable questions from answerable ones."),
    "data": ("data", "Check files of items, and convert those of public layouts."),
    "rubrics": ("rubrics", "List and show the rubrics that ship, and begin a new one."),
    "serve": ("serve", "Answer other programs over HTTP, on this machine."),
    "mcp": ("mcp", "Offer the judge to an assistant as tools."),
    "promptfoo": ("promptfoo", "Grade one output for promptfoo."),
    "store": ("store", "Show, merge or clear the store of readings."),
    "models": ("models", "Show the models of this machine, and make a faster copy of one."),
    "prune": ("prune", "Write a smaller copy of a model for given weights."),
    "bench": ("bench", "Measure speed on this machine."),
    "drift": ("drift", "Measure how far scores move with threads, batches and order."),
    "backend": ("backend", "Build llama.cpp with the native tap, and show which one is used."),
    "completion": ("completion", "Print the completion script of a shell."),
    "doctor": ("doctor", "Say what would be used on this machine, and why."),
    "docs": ("docs", "Show a page of the documentation, or list the pages."),
}


class LazyGroup(CommandGroup):
    """Imports a command's module when the command is called; a LagerError becomes exit code 1, and the signals SIGINT
    and SIGTERM become 130 and 143."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        with signals_deferred():
            found = importlib.import_module(f".commands.{COMMANDS[cmd_name][0]}", __name__).command
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the end of the help, and how the library is brought where there is none."""
        super().format_epilog(ctx, formatter)
        if importlib.util.find_spec("llama_cpp") is None:
            formatter.write_paragraph()
            formatter.write(f"{NOT_INSTALLED}. Try: {BUILD_HINT}\n")

    def invoke(self, ctx: click.Context) -> object:
        """Run a command, with the defaults of the configuration and warnings in the words of a command."""
        with through(COMMAND):
            try:
                with watching(), _shown_warnings():
                    ctx.default_map = default_map(self, ctx) or ctx.default_map
                    return super().invoke(ctx)
            except Interrupted as error:
                command = self.get_command(ctx, ctx.invoked_subcommand or "")
                click.echo(f"Stopped by {error.name}. {kept(ctx, command)}", err=True)
                ctx.exit(error.exit_code)
            except LagerError as error:
                click.echo(f"Error: {error.message}", err=True)
                if error.hint:
                    click.echo(f"Try: {error.hint}", err=True)
                ctx.exit(1)


@contextmanager
def _shown_warnings() -> Iterator[None]:
    """Show every warning of ours on stderr, above what is shown there."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", LagerWarning)
        others, told = warnings.showwarning, set[str]()

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            """Write a warning of ours as a line on stderr, once in a run, and any other one as Python would."""
            if not issubclass(category, LagerWarning):
                others(message, category, *place)
            elif str(message) not in told:
                from .show.progress import say  # what it draws with takes a while to load

                told.add(str(message))
                say(f"Warning: {message}")

        warnings.showwarning = show  # type: ignore[assignment]  # the file and the line do not matter here
        yield


@click.group(cls=LazyGroup, example="lager-lite demo")
@click.version_option(__version__, prog_name="lager-lite")
def main() -> None:
    """A local judge: continuous scores from every layer of a frozen GGUF model.

    Exit codes: 0 success; 1 an error, or items that could not be judged; 2 wrong usage; 3 a bound that `gate` was given
    is missed; 130 stopped by Ctrl-C, 143 by SIGTERM; 141 the reader of the output ended first.
    """
