"""lager-lite inspect"""

from __future__ import annotations

import itertools
from typing import Any

import click

from ...data import Source
from ...errors import DataError
from ...evaluation import origin_of
from ...records import Item
from ...report import check_report, write_inspection
from ...tasks import inspect_item
from ..grammar import command as cli_command
from ..options import (
    items_options,
    json_option,
    judge_options,
    open_given,
    open_weighted,
    report_option,
    weights_options,
)
from ..show.progress import say
from ..show.terminal import present, show_flags
from ..show.uses import show_inspections


def _chosen(source: Source, data: str, identity: str | None, number: int | None) -> Item:
    """The item with that id, or the one with that number from 1."""
    if identity is None:
        found = next(itertools.islice(source.items, (number or 1) - 1, None), None)
        if found is None:
            raise DataError(
                f"{data}: there is no item {number}, the last one is {source.count}", "use a smaller --number"
            )
        return found
    for item in source.items:
        if str(item.id) == identity:
            return item
    first = ", ".join(str(item.id) for item in itertools.islice(source.items, 5))
    raise DataError(f"{data}: no item has the id {identity!r}", f"the ids begin with {first}")


@cli_command("inspect", example="lager-lite inspect items.jsonl -r helpfulness --number 3")
@click.argument("items", metavar="ITEMS")
@click.option("--id", "identity", help="Show the item with this id.")
@click.option("--number", type=click.IntRange(1), help="Show the item with this number, counted from 1.  [default: 1]")
@items_options
@weights_options
@judge_options
@json_option
@report_option
def command(items: str, identity: str | None, number: int | None, **given: Any) -> None:
    """Show one item of ITEMS layer by layer.

    For every state the table has the probability of each label (in %), the expected score and the most likely label
    of that state alone, how far its distribution lies from the final one (0 to 1), and what the state adds to the
    score. Contributions are in points of the scale; together with the middle of the scale and the bias they add up to
    the raw score. The page of --report shows a heat map of the layers.
    """
    if identity is not None and number is not None:
        raise click.UsageError("give --id or --number, not both")
    if given["report"]:
        check_report()
    item = _chosen(open_given(items, given, need_scores=False), items, identity, number)
    with open_weighted(given, early=False) as judge:
        found = inspect_item(judge, item)
        origin = origin_of(judge, items, weights=given["weights"])
        counts = judge.counts
    say(f"{item.where}: item {item.id}")
    show_flags(counts)
    present(given["json_file"], lambda: [one.to_dict() for one in found], lambda: show_inspections(found))
    if given["report"]:
        write_inspection(given["report"], item, found, origin)
