"""lager-lite merge"""

from __future__ import annotations

from typing import Any

import click

from ...scaleout import merge_outputs
from ..options import data_options
from .score import open_source


@click.command("merge")
@click.argument("items", metavar="ITEMS")
@click.argument("outputs", metavar="OUTPUT...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False), help="JSONL, CSV or TSV, as the outputs."
)
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N items, as the shards.")
@data_options
def command(items: str, outputs: tuple[str, ...], output: str, **given: Any) -> None:
    """Put the outputs of all shards of ITEMS together, in the order of ITEMS.

    What comes out is what one run without --shard would have written, byte for byte. Nothing is
    written where a judgment is missing, is there twice, or belongs to no item.
    """
    source = open_source(items, *(given[name] for name in ("mapping", "layout", "limit")))
    merged = merge_outputs(source.items, outputs, output)
    sizes = " + ".join(map(str, merged.sizes))
    click.echo(f"{merged.rows} rows ({sizes}) of {merged.items} items written to {output}", err=True)
