"""lager-lite data"""

from __future__ import annotations

import click

from ...data import convert, read_items
from .score import parse_map


@click.group("data")
def command() -> None:
    """Convert files of known layouts."""


@command.command("convert")
@click.argument("source", metavar="FILE")
@click.option("-o", "--output", default="-", show_default=True, help="JSONL or CSV file, - for stdout.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Where a field stands in your rows.")
@click.option("--layout", help="Layout of the file. Default: detected.")
def convert_(source: str, output: str, mapping: tuple[str, ...], layout: str | None) -> None:
    """Write FILE as our own rows: id, fields, score(s), group."""
    dataset = read_items(source, mapping=parse_map(mapping), layout=layout)
    click.echo(dataset.message, err=True)
    click.echo(f"{convert(dataset, output)} rows written", err=True)
