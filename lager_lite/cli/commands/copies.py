"""lager-lite models copies"""

from __future__ import annotations

import click

from ...errors import BackendError
from ...llama import copies_of, delete_copies, list_copies
from ..grammar import group
from ..options import json_option
from ..show.machine import count_copies, show_copies
from ..show.terminal import present


@group("copies", example="lager-lite models copies list")
def command() -> None:
    """Show and delete the unpacked copies that NVIDIA GPUs read in place of quantized models."""


@command.command("list", example="lager-lite models copies list")
@json_option
def list_(json_file: str | None) -> None:
    """List the unpacked copies: of which file, how large, when they were last used, and whether a process reads them now.

    The first load of a quantized model on an NVIDIA GPU makes its copy. What a killed process left of one is listed as
    unfinished.
    """
    copies = list_copies()
    present(json_file, lambda: [copy.to_dict() for copy in copies], lambda: show_copies(copies))


@command.command("delete", example="lager-lite models copies delete judge.gguf --yes")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--all", "every", is_flag=True, help="Delete all copies.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
def delete(models: tuple[str, ...], every: bool, yes: bool) -> None:
    """Delete the unpacked copies of each MODEL, or with --all every copy.

    MODEL is what -m takes, or what `list` shows. A copy that a running process reads is kept, and the exit code is
    then 1. The next load of the model on an NVIDIA GPU makes its copy again.
    """
    if bool(models) == every:
        raise click.UsageError("name the models whose copies are to be deleted, or give --all")
    copies = list_copies() if every else tuple(dict.fromkeys(c for model in models for c in copies_of(model)))
    if not copies:
        return click.echo("there is no copy to delete")
    size = sum(copy.bytes for copy in copies) / 1e6
    if not yes:
        click.confirm(f"Delete {count_copies(len(copies))} of {size:,.0f} MB?", abort=True)
    done = delete_copies(copies)
    gone = [copy for copy, reason in done if not reason]
    click.echo(f"{count_copies(len(gone))} deleted, {sum(copy.bytes for copy in gone) / 1e6:,.0f} MB")
    kept = [f"{copy.path.name} was kept: {reason}" for copy, reason in done if reason]
    if kept:
        raise BackendError("; ".join(kept), "end the process that reads it, and delete it then")
