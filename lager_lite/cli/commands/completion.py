"""lager-lite completion"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    bash: put `eval "$(lager-lite completion bash)"` into ~/.bashrc; zsh: the same with zsh, into
    ~/.zshrc; fish: lager-lite completion fish > ~/.config/fish/completions/lager-lite.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "lager-lite", "_LAGER_LITE_COMPLETE").source())
