"""lager-lite data"""

from __future__ import annotations

from typing import Any

import click

from ...data import convert, read_items
from ..grammar import group
from ..options import mapped_keys, table_options
from ..outputs import ROW_FILES, OutputFile
from ..show.understood import show_understood

_EXAMPLE = "lager-lite data convert judge_bench.json -o items.jsonl"


@group("data", example=_EXAMPLE)
def command() -> None:
    """Convert files of known layouts."""


@command.command("convert", example=_EXAMPLE)
@click.argument("source", metavar="FILE")
@click.option(
    "-o",
    "--output",
    type=OutputFile(ROW_FILES, stdout=True),
    default="-",
    show_default=True,
    help="Write to this JSONL or CSV file; - is stdout.",
)
@table_options
def convert_(source: str, output: str, **given: Any) -> None:
    """Write the items of FILE as rows with the keys of lager-lite: id, fields, score(s), group."""
    how = {name: given[name] for name in ("layout", "encoding", "ignore")}
    dataset = read_items(source, mapping=mapped_keys(given), keep_thoughts=True, **how)
    if dataset.understood:
        show_understood(dataset.understood)
    click.echo(f"{convert(dataset, output)} rows written", err=True)
