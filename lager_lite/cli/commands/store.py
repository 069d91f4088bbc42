"""lager-lite store"""

from __future__ import annotations

from dataclasses import asdict

import click

from ...data import counted
from ...judging import Store
from ...system import store_path as default_path
from ..grammar import group
from ..options import json_option, store_option
from ..show.machine import show_store
from ..show.terminal import present


@group("store", example="lager-lite store info")
def command() -> None:
    """Show, merge or clear the store of readings."""


@command.command("info", example="lager-lite store info")
@store_option
@json_option
def info(store_path: str | None, json_file: str | None) -> None:
    """Show where the store is and how much it holds."""
    with Store(store_path or default_path()) as store:
        found = store.info()
    present(json_file, lambda: {**asdict(found), "path": str(found.path)}, lambda: show_store(found))


@command.command("clear", example="lager-lite store clear --yes")
@click.confirmation_option(prompt="Delete every stored reading?", help="Delete without asking.")
@store_option
def clear(store_path: str | None) -> None:
    """Delete every reading of the store."""
    with Store(store_path or default_path()) as store:
        click.echo(f"{counted(store.clear(), 'reading')} deleted")


@command.command("merge", example="lager-lite store merge part1.sqlite part2.sqlite --store all.sqlite")
@click.argument("others", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@store_option
def merge(others: tuple[str, ...], store_path: str | None) -> None:
    """Copy the readings of OTHERS into the store."""
    with Store(store_path or default_path()) as store:
        for other in others:
            with Store(other) as source:
                click.echo(f"{counted(store.merge(source), 'reading')} from {other}")
