"""lager-lite merge"""

from __future__ import annotations

from typing import Any

import click

from ...data import counted
from ...scaleout import merge_outputs
from ..grammar import command as cli_command
from ..options import limit_option, open_given, quiet_option, rubric_option, scale_option, table_options, unit_option
from ..outputs import OutputFile
from ..show.progress import say, show_stage


@cli_command("merge", example="lager-lite merge items.jsonl part1.jsonl part2.jsonl -o scores.jsonl")
@click.argument("items", metavar="ITEMS")
@click.argument("outputs", metavar="OUTPUT...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "-o",
    "--output",
    required=True,
    type=OutputFile((".jsonl", ".ndjson", ".csv", ".tsv")),
    help="Write to this file, of the same kind as the outputs.",
)
@rubric_option
@scale_option
@limit_option()
@table_options
@unit_option
@quiet_option
def command(items: str, outputs: tuple[str, ...], output: str, **given: Any) -> None:
    """Merge the outputs of all shards of ITEMS, in the order of ITEMS.

    The merged file is byte for byte what one run without --shard would have written, where all shards ran with the
    same library, on the same kind of device and with the same instructions of a processor: rows do not say with which,
    so nothing warns where scores differ a little. Outputs are refused where their rows show that they were scored on
    another scale, by a panel beside a single model, or with weights that give an interval beside others. Give the same -n as to the shards, and the same -r and --scale where
    ITEMS has labels for scores. Nothing is written where a judgment is missing, occurs twice, or belongs to no item.
    """
    source = open_given(items, given)
    with show_stage("merging"):
        merged = merge_outputs(source.items, outputs, output)
    sizes = " + ".join(map(str, merged.sizes))
    say(f"{counted(merged.rows, 'row')} ({sizes}) of {counted(merged.items, 'item')} written to {output}")
