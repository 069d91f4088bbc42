"""lager-lite inspect"""

from __future__ import annotations

import itertools
from typing import Any

import click

from ...data import Source, open_items, write_rows
from ...errors import DataError
from ...evaluation import origin_of
from ...records import Item
from ...report import check_report, write_inspection
from ...scoring import load_weights
from ...tasks import Inspection, Layer, inspect_item
from .. import show
from ..options import data_options, open_judge, weighted_options
from .score import parse_map


def _chosen(source: Source, data: str, identity: str | None, number: int | None) -> Item:
    """The item with that id, or the one with that number from 1."""
    if identity is None:
        found = next(itertools.islice(source.items, (number or 1) - 1, None), None)
        if found is None:
            raise DataError(f"{data}: there is no item {number}, the last one is {source.count}", "use a smaller -n")
        return found
    for item in source.items:
        if item.id == identity:
            return item
    first = ", ".join(item.id for item in itertools.islice(source.items, 5))
    raise DataError(f"{data}: no item has the id {identity!r}", f"the ids begin with {first}")


def _row(layer: Layer, found: Inspection) -> tuple[str, ...]:
    return (
        str(layer.state),
        *(f"{100 * p:.0f}" for p in layer.probabilities),
        f"{layer.expected:.2f}",
        layer.label + ("" if layer.label == found.label else " *"),
        f"{layer.apart:.2f}",
        "" if layer.weight is None else f"{layer.weight:+.3f}",
        f"{layer.contribution:+.3f}",
    )


def _show(found: Inspection) -> None:
    judgment = found.judgment
    click.echo(f"rubric {found.rubric}: score {judgment.score:.3f}, by {found.kind} weights, lens {found.lens}")
    click.echo(
        f"direct {judgment.direct:g}, e_score {judgment.e_score:.3f}, uniform {judgment.uniform:.3f}; the labels hold "
        f"{judgment.mass:.1%} of the probability; {judgment.tokens} tokens\n"
    )
    head = ("state", *(f"%{label}" for label in found.labels), "expected", "label", "apart", "weight", "contribution")
    final = (
        "final",
        *(f"{100 * p:.0f}" for p in found.probabilities),
        f"{judgment.raw_score:.2f}",
        found.label,
        "",
        "",
        "",
    )
    click.echo(show.table(head, [*(_row(layer, found) for layer in found.layers), final]))
    if found.settled is None:
        settled = f"the last state does not: it says {found.layers[-1].label}"
    else:
        settled = f"every state from {found.settled} on does"
    apart = sum(layer.label != found.label for layer in found.layers)
    click.echo(
        f"\n* {apart} of {len(found.layers)} states alone would not say {found.label}; {settled}. Their expected scores spread "
        f"by {found.spread:.2f} (standard deviation)."
    )
    added = sum(layer.contribution for layer in found.layers)
    bias = f" {found.bias:+.3f} (bias)" if found.bias else ""
    after = "" if judgment.score == judgment.raw_score else f", calibrated {judgment.score:.3f}"
    click.echo(f"{found.middle:g} (middle) {added:+.3f} (states){bias} = {judgment.raw_score:.3f}{after}")
    strongest = sorted(found.layers, key=lambda layer: -abs(layer.contribution))[:5]
    click.echo("largest contributions: " + ", ".join(f"state {s.state} {s.contribution:+.3f}" for s in strongest))


@click.command("inspect")
@click.argument("items", metavar="ITEMS")
@weighted_options
@click.option("--id", "identity", help="The item with this id.")
@click.option("-n", "--number", type=click.IntRange(1), help="The item with this number.  [default: 1]")
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write all figures to this file, too.")
@click.option(
    "--report", "--html", "report", type=click.Path(dir_okay=False), help="Write a page with a heat map (HTML)."
)
@data_options
def command(
    items: str, identity: str | None, number: int | None, json_path: str | None, report: str | None, **given: Any
) -> None:
    """Show one item of ITEMS layer by layer.

    For every state: the probability of each label (in %), the expected score and the most likely label of
    that state alone, how far its distribution is apart from the final one (0 to 1), and what
    it adds to the score. Contributions are in points of the scale; with the scale's middle and the
    bias they add up to the raw score.
    """
    if identity is not None and number is not None:
        raise click.UsageError("give --id or -n, not both")
    if report:
        check_report()
    source = open_items(items, parse_map(given["mapping"]), given["layout"])
    item = _chosen(source, items, identity, number)
    weights = load_weights(given["weights"]) if given["weights"] else None
    with open_judge(given, weights, force=given["force"], early=False) as judge:
        found = inspect_item(judge, item)
        origin = origin_of(judge, items, weights=given["weights"])
    click.echo(f"{item.where}: item {item.id}", err=True)
    for place, one in enumerate(found):
        if place:
            click.echo()
        _show(one)
    if json_path:
        write_rows(json_path, [one.to_dict() for one in found])
    if report:
        write_inspection(report, item, found, origin)
