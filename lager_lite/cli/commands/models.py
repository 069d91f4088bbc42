"""lager-lite models"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from ...backbones import MEMORY_TOKENS, LocalModel, list_models, read_catalog
from .. import show
from .tune import command as tune


@click.group("models")
def command() -> None:
    """Show the models of this machine, and what judges well."""


def _cells(row: LocalModel) -> tuple[str, ...]:
    if not row.judges:
        return (row.name, f"{row.size / 1e6:,.0f}", row.architecture, row.quantization, "", "", "", "no")
    context, memory = f"{row.context:,}", f"{row.memory / 1e6:,.0f}"
    return (
        row.name,
        f"{row.size / 1e6:,.0f}",
        row.architecture,
        row.quantization,
        str(row.blocks),
        context,
        memory,
        "yes",
    )


@command.command("list")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.option("--json", "as_json", is_flag=True)
def list_(folders: tuple[str, ...], as_json: bool) -> None:
    """List every GGUF model on this machine; nothing is copied or downloaded.

    Looked through are the caches of Hugging Face, Ollama, LM Studio and llama.cpp, installed packages
    of models, and each FOLDER. The first column is what -m takes.
    """
    rows = list_models(folders)
    if as_json:
        click.echo(json.dumps([r.to_dict() for r in rows]))
        return
    if rows:
        head = ("model", "MB", "architecture", "quantization", "layers", "context", "memory MB", "judges")
        click.echo(show.table(head, [_cells(r) for r in rows]))
    for row in rows:
        if row.reason:
            click.echo(f"{row.name}: {row.reason}", err=True)
    judging = sum(r.judges for r in rows)
    click.echo(f"{len(rows)} models, {judging} can judge; memory is for prompts of {MEMORY_TOKENS:,} tokens", err=True)


@command.command("catalog")
@click.option("--json", "as_json", is_flag=True)
def catalog(as_json: bool) -> None:
    """List the short names that -m knows: public backbones that suit judging."""
    entries = read_catalog().values()
    if as_json:
        click.echo(json.dumps([asdict(e) for e in entries]))
        return
    rows = [(e.name, "yes" if e.paper else "", f"{e.repo}:{e.quant}" if e.repo else e.package, e.note) for e in entries]
    click.echo(show.table(("name", "paper", "where", "note"), rows))


command.add_command(tune)
