"""lager-lite models"""

from __future__ import annotations

from dataclasses import asdict

import click

from ...backbones import list_models, read_catalog
from ..grammar import group
from ..options import json_option
from ..show.machine import show_catalog, show_models
from ..show.terminal import present
from .copies import command as copies
from .tune import command as tune


@group("models", example="lager-lite models list")
def command() -> None:
    """Show the models of this machine, make a faster copy of one, and delete copies."""


@command.command("list", example="lager-lite models list ~/models")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@json_option
def list_(folders: tuple[str, ...], json_file: str | None) -> None:
    """List every GGUF model on this machine; nothing is copied or downloaded.

    The caches of Hugging Face, Ollama, LM Studio and llama.cpp, installed packages of models, and each FOLDER are
    searched. The first column is what -m takes.
    """
    rows = list_models(folders)
    present(json_file, lambda: [row.to_dict() for row in rows], lambda: show_models(rows))


@command.command("catalog", example="lager-lite models catalog")
@json_option
def catalog(json_file: str | None) -> None:
    """List the short names that -m knows: public backbones that suit judging."""
    entries = tuple(read_catalog().values())
    present(json_file, lambda: [asdict(entry) for entry in entries], lambda: show_catalog(entries))


command.add_command(copies)
command.add_command(tune)
