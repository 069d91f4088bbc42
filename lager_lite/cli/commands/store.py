"""lager-lite store"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from ...judging import Store
from ...system import store_path

_path = click.option("--store", "path", type=click.Path(dir_okay=False), help="Default: in the user's cache folder.")


@click.group("store")
def command() -> None:
    """Show or clear the store of readings."""


@command.command()
@_path
@click.option("--json", "as_json", is_flag=True)
def info(path: str | None, as_json: bool) -> None:
    """Where the store is and how much it holds."""
    with Store(path or store_path()) as store:
        found = store.info()
    if as_json:
        click.echo(json.dumps({**asdict(found), "path": str(found.path)}))
        return
    click.echo(
        f"path      {found.path}\nreadings  {found.readings}\nfeedback  {found.feedback}\nmodels    {found.models}\nsize      {found.bytes / 1e6:.1f} MB"
    )


@command.command()
@_path
@click.confirmation_option(prompt="Delete every stored reading?")
def clear(path: str | None) -> None:
    """Delete every reading."""
    with Store(path or store_path()) as store:
        click.echo(f"{store.clear()} readings deleted")


@command.command()
@click.argument("others", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@_path
def merge(others: tuple[str, ...], path: str | None) -> None:
    """Copy the readings of OTHERS into the store."""
    with Store(path or store_path()) as store:
        for other in others:
            with Store(other) as source:
                click.echo(f"{store.merge(source)} readings from {other}")
