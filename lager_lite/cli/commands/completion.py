"""lager-lite completion"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ..grammar import command as cli_command

SHELLS = ("bash", "zsh", "fish")


@cli_command("completion", example='eval "$(lager-lite completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    For bash, put the line of the example into ~/.bashrc; for zsh, put the same line with zsh into ~/.zshrc; for fish,
    run: lager-lite completion fish > ~/.config/fish/completions/lager-lite.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "lager-lite", "_LAGER_LITE_COMPLETE").source())
