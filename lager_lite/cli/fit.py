"""lager-lite fit"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import click

from ..datasets import read_items
from ..fitting import fit
from ..labelled import gather
from ..records import KINDS, LENSES
from ..weights import WeightsFile, save_weights
from . import show
from .options import judge_options, open_judge
from .score import parse_map


@click.command("fit")
@click.argument("labelled", metavar="LABELLED")
@judge_options
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The weights file to write.")
@click.option("--kind", type=click.Choice(KINDS), default="full", show_default=True)
@click.option("--lens", type=click.Choice(LENSES), default="norm", show_default=True)
@click.option("--cv", "folds", type=click.IntRange(2), default=5, show_default=True, help="Folds that choose the strength.")
@click.option("-s", "--seed", type=int, default=0, show_default=True)
@click.option("-n", "--limit", type=click.IntRange(1), help="Only the first N items.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=KEY", help="Where a field stands in your rows.")
@click.option("--layout", help="Layout of the file. Default: detected.")
def command(labelled: str, output: str, kind: str, lens: str, folds: int, seed: int, limit: int | None, **given: Any) -> None:
    """Fit layer weights on the human scores of LABELLED, for `score -w`.

    Items of one group (same source text or prompt) stay in one fold when the ridge's strength is
    chosen, and the calibration is fitted on scores of weights that have not seen the item.
    """
    dataset = read_items(labelled, mapping=parse_map(given["mapping"]), layout=given["layout"])
    click.echo(dataset.message, err=True)
    items = dataset.items[:limit]
    with open_judge(given) as judge:
        with show.progress(len(items) * len(judge.rubrics)) as progress:
            data = gather(judge, items, progress)
        result = fit(
            data.lens(lens), data.human, data.values, kind=kind, lens=lens, groups=data.group, folds=folds, seed=seed
        )
        agreement = dict(result.trials).get(result.strength) if result.strength is not None else None
        found = {"items": result.items, "groups": result.groups, "strength": result.strength, "spearman_cv": agreement}
        date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        save_weights(output, WeightsFile(result.weights, replace(judge.provenance(**found), date=date)))
    for item, reason in data.failed:
        click.echo(f"Warning: item {item} left out: {reason}", err=True)
    if result.items < 100:
        click.echo(f"Warning: {result.items} labels are few; 200 or more make weights that hold", err=True)
    click.echo(f"kind      {kind}, lens {lens}\nlabels    {result.items} in {result.groups} groups")
    if agreement is not None:
        click.echo(f"strength  {result.strength:g}\nspearman  {agreement:.3f} (cross-validated while choosing the strength, so a little high)")
    click.echo(f"written   {output}")
